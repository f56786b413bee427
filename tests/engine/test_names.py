"""Records that have a whole name alone, where a system keeps one beside first and last name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.core.types import CONTACTS, Change, MatchKey, Op
from contacts import services as contacts
from contacts.models import Contact
from syncjobs.pull import pull
from tests.engine.conftest import Destination
from tests.engine.remote import Remote

pytestmark = pytest.mark.django_db
WHOLE = "Erik Leonhard"


@pytest.fixture
def remote(destination: Destination) -> Remote:
    made = Remote(destination)
    if not {"name", "first_name"} <= {field.key for field in made.connector.describe(CONTACTS)}:
        pytest.skip("has no whole name beside first and last")
    return made


@pytest.fixture
def number(remote: Remote) -> str:
    values = {"name": WHOLE, **remote.values(email="erik@example.com")}
    change = Change(1, Op.CREATE, values, key=MatchKey("email", "erik@example.com"))
    (outcome,) = remote.connector.write(CONTACTS, [change])
    return outcome.external_id


def name_there(remote: Remote, number: str) -> str:
    return remote.get(number).raw["name"]


def test_it_comes_into_the_hub_and_goes_back_as_it_was(remote: Remote, number: str) -> None:
    connection = remote.destination.connection
    pull(connection, trigger="test")
    contact = Contact.objects.get()
    assert (contact.first_name, contact.last_name) == (WHOLE, "")
    remote.destination.queue_all()
    assert remote.destination.push().updated == 0
    assert pull(connection, trigger="test", full=True).updated == 0
    assert name_there(remote, number) == WHOLE
    contact.refresh_from_db()
    assert contact.version == 1


@pytest.mark.parametrize(
    ("edit", "name"),
    [({"last_name": "Smith"}, f"{WHOLE} Smith"), ({"first_name": "Erik", "last_name": "Leonhard"}, WHOLE)],
)
def test_an_edit_of_the_hub_keeps_it_whole(remote: Remote, number: str, edit: dict[str, str], name: str) -> None:
    connection = remote.destination.connection
    pull(connection, trigger="test")
    contact = Contact.objects.get()
    contacts.edit(contact.pk, lambda record: replace(record, **edit), source="test")
    remote.destination.queue_all()
    assert remote.destination.settle().updated == 1
    assert name_there(remote, number) == name
    assert pull(connection, trigger="test", full=True).updated == 0
    remote.destination.queue_all()
    assert remote.destination.push().updated == 0
    contact.refresh_from_db()
    assert f"{contact.first_name} {contact.last_name}" == name
