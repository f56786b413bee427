"""The embedded PostgreSQL: starts by itself, is shared, private, and survives every kind of end."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crmsync.embedded import EmbeddedServer, binaries, location
from crmsync.environment import BASE_DIR
from tests.platform.processes import environment, run, start, wait_for

pytestmark = pytest.mark.slow
QUERY = (
    "import psycopg; from crmsync import embedded; s = embedded.server(); s.ensure_running(); "
    "k = psycopg.connect(host=str(s.socket_directory), dbname='crmsync', user='crmsync', autocommit=True).cursor(); "
)
ASK = ["-c", QUERY + "k.execute('SELECT pg_postmaster_start_time()'); print(k.fetchone()[0].isoformat())"]
HOLD = ["-c", QUERY + "k.execute('SELECT 1'); print('connected', flush=True); import time; time.sleep(60)"]


def postmaster(home: Path) -> int | None:
    return EmbeddedServer(home / "postgres")._postmaster()


@pytest.fixture
def holder(home: Path, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that keeps the server running."""
    log = tmp_path / "holder.log"
    process = start(HOLD, home, log)
    wait_for(lambda: "connected" in log.read_text(), 30, "a connection")
    yield process
    process.kill()
    process.wait()


def test_it_starts_by_itself_and_the_last_process_stops_it(home: Path) -> None:
    answer = run(["-c", QUERY + "k.execute('SHOW server_encoding'); print(k.fetchone()[0])"], home)
    assert answer.stdout.strip() == "UTF8", answer.stderr
    assert postmaster(home) is None


def test_it_folds_case_of_every_alphabet(home: Path) -> None:
    sql = "SELECT lower('ЁЛКА'), to_tsvector('simple', 'Ёлка') @@ to_tsquery('simple', 'ёлка')"
    answer = run(["-c", QUERY + f'k.execute("{sql}"); print(k.fetchone())'], home)
    assert answer.stdout.strip() == "('ёлка', True)"


def test_processes_that_start_at_once_share_one_server(home: Path, tmp_path: Path) -> None:
    logs = [tmp_path / f"{number}.log" for number in range(4)]
    processes = [start(ASK, home, log) for log in logs]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert all(log.read_text().startswith("20") for log in logs)


def test_it_keeps_running_while_anybody_uses_it(home: Path, holder: "subprocess.Popen[bytes]") -> None:
    first, second = run(ASK, home).stdout, run(ASK, home).stdout
    assert first == second != ""
    assert postmaster(home) is not None


def test_a_killed_client_leaves_nothing_that_keeps_it_running(home: Path, holder: "subprocess.Popen[bytes]") -> None:
    holder.kill()
    holder.wait()
    assert run(ASK, home).returncode == 0
    assert postmaster(home) is None


def test_a_killed_server_is_started_again(home: Path, holder: "subprocess.Popen[bytes]") -> None:
    pid = postmaster(home)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: postmaster(home) is None, 10, "the server's end")
    assert run(ASK, home).stdout.startswith("20")


def test_a_server_whose_socket_was_tidied_away_is_replaced(home: Path, holder: "subprocess.Popen[bytes]") -> None:
    shutil.rmtree(EmbeddedServer(home / "postgres").socket_directory)
    assert run(ASK, home).stdout.startswith("20")


def test_a_number_left_behind_by_a_crash_may_belong_to_anybody_now(home: Path) -> None:
    assert run(ASK, home).returncode == 0
    left_behind = home / "postgres" / "cluster" / "postmaster.pid"
    left_behind.write_text(f"{os.getpid()}\n{left_behind.parent}\n1700000000\n5432\n\n\n\nready   \n")
    assert run(ASK, home).stdout.startswith("20")


def test_data_survives_a_restart(home: Path) -> None:
    run(["-c", QUERY + "k.execute('CREATE TABLE kept AS SELECT 42 AS answer')"], home)
    answer = run(["-c", QUERY + "k.execute('SELECT answer FROM kept'); print(k.fetchone()[0])"], home)
    assert answer.stdout.strip() == "42"


def test_only_its_owner_can_reach_the_socket_and_nobody_the_network(home: Path) -> None:
    answer = run(["-c", QUERY + "k.execute('SHOW listen_addresses'); print(repr(k.fetchone()[0]))"], home)
    assert answer.stdout.strip() == "''"
    server = EmbeddedServer(home / "postgres")
    for folder in (server.directory, server.socket_directory, server.cluster):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.stat().st_mode) == 0o711


def test_a_failing_statement_leaves_no_values_in_the_servers_log(home: Path) -> None:
    run(["-c", QUERY + "k.execute(\"SELECT 1/0, 'ann@example.com'\")"], home)
    run(["-c", QUERY + "k.execute(\"SELECT CAST('ann@example.com' AS int)\")"], home)
    log = (home / "postgres" / "server.log").read_text()
    assert "division by zero" in log
    assert "SELECT" not in log


def test_a_long_path_gets_a_short_socket(home: Path) -> None:
    deep = home / ("a" * 60) / ("b" * 60)
    server = EmbeddedServer(deep / "postgres")
    assert len(str(server.socket_directory / location.SOCKET_NAME)) <= location.LONGEST_SOCKET_PATH
    try:
        assert run(ASK, deep).stdout.startswith("20")
    finally:
        server.stop()
        shutil.rmtree(server.socket_directory)


def test_a_socket_folder_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(Exception, match="link"):
        location.make_private(tmp_path / "link", None)


def test_system_checks_and_the_api_schema_need_no_server(home: Path) -> None:
    assert run(["manage.py", "check"], home).returncode == 0
    assert run(["manage.py", "spectacular", "--file", os.devnull], home).returncode == 0
    assert not (home / "postgres").exists()


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@root_only
def test_below_a_private_home_roots_server_runs_from_copied_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    private = tmp_path / "private"
    package = binaries.installation()
    for folder in package.parent.glob(f"{package.name}*"):
        shutil.copytree(folder, private / folder.name, symlinks=True)
    private.chmod(0o700)
    account = location.server_account()
    assert account is not None
    monkeypatch.setattr(binaries, "installation", lambda: private / package.name)
    monkeypatch.setattr(binaries, "SYSTEM_HOME", home / "system")
    programs = binaries.programs_for(account)
    assert programs.is_relative_to(home / "system")
    assert all(binaries.can_run(programs / name, account) for name in binaries.PROGRAMS)
    shutil.rmtree(private)
    assert binaries.can_run(programs / "initdb", account)


@root_only
def test_an_ordinary_user_runs_the_server_himself_in_his_checkout(home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    if not can_use_python(nobody.pw_uid):
        pytest.skip("Python lives where an ordinary user cannot reach it")
    own = home / "own"
    own.mkdir(mode=0o700)
    os.chown(own, nobody.pw_uid, nobody.pw_gid)
    identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    done = subprocess.run(
        [sys.executable, *ASK], cwd=BASE_DIR, env=environment(own), capture_output=True, text=True, **identity
    )
    assert done.stdout.startswith("20"), done.stderr
    assert (own / "postgres" / "cluster").stat().st_uid == nobody.pw_uid


def can_use_python(uid: int) -> bool:
    try:
        done = subprocess.run([sys.executable, "-c", "import psycopg"], user=uid, extra_groups=[], capture_output=True)
    except OSError:
        return False
    return done.returncode == 0
