"""Where the embedded server keeps its data and its socket, and which system user runs it."""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from crmsync.embedded.errors import EmbeddedServerError

CHECKOUT = Path(__file__).resolve().parent.parent.parent
SYSTEM_HOME = Path("/var/lib/crmsync")
SYSTEM_USER = "crmsync"
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 103  # bytes; Linux allows 107, the BSDs and macOS 103


@dataclass(frozen=True)
class Account:
    """The unprivileged user a server runs under, because PostgreSQL refuses to run as root."""

    uid: int
    gid: int


def is_root() -> bool:
    return os.geteuid() == 0


def checkout_id() -> str:
    """Tells the checkouts of one machine apart."""
    return hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]


def data_home() -> Path:
    """This checkout's data: CRMSYNC_DATA_DIR, else below /var/lib for root, else `.data` of the checkout.

    A checkout that cannot be written to keeps its data below XDG_DATA_HOME.
    """
    chosen = os.environ.get("CRMSYNC_DATA_DIR")
    if chosen:
        return Path(chosen).absolute()
    if is_root():
        return SYSTEM_HOME / checkout_id()
    if os.access(CHECKOUT / ".data" if (CHECKOUT / ".data").exists() else CHECKOUT, os.W_OK):
        return CHECKOUT / ".data"
    shared = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(shared) / "crmsync" / checkout_id()


def make_data_home(path: Path) -> None:
    """Creates the folder; under root others may pass through it, since the server's own user has to."""
    missing = [folder for folder in [path, *path.parents] if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        if is_root():
            folder.chmod(0o755 if folder != path else 0o711)


def server_account() -> Account | None:
    """None for an ordinary user, who runs the server himself; for root the system user, created when missing."""
    if not is_root():
        return None
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = create_system_user()
    if entry.pw_uid == 0:
        raise EmbeddedServerError(f"The user {SYSTEM_USER} has root's id: PostgreSQL refuses to run as root.")
    return Account(entry.pw_uid, entry.pw_gid)


def create_system_user() -> pwd.struct_passwd:
    tool = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if tool is None:
        raise EmbeddedServerError(
            f"PostgreSQL refuses to run as root and there is no useradd to create the user {SYSTEM_USER}: "
            "create it, run as an ordinary user, or set DATABASE_URL."
        )
    command = [tool, "--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_HOME)]
    done = subprocess.run(  # noqa: S603 - a fixed command
        [*command, "--shell", "/usr/sbin/nologin", SYSTEM_USER], capture_output=True, text=True, check=False
    )
    try:
        return pwd.getpwnam(SYSTEM_USER)  # also when another process has just created it
    except KeyError:
        raise EmbeddedServerError(f"The user {SYSTEM_USER} could not be created: {done.stderr.strip()}") from None


def socket_directory(server_directory: Path) -> Path:
    """A private folder with a short enough path: beside the data, else below the runtime or temporary folder."""
    beside = server_directory / "run"
    if len(os.fsencode(beside / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
        return beside
    name = f"crmsync-{os.geteuid()}-{hashlib.sha256(os.fsencode(server_directory)).hexdigest()[:12]}"
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and not is_root() and len(os.fsencode(Path(runtime) / name / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
        return Path(runtime) / name
    short = Path(tempfile.gettempdir()) / name
    return short if len(os.fsencode(short / SOCKET_NAME)) <= LONGEST_SOCKET_PATH else Path("/tmp") / name  # noqa: S108


def make_private(path: Path, account: Account | None) -> None:
    """Creates a folder for the server's user alone. Raises EmbeddedServerError when somebody else got there first."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    owner = account.uid if account else os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
        raise EmbeddedServerError(f"{path} belongs to another user; remove it or set CRMSYNC_DATA_DIR.")
    if account and found.st_uid != owner:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)
