"""The worker: it works, a hung cluster is replaced, and it ends when told."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError

from crmsync import heartbeat, supervisor
from crmsync.broker import WORKER_ID_VARIABLE
from crmsync.models import Heartbeat
from crmsync.supervisor import Patience, Supervisor
from tests.platform.processes import run, start, wait_for

QUEUE_TASK = "import django; django.setup(); from django_q.tasks import async_task; async_task('os.mkdir', {path!r})"


def children(pid: int) -> list[int]:
    """Process ids of all descendants, from /proc."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: list[int] = []
    queue = [pid]
    while queue:
        direct = parents.get(queue.pop(), [])
        found += direct
        queue += direct
    return found


def titled(pid: int, word: str) -> list[int]:
    """Descendants whose process title ends in the word."""
    matching = []
    for child in children(pid):
        try:
            title = Path(f"/proc/{child}/cmdline").read_text().rstrip("\x00 ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if title.endswith(word):
            matching.append(child)
    return matching


@pytest.fixture
def worker(home: Path, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    assert run(["manage.py", "setup"], home, WORKERS="2").returncode == 0
    options = ["--probe-every=1", "--silence=12", "--grace=5"]
    process = start(["manage.py", "worker", *options], home, tmp_path / "worker.log", WORKERS="2")
    yield process
    process.terminate()
    process.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_cluster_whose_idle_workers_were_killed_works_again(
    worker: "subprocess.Popen[bytes]", home: Path, tmp_path: Path
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    run(["-c", QUEUE_TASK.format(path=str(before))], home)
    wait_for(before.exists, 30, "the first task")
    wait_for(lambda: len(titled(worker.pid, "idle")) == 2, 10, "two idle workers")
    for pid in titled(worker.pid, "idle"):
        os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    run(["-c", QUEUE_TASK.format(path=str(after))], home)
    wait_for(after.exists, 60, "the task after the workers were killed")
    assert worker.poll() is None
    told = time.monotonic()
    worker.terminate()
    assert worker.wait(timeout=20) == 0, (tmp_path / "worker.log").read_text()
    assert time.monotonic() - told < 10


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_killed_supervisor_takes_its_cluster_along(worker: "subprocess.Popen[bytes]", home: Path) -> None:
    wait_for(lambda: len(titled(worker.pid, "idle")) == 2, 30, "two idle workers")
    cluster = children(worker.pid)
    worker.kill()
    worker.wait()
    wait_for(lambda: not any(is_running(pid) for pid in cluster), 20, "the end of the cluster")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Script:
    """Stands in for clusters: each start runs the next command."""

    def __init__(self, *commands: str) -> None:
        self.commands = list(commands)
        self.started: list[subprocess.Popen[bytes]] = []

    def __call__(self, worker_id: str) -> "subprocess.Popen[bytes]":
        command = self.commands[min(len(self.started), len(self.commands) - 1)]
        process = subprocess.Popen(["sh", "-c", command], start_new_session=True)
        self.started.append(process)
        return process


QUICK = Patience(look_every=0.02, probe_every=60, silence=0.3, grace=1, longest_pause=0.01, restarts=2)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor.signal, "signal", lambda *_: None)
    monkeypatch.setattr(Supervisor, "_send_probe", lambda self: None)


@pytest.mark.django_db
def test_it_gives_up_with_an_error_when_replacing_does_not_help(quiet: None) -> None:
    script = Script("sleep 60")
    assert Supervisor(QUICK, script).run() == 1
    assert len(script.started) == 3
    assert all(process.returncode == -signal.SIGKILL for process in script.started)


@pytest.mark.django_db
def test_a_cluster_that_ended_is_replaced_at_once(quiet: None) -> None:
    script = Script("exit 3")
    before = time.monotonic()
    assert Supervisor(QUICK, script).run() == 1
    assert len(script.started) == 3
    assert time.monotonic() - before < 2


@pytest.mark.django_db
def test_signs_of_life_keep_it_and_pay_for_earlier_failures(quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Supervisor(replace(QUICK, probe_every=0.0), Script("sleep 60"))
    watched._failures = 2
    looks = []

    def beat() -> None:
        looks.append(1)
        Heartbeat.beat(watched.worker_id)
        if len(looks) > 40:  # 0.8 seconds, more than twice the silence it would tolerate
            watched._stopping.set()

    monkeypatch.setattr(Supervisor, "_send_probe", lambda self: beat())
    assert watched.run() == 0
    assert watched._failures == 0


@pytest.mark.django_db
def test_without_a_database_nothing_is_held_against_the_cluster(quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script("sleep 60")
    watched = Supervisor(QUICK, script)
    looks = []

    def gone(**_: Any) -> None:
        looks.append(1)
        if len(looks) > 40:
            watched._stopping.set()
        raise DatabaseError("gone")

    monkeypatch.setattr(Heartbeat.objects, "filter", gone)
    monkeypatch.setattr(supervisor.connection, "close", lambda: None)
    assert watched.run() == 0
    assert len(script.started) == 1


@pytest.mark.django_db
def test_a_task_is_a_sign_of_life_at_most_every_five_seconds(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setenv(WORKER_ID_VARIABLE, "host-1")
    monkeypatch.setattr(heartbeat, "_last", None)
    heartbeat.note_task()
    assert Heartbeat.objects.filter(name="host-1").exists()
    with django_assert_num_queries(0):
        heartbeat.note_task()
