"""Pulling into the hub, from every system that can be read and written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors.core.sandbox import Fault
from connectors.models import FieldRule
from contacts import services as contacts
from contacts.models import Contact
from contacts.records import ContactRecord, Point
from syncjobs.enqueue import enqueue_ids
from syncjobs.models import ContactSync, Cursor, ReviewItem, Run, RunItem, SyncSnapshot
from syncjobs.pull import pull, pull_ids
from syncjobs.pulling.intake import Intake
from syncjobs.push import push
from tests.engine.conftest import Destination
from tests.engine.remote import Remote

pytestmark = pytest.mark.django_db


@pytest.fixture
def remote(destination: Destination) -> Remote:
    if not destination.connection.spec.entities["contacts"].read:
        pytest.skip("cannot be read")
    return Remote(destination)


def pulled(remote: Remote, **options: Any) -> Run:
    run = pull(remote.destination.connection, trigger="test", **options)
    run.refresh_from_db()
    assert run.message == "" or run.status == "stopped", run.message
    return run


def counts(run: Run) -> tuple[int, int, int]:
    return run.created, run.updated, run.unchanged


def link_of(contact: Contact) -> ContactSync:
    return ContactSync.objects.get(contact=contact)


def test_everything_comes_in_once(remote: Remote) -> None:
    ids = [remote.create(f"ann{i}@example.com", first_name=f"Ann {i}") for i in range(5)]
    first = pulled(remote)
    assert (counts(first), first.status) == ((5, 0, 0), "done")
    assert sorted(Contact.objects.values_list("first_name", flat=True)) == [f"Ann {i}" for i in range(5)]
    assert sorted(ContactSync.objects.values_list("external_id", flat=True)) == sorted(ids)
    assert set(ContactSync.objects.values_list("sync_status", flat=True)) == {"Complete"}
    before = list(Contact.objects.values()), list(ContactSync.objects.values()), list(SyncSnapshot.objects.values())
    again = pulled(remote, full=True)
    assert counts(again) == (0, 0, 5)
    assert before == (
        list(Contact.objects.values()),
        list(ContactSync.objects.values()),
        list(SyncSnapshot.objects.values()),
    )


def test_only_what_changed_is_asked_for_afterwards(remote: Remote) -> None:
    ids = {i: remote.create(f"ann{i}@example.com", first_name=f"Ann {i}") for i in range(3)}
    pulled(remote)
    remote.edit(ids[1], "ann1@example.com", first_name="Anna")
    run = pulled(remote)
    assert (run.created, run.updated) == (0, 1)
    contact = Contact.objects.get(email="ann1@example.com")
    assert (contact.first_name, contact.version) == ("Anna", 2)
    item = RunItem.objects.get(run=run)
    assert item.changes == {"first_name": ["Ann 1", "Anna"]}
    assert contact.provenance["first_name"]["by"] == remote.destination.connection.key


def test_a_record_meets_the_contact_that_is_there(remote: Remote) -> None:
    mine = contacts.create(
        ContactRecord(first_name="Ann", company="Acorn", emails=(Point("ann@example.com", primary=True),)),
        source="test",
    )
    remote.create("ann@example.com", first_name="Ann", last_name="Bell")
    run = pulled(remote)
    assert counts(run) == (0, 1, 0)
    contact = Contact.objects.get()
    assert (contact.pk, contact.last_name, contact.company) == (mine.id, "Bell", "Acorn")
    assert link_of(contact).sync_status == "Complete"


def test_our_own_writes_come_back_as_echoes(remote: Remote) -> None:
    contacts.create(
        ContactRecord(
            first_name="Ann",
            last_name="Bell",
            emails=(Point("ann@example.com", primary=True),),
            phones=(Point("+79161234567", primary=True),),
        ),
        source="test",
    )
    remote.destination.queue_all()
    remote.destination.settle()
    version = Contact.objects.get().version
    run = pulled(remote)
    assert counts(run) == (0, 0, 1)
    assert Contact.objects.get().version == version
    before = list(remote.destination.people())
    remote.destination.queue_all()
    assert remote.destination.push().unchanged == 1
    assert remote.destination.people() == before


def test_edits_of_different_fields_both_survive(remote: Remote) -> None:
    external_id = remote.create("ann@example.com", first_name="Ann", last_name="Bell")
    pulled(remote)
    contact = Contact.objects.get()
    enqueue_ids(remote.destination.connection, [contact.pk])
    remote.destination.settle()
    remote.edit(external_id, "ann@example.com", first_name="Anna")
    contacts.edit(contact.pk, lambda r: ContactRecord(**{**_fields(r), "last_name": "Bellamy"}), source="admin")
    pulled(remote)
    contact.refresh_from_db()
    assert (contact.first_name, contact.last_name) == ("Anna", "Bellamy")
    remote.destination.settle()
    held = remote.get(external_id).values
    assert (held[remote.theirs["first_name"]], held[remote.theirs["last_name"]]) == ("Anna", "Bellamy")
    assert counts(pulled(remote)) in ((0, 0, 0), (0, 0, 1))
    assert remote.destination.push().updated == 0


def test_a_persons_return_to_an_older_value_is_no_echo(remote: Remote) -> None:
    external_id = remote.create("ann@example.com", first_name="Ann")
    pulled(remote)
    contact = Contact.objects.get()
    contacts.edit(contact.pk, lambda r: ContactRecord(**{**_fields(r), "first_name": "Anna"}), source="admin")
    enqueue_ids(remote.destination.connection, [contact.pk])
    remote.destination.settle()
    assert remote.get(external_id).values[remote.theirs["first_name"]] == "Anna"
    remote.edit(external_id, "ann@example.com", first_name="Ann")
    pulled(remote)
    contact.refresh_from_db()
    assert contact.first_name == "Ann"


def test_a_pull_alone_writes_nothing_there(remote: Remote) -> None:
    contacts.create(
        ContactRecord(first_name="Ann", last_name="Known", emails=(Point("ann@example.com", primary=True),)),
        source="test",
    )
    remote.create("ann@example.com", first_name="Ann")
    before = list(remote.destination.people())
    pulled(remote)
    run = remote.destination.push()
    assert (run.total, run.requests <= 2) == (0, True)
    assert remote.destination.people() == before


def test_directions_and_modes_of_rules(remote: Remote) -> None:
    rules = remote.destination.connection.rules
    rules.filter(ours="first_name").update(direction=FieldRule.Direction.PUSH)
    rules.filter(ours="last_name").update(mode=FieldRule.Mode.IF_EMPTY)
    external_id = remote.create("ann@example.com", first_name="Ann", last_name="Bell")
    pulled(remote)
    contact = Contact.objects.get()
    assert (contact.first_name, contact.last_name) == ("", "Bell")
    remote.edit(external_id, "ann@example.com", last_name="Other")
    pulled(remote)
    contact.refresh_from_db()
    assert contact.last_name == "Bell"


def test_a_broken_page_changes_nothing_and_the_pull_goes_on_later(remote: Remote) -> None:
    remote.create("ann@example.com", first_name="Ann")
    pulled(remote)
    remote.create("bob@example.com", first_name="Bob")
    for kind in ("html", "half", "refuse"):
        fault = Fault(kind, times=1000)
        remote.destination.sandbox.faults.append(fault)
        run = pull(remote.destination.connection, trigger="test", full=True)
        assert run.status == "stopped"
        assert Contact.objects.get().first_name == "Ann"
        assert not ContactSync.objects.filter(gone_at__isnull=False).exists()
        remote.destination.sandbox.faults.clear()
    assert pulled(remote).created == 1


def test_a_value_that_cannot_be_used_is_told_and_costs_only_itself(remote: Remote) -> None:
    rule = remote.destination.connection.rules.get(ours="first_name")
    FieldRule.objects.create(connection=remote.destination.connection, ours="birth_date", theirs=rule.theirs)
    remote.create("ann@example.com", first_name="Ann")
    remote.create("bob@example.com", first_name="1990-04-12")
    run = pull(remote.destination.connection, trigger="test")
    assert (run.created, run.status) == (2, "done")
    assert Contact.objects.get(email="bob@example.com").birth_date.isoformat() == "1990-04-12"
    told = RunItem.objects.get(run=run, contact_id=Contact.objects.get(email="ann@example.com").pk)
    assert "not a date" in told.message


def test_a_contact_deleted_from_the_hub_does_not_come_back(remote: Remote) -> None:
    remote.create("ann@example.com", first_name="Ann")
    pulled(remote)
    contacts.delete(Contact.objects.get().pk, source="admin")
    run = pulled(remote, full=True)
    assert (run.created, run.skipped) == (0, 1)
    assert not Contact.objects.alive().exists()


def test_ids_are_read_for_webhooks(remote: Remote) -> None:
    ids = [remote.create(f"ann{i}@example.com", first_name=f"Ann {i}") for i in range(3)]
    run = pull_ids(remote.destination.connection, [ids[0], ids[0], ids[2]], trigger="webhook")
    run.refresh_from_db()
    assert (run.created, run.status) == (2, "done")


def test_statements_do_not_grow_with_the_number_of_records(remote: Remote) -> None:
    def statements(start: int, count: int) -> int:
        for i in range(start, start + count):
            remote.create(f"person{i}@example.com", first_name=f"P {i}", last_name="Bell")
        with CaptureQueriesContext(
            database,
        ) as captured:
            pulled(remote, full=True)
        return len(captured)

    statements(0, 1)
    few = statements(10, 2)
    many = statements(100, 40)
    assert many <= few


def test_ambiguous_records_become_one_question(remote: Remote) -> None:
    for name in ("One", "Two"):
        contacts.create(
            ContactRecord(first_name=name, emails=(Point("shared@example.com", primary=True),)), source="test"
        )
    remote.create("shared@example.com", first_name="Ann")
    run = pulled(remote)
    assert (run.conflicts, run.created, ContactSync.objects.count()) == (1, 0, 0)
    pulled(remote, full=True)
    question = ReviewItem.objects.get()
    assert (question.kind, len(question.candidates)) == ("ambiguous", 2)


def test_the_cursor_moves_only_with_its_records(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    remote.create("ann@example.com", first_name="Ann")

    def fail(*_: Any) -> bool:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("syncjobs.pulling.store.count", fail)
        run = pull(remote.destination.connection, trigger="test")
    assert run.status == "stopped"
    cursor = Cursor.objects.get()
    assert (cursor.position, cursor.full_at) == (None, None)
    assert not Contact.objects.exists()
    assert pulled(remote).created == 1


def _fields(record: ContactRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in ContactRecord.__dataclass_fields__}


@pytest.mark.django_db(transaction=True)
def test_what_a_push_writes_while_it_is_read_is_looked_at_again(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = remote.destination.connection
    external_id = remote.create("ann@example.com", first_name="Ann", last_name="Bell")
    pulled(remote)
    contact = Contact.objects.get()
    contacts.edit(contact.pk, lambda record: replace(record, first_name="Ours"), source="test")
    remote.edit(external_id, "ann@example.com", last_name="Theirs")
    remote.destination.queue_all()
    take, pushes = Intake.take, iter([True])

    def overtaken(*arguments: Any) -> Any:
        if next(pushes, False):
            push(connection, trigger="test")
        return take(*arguments)

    monkeypatch.setattr(Intake, "take", overtaken)
    run = pulled(remote)

    assert counts(run) == (0, 1, 0)
    contact.refresh_from_db()
    assert (contact.first_name, contact.last_name) == ("Ours", "Theirs")
    again = pulled(remote)
    assert (again.created, again.updated) == (0, 0)
