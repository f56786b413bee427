"""Pulls that are killed, and a pull and a push against each other: real processes, a sandbox on a port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Sum

from connectors import services
from connectors.core import registry
from connectors.core.sandbox import Fault, Sandbox, WindowLimit
from connectors.core.testing import SandboxServer
from connectors.core.types import CONTACTS, Change, MatchKey, Op
from contacts import services as contacts
from contacts.models import Contact, ContactPoint
from syncjobs import runs
from syncjobs.models import ContactSync, Cursor, Run
from syncjobs.pull import pull
from syncjobs.push import push
from tests.engine.conftest import DESTINATIONS, Destination
from tests.engine.remote import Remote
from tests.engine.test_processes import ROOT, environment_of_processes, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LISTS = r"/(contacts|batch\.json)$"
PAGES = 5
PEOPLE_ASK = """
import django
django.setup()
from connectors import services
from connectors.models import Connection
for _ in range(25):
    services.check_credentials(Connection.objects.get())
"""


@pytest.fixture(params=DESTINATIONS)
def served(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Destination]:
    monkeypatch.setattr(settings, "ALLOW_PRIVATE_HOSTS", ["127.0.0.1"])
    sandbox: Sandbox = registry.sandbox_class(request.param)(enforce_limits=False)  # type: ignore[misc]
    with SandboxServer(sandbox) as server:
        values = sandbox.config(server.url) | {"rps": 0}
        if "import_threshold" in {field.name for field in registry.get(request.param).spec.config}:
            values["import_threshold"] = 10_000
        yield Destination(services.create_connection(request.param, request.param, values), sandbox)


def start(verb: str, destination: Destination) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", verb, destination.connection.key, "--json"],
        cwd=ROOT,
        env=environment_of_processes(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def settled(verb: str, destination: Destination) -> Run:
    """The run of a pull or push that nobody disturbs."""
    work: Any = {"pull": pull, "push": push}[verb]
    run = work(destination.connection, trigger="test")
    run.refresh_from_db()
    assert run.status == "done", run.message
    return run


def write_there(remote: Remote, changes: list[Change]) -> list[str]:
    outcomes = sorted(remote.connector.write(CONTACTS, changes), key=lambda outcome: outcome.ref)
    assert all(outcome.ok for outcome in outcomes)
    return [outcome.external_id or change.external_id for outcome, change in zip(outcomes, changes, strict=True)]


def people_there(remote: Remote, start: int, count: int) -> list[str]:
    """Creates records `start` and following; answers their ids."""
    op = Op.UPSERT if remote.connector.capabilities().upsert_key else Op.CREATE
    changes = []
    for number in range(start, start + count):
        email = f"ann{number}@example.com"
        values = remote.values(email=email, first_name=f"Ann {number}", last_name="Bell")
        changes.append(Change(number, op, values, key=MatchKey("email", email), all_values=values))
    return write_there(remote, changes)


@pytest.mark.parametrize("moment", ["before a page is stored", "between pages"])
def test_a_pull_killed_at_any_moment_goes_on_from_its_page(served: Destination, moment: str) -> None:
    people = PAGES * served.connection.spec.entities[CONTACTS].page_size
    people_there(Remote(served), 0, people)
    served.sandbox.seen.clear()
    first = moment == "before a page is stored"
    # The first page comes and nothing after it is quick: what came is stored while the next is waited for.
    served.sandbox.faults.append(Fault("slow", path=LISTS, skip=0 if first else 1, times=99, seconds=1.0))
    process = start("pull", served)
    wait_until(lambda: Run.objects.exists() if first else Contact.objects.exists() or process.poll() is not None)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    served.sandbox.faults.clear()
    wait_until(lambda: not runs.is_alive(Run.objects.latest("id").pk))
    stored = Contact.objects.count()
    assert stored < people
    assert (stored == 0) is first
    assert ContactSync.objects.count() == stored
    position = Cursor.objects.filter(connection=served.connection, position__isnull=False)
    assert position.exists() is not first

    run = settled("pull", served)

    assert Contact.objects.count() == people
    assert Contact.objects.values("email").distinct().count() == people
    assert ContactSync.objects.exclude(external_id="").count() == people
    assert (run.created, run.updated) == (people - stored, 0)
    assert run.unchanged <= 10  # rows that pages overlap by, never the pages that were stored
    assert Run.objects.aggregate(Sum("created"))["created__sum"] == people
    again = settled("pull", served)
    assert (again.created, again.updated) == (0, 0)


def test_a_pull_and_a_push_against_each_other_lose_nothing(served: Destination) -> None:
    remote = Remote(served)
    known = people_there(remote, 0, 200)
    settled("pull", served)
    by_id = dict(ContactSync.objects.values_list("external_id", "contact_id"))
    for external_id in known[:100]:
        contacts.edit(by_id[external_id], lambda record: replace(record, first_name="Ours"), source="test")
    theirs = [_edit(remote, n, external_id) for n, external_id in enumerate(known)]
    write_there(remote, theirs)
    people_there(remote, 200, 100)
    served.queue_all()

    both = [start("push", served), start("pull", served)]

    assert [process.wait(60) for process in both] == [0, 0]
    for verb in ("pull", "push"):
        settled(verb, served)
    assert Contact.objects.count() == 300
    assert served.emails() == sorted(f"ann{number}@example.com" for number in range(300))
    assert Contact.objects.filter(last_name="Theirs").count() == 200
    assert Contact.objects.filter(first_name="Ours").count() == 100
    held = [remote.get(external_id).values for external_id in (known[0], known[99], known[100], known[199])]
    names = [(values[remote.theirs["first_name"]], values[remote.theirs["last_name"]]) for values in held]
    assert names == [("Ours", "Theirs"), ("Ours", "Theirs"), ("Ann 100", "Theirs"), ("Ann 199", "Theirs")]
    served.queue_all()
    pulled, pushed = settled("pull", served), settled("push", served)
    assert (pulled.created, pulled.updated) == (0, 0)
    assert (pushed.created, pushed.updated, pushed.unchanged) == (0, 0, 300)


def test_a_pull_a_push_and_people_together_stay_below_the_limit(served: Destination) -> None:
    limits = served.connection.spec.limits
    if len(limits) > 1:
        pytest.skip("its limits count different requests")
    people_there(Remote(served), 0, 1000)
    made = Contact.objects.bulk_create([Contact(first_name="Ann", email=f"new{n}@example.com") for n in range(60)])
    ContactPoint.objects.bulk_create(
        [ContactPoint(contact=c, kind="email", value=c.email, raw=c.email, is_primary=True) for c in made]
    )
    served.queue_all()
    services.set_values(served.connection, {"rps": None})
    served.connection.save()
    served.sandbox.seen.clear()

    # In processes of their own: the stand-in, which tells the time of each request, is left in peace.
    people = subprocess.Popen([sys.executable, "-c", PEOPLE_ASK], cwd=ROOT, env=environment_of_processes())
    both = [start("push", served), start("pull", served)]

    assert [process.wait(60) for process in (*both, people)] == [0, 0, 0]
    # A tenth for what a busy machine adds between a request's leaving and its being counted.
    window = WindowLimit(int(limits[0].requests), 0.9 * limits[0].seconds)
    assert len(served.sandbox.seen) > 30
    assert [seen for seen in served.sandbox.seen if window.take(seen.at) > 0] == []
    assert Contact.objects.count() == 1060
    assert len(served.people()) == 1060


def _edit(remote: Remote, number: int, external_id: str) -> Change:
    values: dict[str, Any] = remote.values(last_name="Theirs")
    email = f"ann{number}@example.com"
    every = {**remote.values(email=email), **values}
    key = MatchKey("email", email)
    return Change(number, Op.UPDATE, values, external_id=external_id, key=key, all_values=every)
