"""Creates, starts and stops one embedded PostgreSQL server."""

import atexit
import fcntl
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from crmsync.embedded import location
from crmsync.embedded.binaries import programs_for
from crmsync.embedded.cluster import DATABASE, ROLE, create_cluster, write_configuration
from crmsync.embedded.errors import EmbeddedServerError

__all__ = ["DATABASE", "ROLE", "EmbeddedServer"]

START_SECONDS = 120  # crash recovery of a large write-ahead log takes its time
STOP_SECONDS = 12
ORPHAN_SECONDS = 20  # how long the processes of a killed server may take to notice
NO_PROCESS = "99999999"  # beyond every system's highest process id


class EmbeddedServer:
    """One server and this process's share in it.

    `directory` holds the cluster, the socket, the log and the locks. `durable=False` turns fsync off, for tests.
    """

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.directory = directory
        self.socket_directory = location.socket_directory(directory)
        self.durable = durable and os.environ.get("CRMSYNC_EMBEDDED_FSYNC") != "off"
        self._mutex = threading.Lock()
        self._share: int | None = None

    @property
    def cluster(self) -> Path:
        return self.directory / "cluster"

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    def ensure_running(self) -> None:
        """Starts the server unless it accepts connections, and keeps it running while this process lives.

        Raises EmbeddedServerError, with the end of the server's log, when it does not start.
        """
        with self._mutex:
            self._take_share()
            if self.accepts_connections():
                return
            with exclusive_lock(self.directory / "start.lock"):
                if not self.accepts_connections():
                    self._start()

    def leave(self) -> None:
        """Gives this process's share back; whoever gives back the last one stops the server."""
        with self._mutex:
            if self._share is None:
                return
            # Closing, unlike unlocking, leaves the lock to forked children, which share this open file.
            os.close(self._share)
            self._share = None
            if not self.directory.exists():  # somebody deleted the data, and the server's lock with it
                return
            with (self.directory / "users.lock").open("a") as users:
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
                self.stop()

    def stop(self) -> None:
        """Stops the server whoever uses it; nothing happens when it does not run."""
        if self._postmaster() is not None:
            self._control("stop", "--mode=fast", f"--timeout={STOP_SECONDS}")

    def accepts_connections(self) -> bool:
        status = self._pid_file()
        if len(status) < 8 or status[7].strip() != "ready":
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket_directory / location.SOCKET_NAME))
            except OSError:
                return False
        return True

    def _take_share(self) -> None:
        if self._share is not None:
            return
        location.make_data_home(self.directory.parent)
        location.make_private(self.directory, location.server_account())
        self._share = os.open(self.directory / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._share, fcntl.LOCK_SH)
        atexit.register(self.leave)

    def _start(self) -> None:
        account = location.server_account()
        location.make_private(self.socket_directory, account)
        if not (self.cluster / "PG_VERSION").exists():
            create_cluster(self.cluster, programs_for(account), account)
        write_configuration(self.cluster, self.socket_directory, durable=self.durable, account=account)
        self.stop()  # one that runs and cannot be reached, because its socket was tidied away, is of no use
        self._disown_lock_files()
        deadline = monotonic() + ORPHAN_SECONDS
        while True:
            try:
                return self._control("start", f"--log={self.log}", f"--timeout={START_SECONDS}")
            except EmbeddedServerError as error:
                if "still in use" not in str(error) or monotonic() > deadline:
                    raise
            sleep(0.5)

    def _disown_lock_files(self) -> None:
        """Makes the files of a server that was killed say so: the process id in them may be anybody's by now.

        The rest of postmaster.pid stays, because by it PostgreSQL finds processes of the old server that still run.
        """
        lines = self._pid_file()
        if lines:
            (self.cluster / "postmaster.pid").write_text("\n".join([NO_PROCESS, *lines[1:], ""]))
        for name in (location.SOCKET_NAME, f"{location.SOCKET_NAME}.lock"):
            (self.socket_directory / name).unlink(missing_ok=True)

    def _control(self, action: str, *options: str) -> None:
        account = location.server_account()
        program = str(programs_for(account) / "pg_ctl")
        done = subprocess.run(  # noqa: S603 - our own program
            [program, action, f"--pgdata={self.cluster}", "--wait", "--silent", *options],
            cwd=self.directory,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            umask=0o077,
            check=False,
            **as_account(account),
        )
        if done.returncode != 0:
            raise EmbeddedServerError(
                f"The embedded PostgreSQL did not {action}. The end of {self.log}:\n{last_lines(self.log)}"
            )

    def _pid_file(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _postmaster(self) -> int | None:
        """The server's process id, or None when the number in its file is dead or belongs to something else."""
        lines = self._pid_file()
        pid = int(lines[0]) if lines and lines[0].isdigit() else 0
        if pid == 0 or not process_exists(pid):
            return None
        return pid if str(self.cluster) in command_line(pid) else None


def as_account(account: location.Account | None) -> dict:
    """Keyword arguments for subprocess that run a program under the server's user."""
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:  # no /proc on this system
        command = ["ps", "-o", "args=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603


def last_lines(path: Path, count: int = 8) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return "(there is none)"


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
