"""docker/: what the image copies and runs exists, and the parts of compose.yml keep their promises."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from crmsync.environment import BASE_DIR
from crmsync.supervisor import Patience

DOCKERFILE = (BASE_DIR / "docker" / "Dockerfile").read_text(encoding="utf-8")
# One instruction a line.
INSTRUCTIONS = [line for line in re.sub(r"\\\n\s*", " ", DOCKERFILE).splitlines() if line and not line.startswith("#")]
COMPOSE: dict[str, Any] = yaml.safe_load((BASE_DIR / "docker" / "compose.yml").read_text(encoding="utf-8"))
OURS = ("web", "worker", "setup")


def of(name: str) -> list[str]:
    return [line.partition(" ")[2] for line in INSTRUCTIONS if line.startswith(f"{name} ")]


def test_what_is_copied_exists() -> None:
    copied = [shlex.split(line) for line in of("COPY")]
    own = [source for words in copied if not words[0].startswith("--from") for source in words[:-1]]
    assert own
    assert [source for source in own if not (BASE_DIR / source).exists()] == []


def test_it_installs_what_is_pinned() -> None:
    assert "--require-hashes" in DOCKERFILE
    named = set(re.findall(r"/tmp/requirements/([\w$]+)\.txt", DOCKERFILE))
    assert named == {"base", "$EXTRA"}
    for name in ["base", *re.findall(r"--build-arg EXTRA=(\w+)", DOCKERFILE)]:
        assert "--hash=sha256:" in (BASE_DIR / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def test_it_has_two_stages_and_runs_as_nobody_important() -> None:
    build, final = of("FROM")
    assert build.endswith(" AS build")
    assert " AS " not in final
    made = next(line for line in of("RUN") if line.startswith("useradd"))
    assert of("USER") == [made.split()[-1]]
    last = INSTRUCTIONS.index(f"USER {made.split()[-1]}")
    assert not any(line.startswith(("RUN", "COPY")) for line in INSTRUCTIONS[last:])


def test_secrets_and_data_stay_out_of_the_image() -> None:
    ignored = (BASE_DIR / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".env", ".git", ".venv", ".data"} <= {name.rstrip("/").removeprefix("**/") for name in ignored}


def commands() -> list[list[str]]:
    told = [yaml.safe_load(line) for line in of("CMD")]
    return told + [COMPOSE["services"][name]["command"] for name in OURS if "command" in COMPOSE["services"][name]]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_what_is_started_exists(command: list[str]) -> None:
    assert command[:2] == ["python", "manage.py"]
    name, rest = command[2], command[3:]
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    assert parser.parse_args(rest)


def test_the_health_check_asks_what_answers() -> None:
    (check,) = [line for line in INSTRUCTIONS if line.startswith("HEALTHCHECK")]
    (port,) = of("EXPOSE")
    assert f"http://127.0.0.1:{port}/health" in check
    assert COMPOSE["services"]["web"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert "pg_isready" in COMPOSE["services"]["db"]["healthcheck"]["test"][1]


def test_nothing_starts_before_the_tables_are_there() -> None:
    services = COMPOSE["services"]
    assert services["setup"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    for name in ("web", "worker"):
        assert services[name]["depends_on"] == {"setup": {"condition": "service_completed_successfully"}}


def test_the_worker_is_given_time_to_end_its_tasks() -> None:
    seconds = int(COMPOSE["services"]["worker"]["stop_grace_period"].rstrip("s"))
    assert seconds > Patience().grace


def test_variables_are_explained() -> None:
    text = (BASE_DIR / "docker" / "compose.yml").read_text(encoding="utf-8")
    explained = re.findall(r"^(\w+)=", (BASE_DIR / ".env.example").read_text(encoding="utf-8"), re.M)
    assert set(re.findall(r"\$\{(\w+)", text)) <= set(explained)
