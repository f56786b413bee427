"""Pushing: what is created, what is left alone, and what every fault of a remote system leads to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors.core.types import CONTACTS
from connectors.models import ConnectionState
from contacts import services as contacts
from contacts.models import Contact
from syncjobs import queue, runs
from syncjobs.models import ContactSync, RunItem, RunKind, RunStatus, SyncSnapshot
from syncjobs.outcomes import BACKOFF_BASE_SECONDS
from syncjobs.plan import NO_EMAIL
from tests.engine.conftest import Destination

MakeContacts = Callable[..., list[Contact]]


def edit(contact: Contact, **values: str) -> None:
    from dataclasses import replace

    contacts.edit(contact.pk, lambda record: replace(record, **values), source="test")


def test_a_first_push_creates_everybody(destination: Destination, make_contacts: MakeContacts) -> None:
    made = make_contacts(250)
    assert destination.queue_all() == 250

    run = destination.push()

    assert (run.status, run.created, run.failed) == (RunStatus.DONE, 250, 0)
    assert destination.emails() == sorted(str(c.email) for c in made)
    links = ContactSync.objects.filter(sync_status="Complete", processing_status="Complete", due_at=None)
    assert links.count() == 250
    assert not links.filter(external_id="").exists()
    assert not links.filter(synced_at=None).exists()
    assert RunItem.objects.filter(run=run, action="create").count() == 250
    assert SyncSnapshot.objects.count() == 250
    assert destination.connection.state == ConnectionState.OK


def test_a_second_push_of_the_same_writes_nothing(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(120)
    destination.queue_all()
    destination.push()
    before = destination.people()
    destination.sandbox.seen.clear()
    destination.queue_all()

    run = destination.push()

    assert (run.unchanged, run.created, run.updated) == (120, 0, 0)
    assert [s for s in destination.sandbox.seen if s.method != "GET" and "/properties" not in s.path] == []
    assert destination.people() == before


def test_only_the_changed_contact_and_field_are_sent(destination: Destination, make_contacts: MakeContacts) -> None:
    made = make_contacts(30)
    destination.queue_all()
    destination.push()

    edit(made[7], first_name="Новое имя")  # finished links follow changes by themselves
    run = destination.push()

    assert (run.updated, run.unchanged) == (1, 0)
    item = RunItem.objects.get(run=run)
    assert item.contact_id == made[7].pk
    assert len(item.fields) == 1
    assert any("Новое имя" in map(str, person.values()) for person in destination.people())


def test_a_cleared_field_is_cleared_there_too(destination: Destination, make_contacts: MakeContacts) -> None:
    (contact,) = make_contacts(1, last_name="Distinctive")
    destination.queue_all()
    destination.push()
    assert any("Distinctive" in map(str, p.values()) for p in destination.people())

    edit(contact, last_name="")
    destination.push()

    assert not any("Distinctive" in map(str, p.values()) for p in destination.people())


def test_a_lost_answer_makes_no_duplicate(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(40)
    destination.queue_all()
    destination.break_writes("drop", times=10)

    destination.settle()

    assert len(destination.people()) == 40
    assert ContactSync.objects.filter(sync_status="Complete").count() == 40


@pytest.mark.parametrize("kind", ["html", "half", "refuse"])
def test_answers_that_are_none_lose_nothing(destination: Destination, make_contacts: MakeContacts, kind: str) -> None:
    make_contacts(40)
    destination.queue_all()
    # Where a create may not be repeated blindly, every lost one is an attempt of the engine's.
    destination.break_writes(kind, times=6 if destination.connection.spec.entities[CONTACTS].upsert_key else 3)

    destination.settle()

    assert len(destination.people()) == 40
    assert ContactSync.objects.filter(sync_status="Complete").count() == 40


def test_a_server_error_is_explained_and_tried_again(destination: Destination, make_contacts: MakeContacts) -> None:
    (contact,) = make_contacts(1)
    destination.queue_all()
    destination.break_writes("status", status=503, times=100)

    run = destination.push()

    link = destination.link(contact)
    assert (run.status, run.failed) == (RunStatus.FAILED, 1)
    assert (link.sync_status, link.processing_status, link.retry_count) == ("Error", "Error", 1)
    assert "503" in link.processing_error
    assert link.next_retry_at is not None
    assert link.last_retry_at is not None
    assert timezone.now() < link.next_retry_at <= timezone.now() + timedelta(seconds=BACKOFF_BASE_SECONDS)

    destination.sandbox.faults.clear()
    destination.settle()
    link.refresh_from_db()
    assert (link.sync_status, link.retry_count, link.processing_error) == ("Complete", 0, "")


def test_attempts_end(destination: Destination, make_contacts: MakeContacts, settings: object) -> None:
    settings.SYNC_MAX_ATTEMPTS = 3  # type: ignore[attr-defined]
    (contact,) = make_contacts(1)
    destination.queue_all()
    destination.break_writes("status", status=500, times=1000)

    destination.settle(tries=8)

    link = destination.link(contact)
    assert (link.sync_status, link.retry_count, link.due_at, link.next_retry_at) == ("Error", 3, None, None)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "2"}])
def test_too_many_requests_spend_no_attempt(
    destination: Destination, make_contacts: MakeContacts, headers: dict[str, str]
) -> None:
    make_contacts(20)
    destination.queue_all()
    destination.break_writes("status", status=429, headers=headers, times=3)

    run = destination.push()

    assert (run.created, run.failed) == (20, 0)
    assert run.rate_limit_hits == 3
    assert not ContactSync.objects.exclude(retry_count=0).exists()


def test_refused_credentials_park_the_connection(destination: Destination, make_contacts: MakeContacts) -> None:
    made = make_contacts(30)
    destination.queue_all()
    destination.break_writes("status", status=401, body={"message": "Key not found", "code": "unauthorized"}, times=99)

    run = destination.push()

    assert run.status == RunStatus.STOPPED
    assert run.message
    assert destination.connection.state == ConnectionState.NEEDS_ATTENTION
    assert destination.connection.state_message
    links = ContactSync.objects.all()
    assert set(links.values_list("sync_status", "retry_count")) == {("Queued", 0)}
    assert destination.link(made[0]).processing_error

    destination.sandbox.faults.clear()
    run = destination.settle()
    assert run.created == 30
    assert destination.connection.state == ConnectionState.OK


def test_one_bad_address_costs_only_itself(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(99)
    (bad,) = make_contacts(1, email="broken@nodomain")
    destination.queue_all()

    run = destination.settle()

    assert ContactSync.objects.filter(sync_status="Complete").count() == 99
    link = destination.link(bad)
    assert (link.sync_status, link.next_retry_at, link.due_at) == ("Error", None, None)
    assert link.processing_error
    assert "broken" not in link.processing_error
    assert run.failed == 1


def test_two_contacts_with_one_address(destination: Destination, make_contacts: MakeContacts) -> None:
    first, second = make_contacts(2, email="shared@example.com")
    make_contacts(10)
    destination.queue_all()

    destination.settle()

    if destination.tells_by_our_id:
        assert destination.emails().count("shared@example.com") == 2
        return
    assert destination.emails().count("shared@example.com") == 1
    assert destination.link(first).sync_status == "Complete"
    refused = destination.link(second)
    assert (refused.sync_status, refused.external_id) == ("Error", "")
    assert "same e-mail" in refused.processing_error


def test_a_contact_that_lost_its_address_while_queued(destination: Destination, make_contacts: MakeContacts) -> None:
    (contact,) = make_contacts(1)
    destination.queue_all()
    edit(contact, emails=())

    destination.push()

    link = destination.link(contact)
    if destination.tells_by_our_id:
        assert (link.sync_status, len(destination.people())) == ("Complete", 1)
        return
    assert link.sync_status == "Error"
    assert link.processing_error.startswith(NO_EMAIL)
    assert destination.people() == []


def test_a_contact_deleted_while_queued_is_not_sent(destination: Destination, make_contacts: MakeContacts) -> None:
    (contact,) = make_contacts(1)
    destination.queue_all()
    contacts.delete(contact.pk, source="test")

    destination.push()

    link = destination.link(contact)
    assert (link.sync_status, link.processing_status, link.due_at) == ("Skipped", None, None)
    assert destination.people() == []


def test_a_change_during_the_push_is_pushed_again(
    destination: Destination, make_contacts: MakeContacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    (contact,) = make_contacts(1)
    destination.queue_all()
    handle = destination.sandbox.handle

    def edit_meanwhile(request: object) -> object:
        reply = handle(request)  # type: ignore[arg-type]
        if ContactSync.objects.get().sync_status == "Processing":
            monkeypatch.setattr(destination.sandbox, "handle", handle)
            edit(contact, first_name="Edited meanwhile")
        return reply

    from connectors.core.fanout import fan_out  # noqa: F401 - the edit below runs in the pushing thread

    monkeypatch.setattr("connectors.core.delivery.fan_out", _in_this_thread)
    monkeypatch.setattr(destination.sandbox, "handle", edit_meanwhile)
    destination.push()
    destination.settle()

    assert any("Edited meanwhile" in map(str, p.values()) for p in destination.people())
    assert destination.link(contact).sync_status == "Complete"


def _in_this_thread(work: Callable[[object], object], items: object, in_flight: int) -> object:
    return map(work, items)  # type: ignore[call-overload]


def test_a_limit_leaves_the_rest_queued(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(50)
    destination.queue_all()

    run = destination.push(limit=20)

    assert run.created == 20
    assert ContactSync.objects.filter(sync_status="Queued").count() == 30


def test_a_cancelled_run_stops_and_keeps_the_rest(
    destination: Destination, make_contacts: MakeContacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    from syncjobs import runs

    monkeypatch.setattr("syncjobs.pages.SMALLEST_PAGE", 100)
    monkeypatch.setattr("syncjobs.push.STORE_AFTER_SECONDS", 0.0)
    make_contacts(700)
    destination.queue_all()

    run = destination.push(progress=lambda run, done: runs.request_cancel(run) and None)

    assert run.status == RunStatus.CANCELLED
    assert 0 < run.created <= 700  # a bulk import takes all it was given
    assert ContactSync.objects.filter(sync_status="Queued").count() == 700 - run.created
    assert len(destination.people()) == run.created


def test_an_error_of_our_own_gives_everything_back(
    destination: Destination, make_contacts: MakeContacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_contacts(10)
    destination.queue_all()
    monkeypatch.setattr("syncjobs.pages.PagePlanner.plan", lambda *a: 1 / 0)

    run = destination.push()

    assert run.status == RunStatus.STOPPED
    assert set(ContactSync.objects.values_list("sync_status", flat=True)) == {"Queued"}
    assert destination.people() == []


def test_urgent_links_go_first(destination: Destination, make_contacts: MakeContacts) -> None:
    from syncjobs.services import queue_one

    made = make_contacts(30)
    destination.queue_all()
    queue_one(made[20].pk, destination.connection, high=False)
    ContactSync.objects.filter(contact=made[20]).update(priority=10)

    destination.push(limit=1)

    assert destination.link(made[20]).sync_status == "Complete"


def test_what_a_dead_process_had_sent_is_let_settle(
    destination: Destination, make_contacts: MakeContacts, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it sent last may arrive after a look for it: neither the schedule nor a push by hand goes ahead of that."""
    settings.SYNC_SETTLE_SECONDS = 7.0
    make_contacts(3)
    destination.queue_all()
    dead = runs.start(destination.connection, RunKind.PUSH, trigger="test")
    queue.claim(destination.connection, dead, 2)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        destination.let_time_pass()

    monkeypatch.setattr("syncjobs.push.time.sleep", wait)
    run = destination.push()

    assert (run.created, len(destination.people())) == (3, 3)
    assert waits == [pytest.approx(7.0, abs=1.0)]
    destination.queue_all()
    destination.push()
    assert len(waits) == 1
