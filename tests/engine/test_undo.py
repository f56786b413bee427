"""Runs taken back: the values from before return, unless somebody has changed them since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from contacts import services as contacts
from contacts.models import Contact
from syncjobs.errors import Refused
from syncjobs.models import ContactSync, Run, RunItem, RunStatus
from syncjobs.pull import pull
from syncjobs.undo import begin, undo
from tests.engine.conftest import Destination
from tests.engine.remote import Remote
from tests.engine.test_commands import said

pytestmark = pytest.mark.django_db
MakeContacts = Callable[..., list[Contact]]


def back(run: Run, *, dry_run: bool = False) -> Run:
    made = undo(run, begin(run, trigger="test", dry_run=dry_run))
    made.refresh_from_db()
    return made


def rename(contact: Contact, name: str) -> None:
    contacts.edit(contact.pk, lambda record: replace(record, first_name=name), source="test")


def names(remote: Remote) -> dict[str, Any]:
    """First names at the other end by remote id."""
    ids = ContactSync.objects.exclude(external_id="").values_list("external_id", flat=True)
    return {number: remote.get(number).values[remote.theirs["first_name"]] for number in ids}


def test_a_push_is_taken_back_where_nobody_has_changed_anything_since(
    destination: Destination, make_contacts: MakeContacts
) -> None:
    made = make_contacts(3)
    destination.queue_all()
    destination.settle()
    for number, contact in enumerate(made):
        rename(contact, f"New {number}")
    destination.queue_all()
    run = destination.push()
    assert run.updated == 3
    remote = Remote(destination)
    link = destination.link(made[1])
    remote.edit(link.external_id, made[1].email or "", first_name="Theirs")
    planned = back(run, dry_run=True)
    assert (planned.updated, planned.skipped) == (2, 1)
    assert sorted(names(remote).values()) == ["New 0", "New 2", "Theirs"]
    done = back(run)
    assert (done.updated, done.skipped, done.failed) == (2, 1, 0)
    assert sorted(names(remote).values()) == ["Ann 0", "Ann 2", "Theirs"]
    skipped = RunItem.objects.get(run=done, action=RunItem.Action.SKIP)
    assert (skipped.contact_id, skipped.message) == (made[1].pk, "It has changed since; it was left as it is.")
    again = back(done)
    assert again.updated == 2
    assert sorted(names(remote).values()) == ["New 0", "New 2", "Theirs"]


def test_records_that_a_push_made_are_deleted_or_named(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(2)
    destination.queue_all()
    run = destination.settle()
    assert run.created == 2
    done = back(run)
    deletes = destination.connection.spec.entities["contacts"].delete
    assert (done.deleted, done.skipped) == ((2, 0) if deletes else (0, 2))
    assert len(destination.people()) == (0 if deletes else 2)
    assert ContactSync.objects.count() == (0 if deletes else 2)


def test_a_pull_is_taken_back(destination: Destination) -> None:
    remote = Remote(destination)
    first = remote.create("ann@example.com", first_name="Ann", last_name="Bell")
    pull(destination.connection, trigger="test")
    remote.edit(first, "ann@example.com", first_name="Anne", last_name="Reed")
    remote.create("bob@example.com", first_name="Bob")
    run = pull(destination.connection, trigger="test", full=True)
    ann = Contact.objects.get(email="ann@example.com")
    assert ann.first_name == "Anne"
    done = back(run)
    ann.refresh_from_db()
    assert (ann.first_name, ann.last_name) == ("Ann", "Bell")
    assert not Contact.objects.alive().filter(email="bob@example.com").exists()
    assert (done.updated, done.deleted, done.skipped) == (1, 1, 0)
    repeated = back(run)
    assert (repeated.updated, repeated.deleted, repeated.skipped) == (0, 0, 2)


def test_where_nothing_can_be_read_nothing_is_taken_back(destination: Destination, make_contacts: MakeContacts) -> None:
    if destination.connection.spec.entities["contacts"].read:
        pytest.skip("can be read")
    make_contacts(2)
    destination.queue_all()
    done = back(destination.push())
    assert (done.skipped, done.updated, done.deleted) == (2, 0, 0)
    assert all(
        "cannot be read" in message for message in RunItem.objects.filter(run=done).values_list("message", flat=True)
    )


def test_what_cannot_be_undone_is_refused(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(1)
    destination.queue_all()
    run = destination.push(limit=0)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING)
    run.refresh_from_db()
    with pytest.raises(Refused) as running:
        begin(run, trigger="test")
    assert running.value.status_code == 409
    Run.objects.filter(pk=run.pk).update(status=RunStatus.DONE, dry_run=True)
    run.refresh_from_db()
    with pytest.raises(Refused, match="dry run"):
        begin(run, trigger="test")


def test_the_command(destination: Destination, make_contacts: MakeContacts) -> None:
    (contact,) = make_contacts(1)
    destination.queue_all()
    destination.settle()
    rename(contact, "New")
    destination.queue_all()
    run = destination.push()
    assert said("undo", str(run.pk), "--dry-run")[1] == 0
    assert "New" in names(Remote(destination)).values()
    text, code = said("undo", str(run.pk))
    assert (code, "1 updated" in text) == (0, True)
    assert "Ann 0" in names(Remote(destination)).values()
    assert said("undo", "999999") == ("There is no run 999999.", 2)
