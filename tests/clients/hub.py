"""A hub of our own processes on this machine: web server, worker, and the stand-in of one system."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.brevo.sandbox import KEY
from tests.platform.processes import environment, free_port

CRM = "brevo"
EMAIL, PASSWORD = "administrator@example.com", "a-password-of-the-tests"
READY_SECONDS, STOP_SECONDS = 60.0, 20.0
# Of one contact only, as for something that a person can correct.
FAULT = {"kind": "status", "method": "POST", "path": "/contacts$", "status": 400, "body": {"code": "invalid_parameter"}}


@dataclass(frozen=True, slots=True)
class Hub:
    url: str
    sandbox: str

    def fail_once(self) -> None:
        """The next record that is written to the stand-in is refused."""
        for what, body in (("clear", []), ("faults", [FAULT])):
            address = f"{self.sandbox}/__sandbox__/{what}"
            urllib.request.urlopen(urllib.request.Request(address, json.dumps(body).encode()), timeout=10).close()


@contextmanager
def running() -> Iterator[Hub]:
    """The hub with a database of its own; when it ends, everything that was started has ended and is gone."""
    home = Path(tempfile.mkdtemp(prefix="crmsync-clients-"))
    home.chmod(0o711)  # the embedded server's own user passes through it where we are root
    started: list[subprocess.Popen[bytes]] = []
    try:
        yield _start(home, started)
    except BaseException:
        sys.stderr.write((home / "log").read_text(errors="replace")[-5000:] if (home / "log").exists() else "")
        raise
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            _end(process)
        shutil.rmtree(home, ignore_errors=True)


def _start(home: Path, started: list[subprocess.Popen[bytes]]) -> Hub:
    port, ports = free_port(), home / "ports.json"
    settings = {
        "DJANGO_SUPERUSER_USERNAME": "administrator",
        "DJANGO_SUPERUSER_EMAIL": EMAIL,
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "ALLOW_PRIVATE_HOSTS": "127.0.0.1",
        "WORKERS": "1",
    }

    def manage(*arguments: str, **more: str) -> None:
        with (home / "log").open("ab") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, "manage.py", *arguments],
                    env=environment(home, **settings, **more),
                    stdout=log,
                    stderr=log,
                )
            )

    manage("sandbox", CRM, f"--ports-file={ports}", "--no-limits")
    _wait(ports.exists, "the sandbox")
    sandbox = json.loads(ports.read_text())[CRM]
    settings |= {"BREVO_API_KEY": KEY, "BREVO_BASE_URL": sandbox}
    manage("setup")
    assert started[-1].wait(timeout=READY_SECONDS) == 0, "setup failed"
    manage("web", f"--port={port}")
    manage("worker", "--grace=5")
    hub = Hub(f"http://127.0.0.1:{port}", sandbox)
    _wait(lambda: _answers(f"{hub.url}/health"), "the web server")
    return hub


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except OSError:
        return False
    return True


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not start within {READY_SECONDS:g} seconds")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def variables(hub: Hub) -> dict[str, str]:
    """What a client needs to know, for its environment."""
    return {**os.environ, "HUB": hub.url, "CRM": CRM, "EMAIL": EMAIL, "PASSWORD": PASSWORD}
