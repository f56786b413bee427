"""Runs everything one machine needs: web server, worker, and the sandboxes of the demonstration."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import structlog
from django.conf import settings

from crmsync.embedded.location import data_home, make_data_home
from crmsync.processes import manage, spawn, stop

log = structlog.get_logger(__name__)

WORKER_GRACE_SECONDS = 8
STOP_SECONDS = 11
READY_SECONDS = 60
STEADY_SECONDS = 60
LONGEST_PAUSE_SECONDS = 30.0


class RunError(Exception):
    """The hub cannot run; the message says why."""


@dataclass
class Child:
    """A process to keep alive. `after_start` runs each time it has been started."""

    name: str
    command: list[str]
    after_start: Callable[[], None] | None = None
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    restart_at: float = 0.0
    failures: int = field(default=0)


class Runner:
    """Starts children, restarts those that die, and stops them all."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.environment = {"LOG_FORMAT": os.environ.get("LOG_FORMAT", "text")}
        self._children: list[Child] = []
        self._stopping = threading.Event()

    def listen_to_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def require_free_port(self) -> None:
        """Raises RunError when something else listens on our port."""
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise RunError(
                    f"Port {self.port} of {self.host} cannot be used ({error.strerror}): choose another, "
                    f"for instance `make run PORT={self.port + 1}`."
                ) from error

    def start_web(self) -> None:
        self.start(Child("web", web_command(self.host, self.port)))

    def start_worker(self) -> None:
        self.start(Child("worker", manage("worker", f"--grace={WORKER_GRACE_SECONDS}")))

    def allow_sandboxes(self) -> None:
        """Every child started from now on may call loopback addresses: that is where the sandboxes are."""
        allowed = [host for host in os.environ.get("ALLOW_PRIVATE_HOSTS", "").split(",") if host]
        self.environment["ALLOW_PRIVATE_HOSTS"] = ",".join([*allowed, "127.0.0.1"])
        if not settings.SITE_URL and self.host in ("127.0.0.1", "::1", "localhost"):
            # So that they can send their webhooks.
            self.environment["SITE_URL"] = f"http://{self.address}"

    def start_demonstration(self) -> None:
        """The sandboxes of all connectors, and connections and sample contacts that use them."""
        make_data_home(data_home())
        ports_file = data_home() / "sandbox-ports.json"
        command = manage("sandbox", f"--ports-file={ports_file}", f"--hub={self.public_address}")
        self.start(Child("sandbox", command, after_start=lambda: self._prepare_demonstration(ports_file)))

    def start(self, child: Child) -> None:
        self._children.append(child)
        self._launch(child)

    def wait_until_ready(self) -> None:
        """Returns when the web server answers. Raises RunError when it does not within a minute."""
        deadline = monotonic() + READY_SECONDS
        while not self.stopping:
            self._revive()
            try:
                urllib.request.urlopen(f"http://{self.address}/health", timeout=5).close()
                return
            except urllib.error.HTTPError:
                return  # it answers, if only to say what it lacks
            except OSError:
                if monotonic() > deadline:
                    raise RunError("The web server does not answer; its messages are above.") from None
                sleep(0.2)

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def public_address(self) -> str:
        """Where a browser finds us."""
        everywhere = self.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound to
        return settings.SITE_URL or f"http://{f'127.0.0.1:{self.port}' if everywhere else self.address}"

    def keep_running(self) -> None:
        """Until SIGINT or SIGTERM."""
        while not self._stopping.wait(0.5):
            self._revive()

    def stop(self) -> None:
        stop([child.process for child in self._children if child.process is not None], STOP_SECONDS)

    def _launch(self, child: Child) -> None:
        child.process = spawn(child.command, self.environment)
        child.started = monotonic()
        if child.after_start is not None:
            child.after_start()

    def _revive(self) -> None:
        """Starts again what has died, after a pause that doubles with every death in a row."""
        for child in self._children:
            if child.process is None or child.process.poll() is None:
                continue
            if child.restart_at == 0.0:
                steady = monotonic() - child.started > STEADY_SECONDS
                child.failures = 1 if steady else child.failures + 1
                pause = min(LONGEST_PAUSE_SECONDS, 2.0 ** (child.failures - 1))
                child.restart_at = monotonic() + pause
                log.error("process died", name=child.name, status=child.process.returncode, restart_in=pause)
            elif monotonic() >= child.restart_at:
                child.restart_at = 0.0
                self._launch(child)

    def _prepare_demonstration(self, ports_file: Path) -> None:
        ports_file.unlink(missing_ok=True)
        deadline = monotonic() + READY_SECONDS
        while not self.stopping and not is_json(ports_file):
            if monotonic() > deadline or self._sandbox_died():
                log.error("the sandboxes did not start")
                return
            sleep(0.1)
        command = manage("demo", f"--ports-file={ports_file}", f"--hub={self.public_address}")
        done = subprocess.run(command, env={**os.environ, **self.environment}, check=False)  # noqa: S603 - our own
        if done.returncode != 0:
            log.error("the sample contacts were not made", status=done.returncode)

    def _sandbox_died(self) -> bool:
        return any(
            child.name == "sandbox" and child.process is not None and child.process.poll() is not None
            for child in self._children
        )


def is_json(path: Path) -> bool:
    """Whether the file has been written to its end."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def web_command(host: str, port: int, processes: int = 1) -> list[str]:
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options = [f"--workers={processes}", "--worker-class=gthread", "--threads=8"]
    patience = ["--timeout=60", "--graceful-timeout=8"]
    recycle = ["--max-requests=20000", "--max-requests-jitter=2000"]
    quiet = ["--log-level=error", "--no-control-socket", "--limit-request-line=8190"]
    return [sys.executable, "-m", "gunicorn", "crmsync.wsgi", f"--bind={bind}", *options, *patience, *recycle, *quiet]
