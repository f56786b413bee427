"""Several workers on one queue, and workers that are killed: real processes, real commits, a sandbox on a port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection as database

from connectors import services
from connectors.core import registry
from connectors.core.sandbox import Fault, Sandbox
from connectors.core.testing import SandboxServer
from contacts.models import Contact, ContactPoint
from syncjobs import runs
from syncjobs.enqueue import Filters, enqueue_filtered
from syncjobs.models import ContactSync, Run
from tests.engine.conftest import DESTINATIONS, Destination

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CONTACTS = 600
ROOT = Path(settings.BASE_DIR)


@pytest.fixture(params=DESTINATIONS)
def served(request: pytest.FixtureRequest) -> Iterator[Destination]:
    """A destination on a loopback port, reachable for other processes, with its contacts queued."""
    sandbox: Sandbox = registry.sandbox_class(request.param)(enforce_limits=False)  # type: ignore[misc]
    with SandboxServer(sandbox) as server:
        values = sandbox.config(server.url) | {"rps": 0, **_quick(request.param)}
        connection = services.create_connection(request.param, request.param, values)
        made = Contact.objects.bulk_create(
            [Contact(first_name=f"Ann {i}", last_name="Bell", email=f"ann{i}@example.com") for i in range(CONTACTS)]
        )
        ContactPoint.objects.bulk_create(
            [ContactPoint(contact=c, kind="email", value=c.email, raw=c.email, is_primary=True) for c in made]
        )
        assert enqueue_filtered(connection, Filters()) == CONTACTS
        yield Destination(connection, sandbox)


def _quick(slug: str) -> dict[str, Any]:
    """Polls at once where the system has jobs to wait for."""
    names = {f.name for f in registry.get(slug).spec.config}
    return {"import_poll_seconds": [0.1]} if "import_poll_seconds" in names else {}


def database_url() -> str:
    """The test database's address, for another process."""
    params = database.get_connection_params()
    login = ":".join(quote(str(params[name]), safe="") for name in ("user", "password") if params.get(name))
    query = "&".join(f"{name}={quote(str(params[name]), safe='')}" for name in ("host", "port") if params.get(name))
    return f"postgres://{login}@/{params['dbname']}?{query}"


def environment_of_processes() -> dict[str, str]:
    """Other processes share the test's database and may call loopback addresses."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "crmsync.test_settings",
        "TEST_DATABASE_URL": database_url(),
        "ALLOW_PRIVATE_HOSTS": "127.0.0.1",
    }


def start_push(destination: Destination) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "push", destination.connection.key, "--json"],
        cwd=ROOT,
        env=environment_of_processes(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_until(condition: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def finish(destination: Destination) -> None:
    for _ in range(5):
        process = start_push(destination)
        process.wait(60)
        destination.let_time_pass()
        if not ContactSync.objects.exclude(sync_status="Complete").exists():
            return


def everything_arrived_once(destination: Destination) -> None:
    assert destination.emails() == sorted(f"ann{i}@example.com" for i in range(CONTACTS))
    assert ContactSync.objects.filter(sync_status="Complete").exclude(external_id="").count() == CONTACTS


def test_two_workers_share_a_queue(served: Destination) -> None:
    workers = [start_push(served), start_push(served)]
    assert [w.wait(60) for w in workers] == [0, 0]

    everything_arrived_once(served)
    assert sum(Run.objects.values_list("created", flat=True)) == CONTACTS
    assert not ContactSync.objects.exclude(retry_count=0).exists()


@pytest.mark.parametrize("moment", ["claimed", "answered", "stored"])
def test_a_worker_killed_at_any_moment_loses_and_doubles_nothing(served: Destination, moment: str) -> None:
    if moment == "claimed":  # it hangs before anything is carried out
        served.sandbox.faults.append(Fault("slow", method="POST", path=served.sandbox.creates, times=50, seconds=1.0))
    process = start_push(served)
    if moment == "claimed":
        wait_until(lambda: ContactSync.objects.filter(sync_status="Processing").exists())
    elif moment == "answered":
        wait_until(lambda: len(served.people()) > 0)
    else:
        wait_until(lambda: ContactSync.objects.filter(sync_status="Complete").exists() or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    served.sandbox.faults.clear()

    finish(served)

    everything_arrived_once(served)


def test_a_dead_worker_s_links_are_given_back_at_once(served: Destination) -> None:
    served.sandbox.faults.append(Fault("slow", method="POST", path=served.sandbox.creates, times=50, seconds=5.0))
    process = start_push(served)
    wait_until(lambda: ContactSync.objects.filter(sync_status="Processing").exists())
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    wait_until(lambda: not runs.is_alive(Run.objects.latest("id").pk))

    assert runs.reap() > 0

    assert set(ContactSync.objects.values_list("sync_status", flat=True)) == {"Queued"}
    explained = ContactSync.objects.exclude(processing_error="").first()
    assert explained is not None
    assert explained.error_kind == "unknown"
