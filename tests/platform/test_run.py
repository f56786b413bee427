"""`manage.py run`: one command from nothing to a hub that works, and back to nothing."""

import re
import signal
import socket
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from crmsync.embedded import EmbeddedServer
from crmsync.runner import Child, Runner
from tests.platform.processes import free_port, run, start, wait_for

INTRODUCTION = re.compile(r"^Address: (\S+)\nE-mail: (\S+)\nPassword: (.+)$", re.MULTILINE)


def introduced(log: Path) -> "re.Match[str] | None":
    return INTRODUCTION.search(log.read_text())


@pytest.mark.slow
def test_it_runs_introduces_itself_and_stops_with_everything_it_started(home: Path, tmp_path: Path) -> None:
    for attempt, password in enumerate([r"\S{12,}", r"made earlier; a new one: \S+ manage\.py changepassword admin"]):
        log = tmp_path / f"run-{attempt}.log"
        port = free_port()
        process = start(["manage.py", "run", f"--port={port}"], home, log, WORKERS="1")
        try:
            wait_for(lambda log=log: introduced(log), 90, "the introduction")  # type: ignore[misc]
            found = introduced(log)
            assert found is not None
            assert found[1] == f"http://127.0.0.1:{port}/admin/"
            assert re.fullmatch(password, found[3])
            assert "press Connect" not in log.read_text()  # every sandbox was given access
            with urllib.request.urlopen(f"{found[1]}login/", timeout=10) as page:
                assert "E-mail or username" in page.read().decode()
        finally:
            told = time.monotonic()
            process.send_signal(signal.SIGINT if attempt else signal.SIGTERM)
            status = process.wait(timeout=20)
        assert status == 0, log.read_text()
        assert time.monotonic() - told < 15
        assert EmbeddedServer(home / "postgres")._postmaster() is None
    assert (home / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_busy_port_is_refused_in_a_sentence_with_status_2(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        keys = {"SECRET_KEY": "x" * 60, "CREDENTIAL_KEYS": "dGhpcy1rZXktaXMtZm9yLXRlc3RzLW9ubHktMDEyMzQ="}
        done = run(["manage.py", "run", f"--port={port}"], tmp_path, **keys)
    assert done.returncode == 2
    assert f"Port {port} of 127.0.0.1 cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_child_that_dies_is_started_again_after_a_pause() -> None:
    runner = Runner("127.0.0.1", 1)
    child = Child("short", ["sh", "-c", "exit 7"])
    runner.start(child)
    first = child.process
    assert first is not None
    first.wait(timeout=10)
    runner._revive()
    assert (child.failures, child.process) == (1, first)
    child.restart_at = time.monotonic()
    runner._revive()
    assert child.process is not first
    assert child.process is not None
    child.process.wait(timeout=10)
    runner._revive()
    assert child.failures == 2
    runner.stop()


@pytest.mark.parametrize(
    ("host", "site", "address"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:8000"),
        ("0.0.0.0", "", "http://127.0.0.1:8000"),
        ("::1", "", "http://[::1]:8000"),
        ("127.0.0.1", "https://crm.example.com", "https://crm.example.com"),
    ],
)
def test_sandboxes_lead_back_to_where_a_browser_finds_the_hub(
    settings: Any, host: str, site: str, address: str
) -> None:
    settings.SITE_URL = site
    assert Runner(host, 8000).public_address == address
