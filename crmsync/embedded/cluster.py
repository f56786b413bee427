"""Creates a database cluster and writes its configuration."""

import os
import shutil
import subprocess
from pathlib import Path

from crmsync.embedded.errors import EmbeddedServerError
from crmsync.embedded.location import Account

DATABASE = "crmsync"
ROLE = "crmsync"
CTYPES = ("C.UTF-8", "en_US.UTF-8", "C")

# Failed statements carry people's data, so the log keeps only the plain error.
CONFIGURATION = """\
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 128MB
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_min_error_statement = panic
log_error_verbosity = terse
"""
NOT_DURABLE = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


def create_cluster(cluster: Path, programs: Path, account: Account | None) -> None:
    """Makes a UTF-8 cluster with our role and database; appears at `cluster` complete or not at all."""
    unfinished = cluster.with_name("cluster.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    initdb = [
        programs / "initdb",
        f"--pgdata={unfinished}",
        f"--username={ROLE}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--lc-collate=C",
        "--lc-messages=C",
    ]
    for ctype in CTYPES:  # full text search folds case by the C library's rules, which differ from system to system
        refusal = run([*initdb, f"--lc-ctype={ctype}"], account, cluster.parent)
        if not refusal:
            break
    if not refusal:
        single_user = [programs / "postgres", "--single", "-D", unfinished, "postgres"]
        refusal = run(single_user, account, cluster.parent, f"CREATE DATABASE {DATABASE};\n")
    if refusal:
        raise EmbeddedServerError(f"The embedded PostgreSQL could not create its data folder: {refusal}")
    with (unfinished / "postgresql.conf").open("a") as file:
        file.write("\ninclude_if_exists = 'crmsync.conf'\n")
    unfinished.rename(cluster)


def write_configuration(cluster: Path, sockets: Path, *, durable: bool, account: Account | None) -> None:
    quoted = '"' + str(sockets).replace('"', '""').replace("'", "''") + '"'
    path = cluster / "crmsync.conf"
    path.write_text(CONFIGURATION.format(sockets=quoted) + ("" if durable else NOT_DURABLE))
    if account:
        os.chown(path, account.uid, account.gid)


def run(command: list, account: Account | None, folder: Path, text: str | None = None) -> str:
    """Runs one of PostgreSQL's programs under the server's user; answers its complaint, empty when it went well."""
    identity: dict = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    done = subprocess.run(  # noqa: S603 - our own programs
        command,
        input=text if text is not None else "",
        cwd=folder,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        umask=0o077,
        check=False,
        **identity,
    )
    return "" if done.returncode == 0 else (done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
