"""Webhooks all the way into the hub: what a person changes in the remote system is the hub's soon after."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.core.sandbox import Fault
from connectors.models import Connection
from contacts.models import Contact
from syncjobs import inbox_processing, sweep
from syncjobs.models import ContactSync, EventStatus, InboundEvent, Run, Subscription
from tests.inbox.conftest import Sender

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pulled_before")]


@pytest.fixture
def delivering(send: Sender, sandbox: Any) -> Any:
    sandbox.hooks.send = lambda url, body, content_type: send(body).status_code
    return sandbox


def add(sandbox: Any, email: str, name: str = "Ann") -> str:
    field = {"field_code": "EMAIL", "values": [{"value": email, "enum_code": "WORK"}]}
    return sandbox.person_adds(first_name=name, last_name="Bell", custom_fields_values=[field])


def deliver(sandbox: Any, connection: Connection) -> None:
    sandbox.hooks.deliver_due()
    inbox_processing.process(connection)


def test_a_new_contact_arrives_and_its_changes_follow(delivering: Any, connection: Connection) -> None:
    number = add(delivering, "ann@example.com")
    deliver(delivering, connection)
    contact = Contact.objects.get()
    assert (contact.first_name, contact.email) == ("Ann", "ann@example.com")
    delivering.person_updates(number, first_name="Anna")
    deliver(delivering, connection)
    contact.refresh_from_db()
    assert contact.first_name == "Anna"
    assert [run.trigger for run in Run.objects.order_by("pk")] == ["webhook", "webhook"]
    event = InboundEvent.objects.latest("pk")
    assert (event.status, event.run_id) == (EventStatus.DONE, Run.objects.latest("pk").pk)


def test_a_deleted_contact_is_known_to_be_gone(delivering: Any, connection: Connection) -> None:
    number = add(delivering, "ann@example.com")
    deliver(delivering, connection)
    delivering.person_deletes(number)
    deliver(delivering, connection)
    assert Run.objects.latest("pk").deleted == 1
    assert Contact.objects.alive().count() == 1  # what that means for the hub is for a route to say


def test_a_restored_contact_is_followed_again(delivering: Any, connection: Connection) -> None:
    number = add(delivering, "ann@example.com")
    deliver(delivering, connection)
    delivering.person_deletes(number)
    deliver(delivering, connection)
    assert ContactSync.objects.get().gone_at is not None
    delivering.person_restores(number)
    deliver(delivering, connection)
    link = ContactSync.objects.get()
    assert (link.gone_at, link.sync_status, link.external_id) == (None, "Complete", number)
    assert Contact.objects.count() == 1
    delivering.person_updates(number, first_name="Anna")
    deliver(delivering, connection)
    assert Contact.objects.get().first_name == "Anna"


def test_a_burst_costs_one_request(delivering: Any, connection: Connection) -> None:
    for number in range(40):
        add(delivering, f"ann{number}@example.com", f"Ann {number}")
    before = len(delivering.seen)
    deliver(delivering, connection)
    paths = [seen.path for seen in list(delivering.seen)[before:]]
    assert paths.count("/api/v4/contacts") == 1
    assert Contact.objects.count() == 40


def test_forged_values_change_nothing(delivering: Any, connection: Connection, send: Sender) -> None:
    number = add(delivering, "ann@example.com")
    deliver(delivering, connection)
    send({"contacts[update][0][id]": number, "contacts[update][0][name]": "Mallory"})
    send({"contacts[delete][0][id]": number})
    inbox_processing.process(connection)
    assert Contact.objects.get().first_name == "Ann"
    assert Run.objects.latest("pk").unchanged == 1


def test_a_system_that_is_away_delays_and_loses_nothing(delivering: Any, connection: Connection) -> None:
    add(delivering, "ann@example.com")
    delivering.faults.append(Fault("status", path="/contacts", status=500, times=50))
    deliver(delivering, connection)
    assert InboundEvent.objects.get().status == EventStatus.NEW
    delivering.faults.clear()
    InboundEvent.objects.update(due_at="2026-01-01T00:00Z")
    inbox_processing.process(connection)
    assert Contact.objects.count() == 1


def test_the_sweep_repairs_a_lost_webhook_and_counts_it(delivering: Any, connection: Connection) -> None:
    add(delivering, "ann@example.com")
    deliver(delivering, connection)
    assert sweep.sweep(connection, count=False) is not None
    add(delivering, "bob@example.com", "Bob")
    delivering.hooks.waiting.clear()
    sweep.sweep(connection, count=True)
    assert Contact.objects.count() == 2
    assert Subscription.objects.get().missed == 1
    add(delivering, "cay@example.com", "Cay")
    deliver(delivering, connection)
    sweep.sweep(connection, count=True)
    assert Contact.objects.count() == 3
    assert Subscription.objects.get().missed == 1
