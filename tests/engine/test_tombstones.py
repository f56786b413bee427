"""Records deleted at the other end, and numbers written differently."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors import services
from contacts import services as contacts
from contacts.models import Contact
from contacts.records import ContactRecord, Point
from syncjobs.enqueue import enqueue_ids
from syncjobs.models import ContactSync, ReviewItem, Route
from syncjobs.pull import pull, pull_ids
from tests.engine.conftest import Destination
from tests.engine.remote import Remote

pytestmark = pytest.mark.django_db


@pytest.fixture
def remote(destination: Destination) -> Remote:
    return Remote(destination)


def test_a_deleted_record_becomes_a_tombstone_and_is_not_made_again(remote: Remote) -> None:
    connection = remote.destination.connection
    external_id = remote.create("ann@example.com", first_name="Ann")
    remote.create("bob@example.com", first_name="Bob")
    pull(connection, trigger="test")
    remote.destination.sandbox.person_deletes(external_id)  # type: ignore[attr-defined]
    run = pull(connection, trigger="test", full=True)
    run.refresh_from_db()
    assert (run.deleted, run.status) == (1, "done")
    contact = Contact.objects.get(email="ann@example.com")
    link = ContactSync.objects.get(contact=contact)
    assert (link.gone_at is not None, link.sync_status, contact.deleted_at) == (True, "Skipped", None)
    enqueue_ids(connection, [contact.pk])
    assert remote.destination.push().skipped == 1
    assert remote.destination.emails() == ["bob@example.com"]


def test_a_route_may_have_what_was_deleted_made_anew(
    remote: Remote, make_contacts: Callable[..., list[Contact]]
) -> None:
    destination, connection = remote.destination, remote.destination.connection
    source = services.create_connection(connection.connector, "source", connection.settings_and_secrets())
    Route.objects.create(source=source, destination=connection, recreate=True)
    ann, _bob = make_contacts(2)
    destination.queue_all()
    destination.settle()
    old = destination.link(ann).external_id
    destination.sandbox.person_deletes(old)  # type: ignore[attr-defined]
    pull(connection, trigger="test", full=True)
    run = destination.settle()
    link = destination.link(ann)
    assert (run.created, link.gone_at, link.sync_status) == (1, None, "Complete")
    assert link.external_id not in ("", old)
    assert destination.emails() == ["ann0@example.com", "ann1@example.com"]
    destination.queue_all()
    assert destination.push().unchanged == 2


def test_a_webhook_about_a_deleted_record_buries_its_link(remote: Remote) -> None:
    external_id = remote.create("ann@example.com", first_name="Ann")
    pull(remote.destination.connection, trigger="test")
    remote.destination.sandbox.person_deletes(external_id)  # type: ignore[attr-defined]
    for _ in range(2):
        pull_ids(remote.destination.connection, [external_id], trigger="webhook")
    assert ContactSync.objects.get().gone_at is not None
    assert Contact.objects.alive().count() == 1


def test_many_deletions_at_once_ask_a_person_first(remote: Remote) -> None:
    connection = remote.destination.connection
    ids = [remote.create(f"ann{i}@example.com", first_name=f"Ann {i}") for i in range(30)]
    pull(connection, trigger="test")
    for external_id in ids[:25]:
        remote.destination.sandbox.person_deletes(external_id)  # type: ignore[attr-defined]
    pull(connection, trigger="test", full=True)
    assert not ContactSync.objects.filter(gone_at__isnull=False).exists()
    question = ReviewItem.objects.get()
    assert (question.kind, question.theirs) == ("deletions", {"missing": 25, "of": 30})
    ReviewItem.objects.update(decision={"allow": True}, decided_at=question.created_at)
    pull(connection, trigger="test", full=True)
    assert ContactSync.objects.filter(gone_at__isnull=False).count() == 25


def test_phones_written_differently_are_one_number(remote: Remote, settings: object) -> None:
    if "phone" not in remote.destination.connection.spec.match_order:
        pytest.skip("people are not told apart by phone there")
    settings.PHONE_REGION = "RU"  # type: ignore[attr-defined]
    mine = contacts.create(
        ContactRecord(first_name="Ann", phones=(Point("+79161234567", primary=True),)), source="test"
    )
    remote.create("ann@example.com", first_name="Ann", phone="8 (916) 123-45-67")
    pull(remote.destination.connection, trigger="test")
    assert [contact.pk for contact in Contact.objects.all()] == [mine.id]
