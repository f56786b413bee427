"""Three workers on one database, as on three hosts; one is killed in mid-work, with everything it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections as databases
from django.utils import timezone
from django_q.tasks import async_task

from connectors import services
from connectors.core import registry
from connectors.core.sandbox import Fault
from connectors.core.testing import SandboxServer
from contacts.models import Contact, ContactPoint
from crmsync.broker import own_queue
from crmsync.models import Heartbeat
from crmsync.processes import stop
from syncjobs import runs
from syncjobs.enqueue import Filters, enqueue_filtered
from syncjobs.models import ContactSync, Run, RunStatus
from tests.engine.conftest import DESTINATIONS, Destination
from tests.engine.test_processes import ROOT, database_url, wait_until
from tests.platform.test_worker import children

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HOSTS = 3
CONTACTS = 1500
MOST_REFUSED = 5
SLOW, SETTLE = 2.0, 4.0
# Systems with a rate that is evenly spread: the stand-in refuses, and remembers, whatever goes beyond it.
SYSTEMS = [
    slug
    for slug in DESTINATIONS
    if (limits := registry.get(slug).spec.limits) and limits[0].burst == 1 and not limits[0].rolling
][:HOSTS]


@pytest.fixture
def destinations(transactional_db: None) -> Iterator[list[Destination]]:
    """A connection for each host to work on, at a stand-in that keeps its limits, with all contacts queued."""
    people = [Contact(first_name=f"Ann {n}", last_name="Bell", email=f"ann{n}@example.com") for n in range(CONTACTS)]
    made = Contact.objects.bulk_create(people)
    ContactPoint.objects.bulk_create(
        [ContactPoint(contact=c, kind="email", value=c.email, raw=c.email, is_primary=True) for c in made]
    )
    with ExitStack() as servers:
        found = []
        for slug in SYSTEMS:
            sandbox = registry.sandbox_class(slug)(enforce_limits=True)  # type: ignore[misc]
            sandbox.faults.append(Fault("slow", method="POST", path=sandbox.creates, times=1000, seconds=SLOW))
            server = servers.enter_context(SandboxServer(sandbox))
            found.append(Destination(services.create_connection(slug, slug, sandbox.config(server.url)), sandbox))
            assert enqueue_filtered(found[-1].connection, Filters()) == CONTACTS
        yield found


@pytest.fixture
def hosts(destinations: list[Destination], tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A worker with one process each, in sessions of their own."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "crmsync.settings",
        "DATABASE_URL": database_url(),
        "SECRET_KEY": settings.SECRET_KEY,
        "CREDENTIAL_KEYS": settings.CREDENTIAL_KEYS[0],
        "ALLOW_PRIVATE_HOSTS": "127.0.0.1",
        "WORKERS": "1",
        "SYNC_SETTLE_SECONDS": str(SETTLE),
    }
    command = [sys.executable, "manage.py", "worker", "--grace=5"]
    with (tmp_path / "worker.log").open("wb") as log:
        started = [
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
            for _ in range(HOSTS)
        ]
    yield started
    stop(started, 10)
    databases.close_all()


def working() -> set[int]:
    return {pk for pk in Run.objects.filter(status=RunStatus.RUNNING).values_list("pk", flat=True) if runs.is_alive(pk)}


def lose(host: subprocess.Popen[bytes]) -> None:
    """The whole host at once, as a power cut would: no process of it has time for a word."""
    for pid in [host.pid, *children(host.pid)]:
        os.kill(pid, signal.SIGKILL)
    host.wait()


def let_minutes_pass(dead: set[int]) -> None:
    """A run that nobody holds is waited for a minute, and a connection's next one comes after its interval."""
    ago = timezone.now() - timedelta(minutes=30)
    Run.objects.filter(pk__in=dead).update(heartbeat_at=ago, started_at=ago)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_lost_host_s_work_is_done_once_by_the_others(
    destinations: list[Destination], hosts: list[subprocess.Popen[bytes]]
) -> None:
    wait_until(lambda: Heartbeat.objects.count() == HOSTS, 60)
    # One for each, by the queue that only it reads: from the common one, the quickest might take two.
    for destination, name in zip(destinations, Heartbeat.objects.values_list("name", flat=True), strict=True):
        async_task("syncjobs.tasks.push_now", destination.connection.pk, cluster=own_queue(name), sync=False)
    claimed = ContactSync.objects.filter(sync_status="Processing").order_by().values("connection").distinct()
    wait_until(lambda: len(working()) == HOSTS and claimed.count() == HOSTS)
    before = working()

    lose(hosts[0])

    dead: set[int] = set()
    wait_until(lambda: bool(dead.update(before - working()) or dead))
    assert ContactSync.objects.filter(run__in=dead, sync_status="Processing").exists()
    for destination in destinations:
        destination.sandbox.faults.clear()
    let_minutes_pass(dead)
    async_task("syncjobs.tasks.tick", sync=False)
    wait_until(lambda: not Run.objects.filter(pk__in=dead, status=RunStatus.RUNNING).exists())
    # What was on its way when the host was lost has arrived by now: the next tick finds its links due.
    time.sleep(SETTLE)
    async_task("syncjobs.tasks.tick", sync=False)
    wait_until(lambda: not ContactSync.objects.exclude(sync_status="Complete").exists(), 60)

    expected = sorted(f"ann{n}@example.com" for n in range(CONTACTS))
    for destination in destinations:
        assert destination.emails() == expected
        # What was slowed down is counted there together with later requests: a few may be refused, and are sent again.
        refused = [seen for seen in destination.sandbox.seen if seen.status == 429]
        assert len(refused) <= MOST_REFUSED
    assert ContactSync.objects.exclude(external_id="").count() == HOSTS * CONTACTS
    assert all(host.poll() is None for host in hosts[1:])
