"""Mirrors that are killed, meet each other, or share a portal's bucket: real processes, a sandbox on a port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection as database

from connectors import services
from connectors.bitrix24.sandbox import BitrixSandbox
from connectors.core.sandbox import Fault
from connectors.core.testing import SandboxServer
from syncjobs import runs
from syncjobs.errors import Refused
from syncjobs.mirror import schedule
from syncjobs.models import Cursor, Run
from tests.engine.test_processes import ROOT, environment_of_processes, wait_until
from tests.mirror.conftest import Mirrored

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PEOPLE = 8000
BATCHES = r"/batch\.json$"
MIRRORS = """
import sys
import django
django.setup()
from connectors.models import Connection
from syncjobs.mirror import schedule
from syncjobs.mirror.runs import mirror
entity = schedule.entity(Connection.objects.get(), sys.argv[1])
for _ in range(11):
    assert mirror(entity, trigger="test").status == "done"
"""


def serve(sandbox: BitrixSandbox, server: SandboxServer, **config: Any) -> Mirrored:
    values = sandbox.config(server.url) | config
    return Mirrored(services.create_connection("bitrix24", "bitrix24", values), sandbox)


@pytest.fixture
def served(drop_tables: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrored]:
    monkeypatch.setattr(settings, "ALLOW_PRIVATE_HOSTS", ["127.0.0.1"])
    sandbox = BitrixSandbox(enforce_limits=False, people=PEOPLE)
    with SandboxServer(sandbox) as server:
        yield serve(sandbox, server, rps=0)


def start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment_of_processes(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def stored() -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('bitrix24.contact') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute("SELECT count(*) FROM bitrix24.contact")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("answered", [0, 1, 3])
def test_a_mirror_killed_at_any_moment_goes_on_from_its_page(served: Mirrored, answered: int) -> None:
    """Before anything was answered, with the first answer in, and in the middle of the ranges."""
    served.sandbox.faults.append(Fault("slow", path=BATCHES, skip=answered, times=99, seconds=1.0))
    process = start("manage.py", "mirror", "bitrix24", "contact", "--json")
    wait_until(lambda: Run.objects.exists() if not answered else stored() or process.poll() is not None)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    served.sandbox.faults.clear()
    wait_until(lambda: not runs.is_alive(Run.objects.latest("id").pk))
    before, requests = stored(), len(served.sandbox.seen)
    assert before < PEOPLE
    assert (before > 0) is bool(answered)
    assert Cursor.objects.filter(position__isnull=False).exists() is bool(answered)
    served.sandbox.person_updates("7999", NAME="Changed meanwhile")

    run = served.run()

    assert (run.status, run.mode, run.created) == ("done", "full", PEOPLE - before), run.message
    # The pages that were stored are not asked for again: a request for the fields, and one for every 2,500 records.
    assert len(served.sandbox.seen) - requests <= 2 + (PEOPLE - before) // 2500 + 3
    assert served.differences() == {}
    again = served.run(full=True)
    assert (again.created, again.updated, again.unchanged) == (0, 0, PEOPLE)


def test_two_processes_never_mirror_one_entity_at_once(served: Mirrored) -> None:
    served.sandbox.faults.append(Fault("slow", path=BATCHES, times=2, seconds=2.0))
    both = [start("manage.py", "mirror", "bitrix24", "contact", "--json") for _ in range(2)]
    wait_until(lambda: Run.objects.filter(status="running").exists())
    with pytest.raises(Refused) as refused:
        schedule.start(served.entity(), full=True, trigger="test")
    assert (refused.value.code, refused.value.status_code) == ("already_running", 409)
    assert sorted(process.wait(30) for process in both) == [0, 2]
    assert Run.objects.get().created == PEOPLE
    assert served.differences() == {}


def test_two_processes_share_the_portals_bucket(drop_tables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """More requests than fit into the bucket at once, from two processes: none is refused."""
    monkeypatch.setattr(settings, "ALLOW_PRIVATE_HOSTS", ["127.0.0.1"])
    sandbox = BitrixSandbox(people=100)
    with SandboxServer(sandbox) as server:
        serve(sandbox, server)
        both = [start("-c", MIRRORS, entity) for entity in ("contact", "deal")]
        assert [process.wait(60) for process in both] == [0, 0]
    assert {seen.status for seen in sandbox.seen} == {200}
    assert len(sandbox.seen) >= 42
    assert 30 <= sandbox.bucket.most <= 50
