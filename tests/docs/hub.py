"""A hub of real processes over a copy of the test database, with the demonstration's systems, to run commands on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection as database
from django.db import connections as databases

from crmsync.embedded import binaries
from crmsync.processes import stop
from tests.docs.pages import ROOT
from tests.engine.test_processes import database_url
from tests.platform.processes import free_port

EMAIL, PASSWORD = "admin@crmsync.local", "correct horse battery staple"
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Hub:
    """Where the pages' commands are run: a folder that looks like a checkout, and the variables."""

    folder: Path
    environment: dict[str, str]

    def run(self, script: str, seconds: float = 120.0, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs a bash script; a program that fails ends it, and so does an HTTP status of 400 or more."""
        strict = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n'
        return subprocess.run(
            ["bash", "-c", strict + script],
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=seconds,
        )


@contextmanager
def running(folder: Path) -> Iterator[Hub]:
    """The hub, with everything that was started ended afterwards, and its databases dropped."""
    name = f"{database.settings_dict['NAME']}_docs"
    started: list[subprocess.Popen[bytes]] = []
    with _copied_database(name):
        hub = _hub(folder, name)
        try:
            _start(hub, started)
            yield hub
        except BaseException:
            sys.stderr.write((folder / "log").read_text(errors="replace")[-5000:] if (folder / "log").exists() else "")
            raise
        finally:
            stop(started[::-1], 10)


@contextmanager
def _copied_database(name: str) -> Iterator[None]:
    """A copy is made much faster than tables are."""
    template = database.settings_dict["NAME"]
    databases.close_all()
    names = (name, f"{name}_restored")

    def drop() -> None:
        with database._nodb_cursor() as cursor:
            for one in names:
                cursor.execute(f'DROP DATABASE IF EXISTS "{one}" WITH (FORCE)')

    drop()
    with database._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield
    finally:
        drop()


def _hub(folder: Path, name: str) -> Hub:
    checkout = folder / "checkout"
    checkout.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in (".env", ".git", ".venv", ".data"):
            (checkout / entry.name).symlink_to(entry)
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (checkout / ".venv" / "bin" / "python").chmod(0o755)
    url, template = database_url(), str(database.settings_dict["NAME"])
    environment = {
        "PATH": f"{_programs()}:{os.environ['PATH']}",
        "HOME": str(folder),
        "CRMSYNC_IGNORE_DOTENV": "1",
        "CRMSYNC_DATA_DIR": str(folder / "data"),
        "DJANGO_SETTINGS_MODULE": "crmsync.settings",
        "DATABASE_URL": url.replace(f"/{template}?", f"/{name}?"),
        "RESTORED_URL": url.replace(f"/{template}?", f"/{name}_restored?"),
        "RESTORED": f"{name}_restored",
        "SECRET_KEY": settings.SECRET_KEY,
        "CREDENTIAL_KEYS": settings.CREDENTIAL_KEYS[0],
        "DEBUG_SECRET": "open-sesame",
        "DJANGO_SUPERUSER_USERNAME": "admin",
        "DJANGO_SUPERUSER_EMAIL": EMAIL,
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "PASSWORD": PASSWORD,
        "ALLOW_PRIVATE_HOSTS": "127.0.0.1",
        "WORKERS": "1",
        "LOG_FORMAT": "text",
        # After its first run the clinic's route leaves the stage to the commands.
        "SYNC_INTERVAL_MINUTES": "1440",
        "HUB": f"http://127.0.0.1:{free_port()}",
    }
    return Hub(checkout, environment | {"SITE_URL": environment["HUB"]})


def _programs() -> Path:
    """The folder of a pg_dump that is as old as the server; a newer one writes what the server does not know."""
    bundled = binaries.installation() / binaries.INSTALLATION / "bin"
    own = shutil.which("pg_dump")
    server = database.pg_version // 10000
    for folder in filter(None, (bundled, Path(own).parent if own else None)):
        told = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True).stdout
        if f" {server}." in told:
            return folder
    return bundled


def _start(hub: Hub, started: list[subprocess.Popen[bytes]]) -> None:
    log = (hub.folder.parent / "log").open("ab")

    def manage(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "manage.py", *arguments]
        started.append(subprocess.Popen(command, cwd=hub.folder, env=hub.environment, stdout=log, stderr=log))
        return started[-1]

    ports, address = hub.folder / "ports.json", hub.environment["HUB"]
    manage("sandbox", "--no-limits", f"--ports-file={ports}", f"--hub={address}")
    # Tests keep their cache elsewhere, so their database has no table for it.
    table = manage("createcachetable")
    assert manage("setup").wait(READY_SECONDS) == 0, "setup failed"
    assert table.wait(READY_SECONDS) == 0, "there is no table for the cache"
    manage("web", f"--port={address.rpartition(':')[2]}")
    _wait(ports.exists, "the sandboxes")
    _wait(lambda: _answers(f"{address}/health"), "the web server")
    assert manage("demo", f"--ports-file={ports}", f"--hub={address}").wait(READY_SECONDS) == 0, "demo failed"
    manage("worker", "--grace=5")


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
        time.sleep(0.05)
