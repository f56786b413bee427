"""Child processes that end with their parent, each in a process group of its own."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from time import monotonic

from django.conf import settings

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def spawn(command: Sequence[str], environment: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """Starts a command in a new session, so that a signal from the terminal reaches the parent alone."""
    return subprocess.Popen(  # noqa: S603 - our own commands
        command,
        cwd=settings.BASE_DIR,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=end_with_parent if sys.platform == "linux" else None,
    )


def manage(*arguments: str) -> list[str]:
    """The command line of one of our management commands."""
    return [sys.executable, "manage.py", *arguments]


def end_with_parent() -> None:
    """In the child: be told to stop when the parent is killed in a way that leaves it no time to tell."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(processes: Sequence["subprocess.Popen[bytes]"], grace: float) -> None:
    """Asks all to end, waits `grace` seconds together, then kills what is left with everything they started."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = monotonic() + grace
    for process in processes:
        try:
            process.wait(timeout=max(0.0, deadline - monotonic()))
        except subprocess.TimeoutExpired:
            continue
    for process in processes:
        kill_group(process)


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # the whole group has ended already
    finally:
        process.wait()
