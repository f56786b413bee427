"""Starting our commands as real processes with a data folder of their own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from crmsync.environment import BASE_DIR


def environment(home: Path, **extra: str) -> dict[str, str]:
    """Variables of a fresh machine whose embedded server lives below `home`."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "CRMSYNC_IGNORE_DOTENV": "1",
        "CRMSYNC_DATA_DIR": str(home),
        "CRMSYNC_EMBEDDED_FSYNC": "off",
        "DJANGO_SETTINGS_MODULE": "crmsync.settings",
        **extra,
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(arguments: list[str], home: Path, log: Path, **extra: str) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=BASE_DIR, env=environment(home, **extra), stdout=output, stderr=output
        )


def run(arguments: list[str], home: Path, **extra: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=BASE_DIR,
        env=environment(home, **extra),
        capture_output=True,
        text=True,
        timeout=120,
    )


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} seconds")
        time.sleep(0.1)
