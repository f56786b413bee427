"""Whose webhooks and changes the hub takes in: not those of systems that people only push to."""

from __future__ import annotations

from typing import Any

import pytest

from connectors import services
from connectors.models import Connection
from contacts.models import Contact
from syncjobs import inbox_consumers, inbox_processing, sweep
from syncjobs.models import Cursor, EventStatus, Route, Run
from syncjobs.pull import pull
from tests.inbox.conftest import SLUG, Follower, Sender, changed, only_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def number(sandbox: Any) -> str:
    field = {"field_code": "EMAIL", "values": [{"value": "ann@example.com", "enum_code": "WORK"}]}
    return sandbox.person_adds(first_name="Ann", custom_fields_values=[field])


@pytest.fixture
def other(sandbox: Any, connection: Connection) -> Connection:
    return services.create_connection(SLUG, "other", sandbox.config("https://sandbox.example.com"))


def test_events_of_a_system_that_is_only_pushed_to_need_nothing(
    send: Sender, connection: Connection, other: Connection, number: str
) -> None:
    Route.objects.create(source=other, destination=connection)
    assert send(changed(number)).status_code == 200
    inbox_processing.process(connection)
    assert (only_event().status, only_event().message) == (
        EventStatus.DONE,
        "Nothing follows contacts of this connection.",
    )
    assert not Run.objects.exists()
    assert not Contact.objects.exists()
    assert sweep.claim_due() == []


@pytest.mark.parametrize("reads", ["a route from it", "a two-way route to it", "a pull"])
def test_events_of_a_system_that_is_read_are_taken_in(
    send: Sender, connection: Connection, other: Connection, number: str, reads: str
) -> None:
    if reads == "a pull":
        pull(connection, trigger="test")
        Contact.objects.all().delete()
    elif reads == "a route from it":
        Route.objects.create(source=connection, destination=other)
    else:
        Route.objects.create(source=other, destination=connection, two_way=True)
    send(changed(number))
    inbox_processing.process(connection)
    assert only_event().status == EventStatus.DONE
    assert Contact.objects.filter(email="ann@example.com").count() == 1
    assert [pk for pk, _swept in sweep.claim_due()] == [connection.pk]


def test_a_route_that_is_disabled_reads_nothing(send: Sender, connection: Connection, other: Connection) -> None:
    Route.objects.create(source=connection, destination=other, enabled=False)
    assert inbox_consumers.consumers_of(connection, "contacts") == []


def test_other_consumers_follow_whom_they_want(send: Sender, connection: Connection, number: str) -> None:
    follower = Follower()
    inbox_consumers.register("table", "contacts", follower, lambda connection: True)
    try:
        send(changed(number))
        inbox_processing.process(connection)
    finally:
        inbox_consumers.unregister("table", "contacts")
    assert follower.ids == [number]
    assert only_event().status == EventStatus.DONE
    assert not Contact.objects.exists()
    assert not Cursor.objects.exists()
