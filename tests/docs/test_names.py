"""What the pages name exists: commands, variables, paths of the API, files that are linked to."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from connectors.core import registry
from tests.docs.pages import README, ROOT, blocks, pages
from tests.docs.systems import rows

VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
# Variables of the pages themselves, and of programs other than ours.
FOREIGN = {"RESTORED_URL", "NAME_FILE"}
# Outside the schema: pages for people, single sign-on, and what answers no JSON.
TOPS = ("/api/", "/auth/", "/sync/")
UNSCHEMED = re.compile(r"^/(admin|debug|metrics|auth|sync/contacts|api/docs|api/schema|api/v1/webhooks/)")


@pytest.fixture(params=pages(), ids=lambda path: "/".join(path.parts[-2:]))
def written(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_commands_exist(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    known = get_commands()
    for name, rest in re.findall(r"manage\.py ([a-z_]+)([^\n`|]*)", text):
        assert name in known, name
        if known[name] in ("crmsync", "contacts", "connectors", "syncjobs"):
            parser = load_command_class(known[name], name).create_parser("manage.py", name)
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest):
                assert option in parser._option_string_actions, f"{name} {option}"


def test_make_targets_exist(written: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = re.findall(r"(?:`|^)make ([a-z0-9-]+)", written.read_text(encoding="utf-8"), re.M)
    assert set(named) <= targets


def test_variables_are_explained_and_read(written: Path) -> None:
    explained = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))
    prose = written.read_text(encoding="utf-8")
    for block in blocks(written):
        if block.language in ("json", "text", "python"):
            prose = prose.replace(block.text, "")
    assert set(VARIABLE.findall(prose)) - FOREIGN <= explained


def test_every_variable_of_the_example_is_read_somewhere() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("crmsync", "contacts", "connectors", "syncjobs", "docker")
        for pattern in ("*.py", "*.yml")
        for path in (ROOT / folder).rglob(pattern)
        if "tests" not in path.parts
    )
    specs = [connector.spec for connector in registry.all_connectors().values()]
    of_connectors = {spec.env_name(field) for spec in specs for field in spec.config}
    explained = re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M)
    # The first administrator's are put together of a prefix and a name.
    assert [name for name in explained if name not in of_connectors and f'"{name}"' not in sources
            and f"${{{name}" not in sources] == []  # fmt: skip


def test_paths_of_the_api_are_in_the_schema(written: Path) -> None:
    text = re.sub(r"\$[A-Z_]+", "X", written.read_text(encoding="utf-8").replace("$HUB", ""))
    for path in re.findall(r"(?<![\w.])/(?:api|sync|auth|health|metrics|debug)[\w/{}.-]*", text):
        if UNSCHEMED.match(path):
            continue
        # One that ends in a slash stands for all below it.
        found = (path.endswith("/") and path.startswith(TOPS)) or known().fullmatch(path.rstrip("."))
        assert found, path


@functools.cache
def known() -> re.Pattern[str]:
    """Every path of the schema, with anything where a parameter is."""
    paths = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))["paths"]
    return re.compile("|".join(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) for path in paths))


def test_links_lead_somewhere(written: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]*)(#[^)\s]*)?\)", written.read_text(encoding="utf-8")):
        if target[0] and not target[0].startswith(("http://", "https://", "mailto:")):
            assert (written.parent / target[0]).exists(), target[0]
        if target[1]:
            other = (written.parent / target[0]) if target[0] else written
            headings = re.findall(r"^#+ (.+)$", other.read_text(encoding="utf-8"), re.M)
            assert target[1][1:] in {anchor(one) for one in headings}, target


def anchor(heading: str) -> str:
    """As web sites that show Markdown make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_pictures_are_small() -> None:
    pictures = sorted((ROOT / "docs" / "images").iterdir())
    assert pictures
    assert [picture.name for picture in pictures if picture.stat().st_size > 150_000] == []


def test_the_table_of_systems_is_what_they_can() -> None:
    shown = re.findall(r"^\| .*\(connectors/\w+/SETUP\.md\) \|$", README.read_text(encoding="utf-8"), re.M)
    assert shown == rows()
