"""A contact's page: why it stands where it stands, its values in every system, and what happened to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connectors.core.sandbox import Fault
from connectors.core.testing import SandboxServer
from connectors.models import Connection, ConnectionState
from contacts import services as contacts
from contacts.models import Contact
from contacts.records import ContactRecord, Point
from syncjobs.enqueue import enqueue_ids
from syncjobs.explanations import explain
from syncjobs.models import ContactSync
from syncjobs.push import push

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(person: Callable[[str], Any]) -> Client:
    client = Client()
    client.force_login(person("operator"))
    return client


@pytest.fixture
def ann(connection: Connection) -> Contact:
    """A contact that was sent."""
    record = ContactRecord(first_name="Ann", last_name="Bell", emails=(Point("ann@example.com", primary=True),))
    stored = contacts.create(record, source="api")
    enqueue_ids(connection, [stored.id])
    assert push(connection, trigger="test").created == 1
    return Contact.objects.get(pk=stored.id)


def renamed(contact: Contact, name: str) -> None:
    contacts.edit(contact.pk, lambda record: replace(record, first_name=name), source="admin:maria")


def page_of(client: Client, contact: Contact) -> Any:
    return client.get(reverse("admin:contacts_contact_change", args=[contact.pk]))


def cells(context: Any, label: str) -> list[tuple[str, str, bool]]:
    """(ours, theirs, whether they differ) of the lines with this label."""
    return [
        (line.ours, line.cells[0].text, line.cells[0].differs) for line in context["table"].lines if line.label == label
    ]


def test_values_stand_side_by_side_as_last_agreed(operator: Client, connection: Connection, ann: Contact) -> None:
    assert "as last agreed" in page_of(operator, ann).content.decode()
    renamed(ann, "Anna")
    shown = page_of(operator, ann).content.decode()
    assert '<td class="crmsync-differs">Ann</td>' in shown
    assert shown.count("crmsync-differs") == 1


def test_looking_asks_the_system_itself(operator: Client, connection: Connection, ann: Contact) -> None:
    link = ContactSync.objects.get()
    address = reverse("admin:contact_look", args=[ann.pk, connection.pk])
    answer = operator.post(address)
    assert cells(answer.context, "First name") == [("Ann", "Ann", False)]
    renamed(ann, "Anna")
    assert cells(operator.post(address).context, "First name") == [("Anna", "Ann", True)]
    ContactSync.objects.filter(pk=link.pk).update(external_id="999999", external_ref="999999")
    assert "no such record any more" in operator.post(address).content.decode()


def test_a_system_that_does_not_answer_is_named(
    operator: Client, connection: Connection, served: SandboxServer, ann: Contact
) -> None:
    served.sandbox.faults.append(Fault("error", times=99, status=401))
    answer = operator.post(reverse("admin:contact_look", args=[ann.pk, connection.pk]))
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()


def test_viewers_do_not_ask_other_systems(person: Callable[[str], Any], connection: Connection, ann: Contact) -> None:
    client = Client()
    client.force_login(person("viewer"))
    assert client.post(reverse("admin:contact_look", args=[ann.pk, connection.pk])).status_code == 403


def test_the_history_says_who_set_what_and_what_was_sent(
    operator: Client, connection: Connection, ann: Contact
) -> None:
    renamed(ann, "Anna")
    push(connection, trigger="test")
    shown = page_of(operator, ann).content.decode()
    history = shown[shown.index('id="history"') :]
    assert "admin:maria" in history
    assert "<b>First name</b>: Ann → Anna" in history
    assert f"A record was made in {connection}." in history
    assert f"The record in {connection} was changed." in history
    made = ContactSync.objects.get().pushed_version
    assert made == 2


def test_a_change_is_remembered_once_and_forgotten_after_a_year(ann: Contact) -> None:
    renamed(ann, "Anna")
    renamed(ann, "Anna")
    change = ann.changes.get()
    assert (change.by, change.changes) == ("admin:maria", {"first_name": ["Ann", "Anna"]})
    ann.changes.update(at="2020-01-01T00:00Z")
    from contacts import history

    assert history.purge() == 1


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ({"sync_status": "Selected", "processing_status": None}, "chosen"),
        ({"sync_status": "Queued", "processing_status": "Queued"}, "waits its turn"),
        ({"sync_status": "Queued", "processing_status": "Queued", "delete_version": 1}, "about to be deleted"),
        ({"sync_status": "Processing", "processing_status": "Processing"}, "being sent now"),
        ({"sync_status": "Error", "processing_status": "Error", "processing_error": "Too long."}, "mend the cause"),
        (
            {"sync_status": "Error", "processing_status": "Error", "next_retry_at": timezone.now()},
            "tried again at",
        ),
        ({"sync_status": "Skipped", "processing_status": None, "processing_error": "No use."}, "No use."),
        ({"sync_status": "Skipped", "processing_status": None, "gone_at": timezone.now()}, "made there anew"),
        ({"pushed_version": None}, "came from"),
        ({}, "in step"),
    ],
)
def test_every_state_is_explained(connection: Connection, ann: Contact, link: dict[str, Any], sentence: str) -> None:
    ContactSync.objects.update(**link)
    assert sentence in explain(ann, connection, ContactSync.objects.get())


def test_what_stops_a_whole_connection_is_named_first(connection: Connection, ann: Contact) -> None:
    ContactSync.objects.update(sync_status="Queued", processing_status="Queued")
    connection.state, connection.state_message = ConnectionState.NEEDS_ATTENTION, "The key was refused."
    assert "The key was refused." in explain(ann, connection, ContactSync.objects.get())
    connection.enabled = False
    assert "switched off" in explain(ann, connection, ContactSync.objects.get())
    connection.enabled = True
    ann.email = None
    assert "e-mail" in explain(ann, connection, None) or "email" in explain(ann, connection, None)


def test_a_change_that_is_not_passed_on_by_itself_is_told(connection: Connection, ann: Contact) -> None:
    connection.follow_changes = False
    connection.save()
    renamed(ann, "Anna")
    ann.refresh_from_db()
    assert "is not told of changes" in explain(ann, connection, ContactSync.objects.get())
