"""Links follow records whose remote id has changed."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors.core.types import RemoteRecord
from contacts.models import Contact
from syncjobs import moves
from syncjobs.models import ContactSync
from tests.engine.conftest import Destination

pytestmark = pytest.mark.django_db


def link(destination: Destination, external_id: str) -> ContactSync:
    contact = Contact.objects.create(first_name=external_id)
    return ContactSync.objects.create(
        contact=contact, connection=destination.connection, external_id=external_id, external_ref=external_id
    )


def test_links_move_on_with_their_records_in_one_statement(destination: Destination) -> None:
    links = [link(destination, name) for name in ("old-1", "old-2", "kept", "twin")]
    records = [
        RemoteRecord("new-1", {}, former_ids=("older-1", "old-1")),
        RemoteRecord("new-2", {}, former_ids=("old-2",)),
        RemoteRecord("kept", {}),
        RemoteRecord("new-3", {}, former_ids=("nobody",)),
    ]
    with CaptureQueriesContext(database) as captured:
        assert moves.follow(destination.connection, records) == 2
    assert len(captured) == 1
    assert [ContactSync.objects.get(pk=one.pk).external_id for one in links] == ["new-1", "new-2", "kept", "twin"]
    assert ContactSync.objects.get(pk=links[0].pk).external_ref == "new-1"


def test_two_links_of_one_record_are_not_made_one(destination: Destination) -> None:
    old, new = link(destination, "old"), link(destination, "new")
    assert moves.follow(destination.connection, [RemoteRecord("new", {}, former_ids=("old",))]) == 0
    assert {ContactSync.objects.get(pk=one.pk).external_id for one in (old, new)} == {"old", "new"}


def test_nothing_is_asked_where_nothing_moved(destination: Destination) -> None:
    with CaptureQueriesContext(database) as captured:
        assert moves.follow(destination.connection, [RemoteRecord("one", {})]) == 0
    assert len(captured) == 0
