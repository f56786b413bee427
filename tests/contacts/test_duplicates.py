"""Pairs that may be one person: found, kept apart, merged, and parted again without loss."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors import services as connections
from connectors.core import registry
from connectors.core.types import CONTACTS
from connectors.models import Connection
from contacts import duplicates, joining, services, store
from contacts.models import Contact, Duplicate, Merge
from contacts.records import ContactRecord, Point
from contacts.services import ContactNotFound
from syncjobs.models import ContactSync

pytestmark = pytest.mark.django_db
MAIL, PHONE = "ann@example.com", "+79161234567"
SLUG = sorted(
    slug
    for slug, found in registry.all_connectors().items()
    if registry.sandbox_class(slug) and found.spec.entities[CONTACTS].write
)[0]


def made(*, emails: tuple[str, ...] = (), phones: tuple[str, ...] = (), **values: Any) -> Any:
    points = {
        name: tuple(Point(value, value, primary=place == 0) for place, value in enumerate(given))
        for name, given in (("emails", emails), ("phones", phones))
    }
    return services.create(ContactRecord(**points, **values), source="test").id


def pairs() -> set[frozenset[Any]]:
    duplicates.find()
    return {frozenset([d.first_id, d.second_id]) for d in Duplicate.objects.filter(verdict=None)}


def record(contact_id: Any) -> ContactRecord:
    return store.load([contact_id])[contact_id].record


def alive() -> set[Any]:
    return set(Contact.objects.alive().values_list("pk", flat=True))


@pytest.fixture
def connection() -> Connection:
    sandbox = registry.sandbox_class(SLUG)
    assert sandbox is not None
    return connections.create_connection(SLUG, SLUG, sandbox().config("http://127.0.0.1:1"))


def linked(contact_id: Any, connection: Connection, external_id: str) -> ContactSync:
    return ContactSync.objects.create(
        contact_id=contact_id, connection=connection, external_id=external_id, sync_status="Complete",
        processing_status="Complete", pushed_version=1,
    )  # fmt: skip


def test_an_e_mail_a_phone_or_name_and_company_in_common_make_a_pair() -> None:
    by_mail = made(emails=(MAIL,), first_name="Ann"), made(emails=("other@example.com", MAIL))
    by_phone = made(phones=(PHONE,), first_name="Bo", last_name="Oak"), made(phones=(PHONE,), first_name="Bo")
    by_name = (
        made(first_name="Cy", last_name="Elm", company="Acorn"),
        made(first_name="cy", last_name="ELM", company="acorn"),
    )
    assert pairs() == {frozenset(by_mail), frozenset(by_phone), frozenset(by_name)}
    assert set(Duplicate.objects.values_list("by", flat=True)) == {"email", "phone", "name"}


def test_a_family_on_one_phone_is_no_pair() -> None:
    made(phones=(PHONE,), first_name="Anna", last_name="Oak")
    made(phones=(PHONE,), first_name="Boris", last_name="Oak")
    made(first_name="Cy", last_name="Elm", company="Acorn", birth_date=date(1990, 1, 1))
    made(first_name="Cy", last_name="Elm", company="Acorn", birth_date=date(1991, 1, 1))
    assert pairs() == set()


def test_what_many_share_tells_nobody_from_others() -> None:
    for _ in range(duplicates.MOST_SHARING + 1):
        made(phones=(PHONE,))
    assert pairs() == set()


def test_a_pair_that_no_longer_fits_is_forgotten_and_a_judged_one_is_not_asked_again() -> None:
    one, other = made(emails=(MAIL,)), made(emails=(MAIL,))
    assert len(pairs()) == 1
    duplicates.keep_apart(Duplicate.objects.get(), "maria")
    assert pairs() == set()
    with pytest.raises(duplicates.AlreadyDecided):
        duplicates.keep_apart(Duplicate.objects.get(), "maria")
    Duplicate.objects.update(verdict=None)
    services.delete(other, source="test")
    assert pairs() == set()
    assert not Duplicate.objects.exists()
    assert one in alive()


def test_looking_costs_the_same_for_many() -> None:
    def statements() -> int:
        with CaptureQueriesContext(database) as captured:
            duplicates.find()
        return len(captured)

    made(emails=(MAIL,)), made(emails=(MAIL,))
    few = statements()
    for n in range(30):
        made(emails=(f"p{n}@example.com",)), made(emails=(f"p{n}@example.com",))
    assert statements() == few
    assert Duplicate.objects.count() == 31


def test_a_merge_loses_nothing_that_either_had() -> None:
    kept = made(emails=(MAIL,), phones=(PHONE,), first_name="Ann", company="Acorn", attributes={"a": 1, "b": 1})
    gone = made(
        emails=("b@example.com", MAIL),
        first_name="Anna",
        last_name="Bell",
        job_title="Cook",
        attributes={"b": 2, "c": 2},
    )
    joining.join(kept, gone, by="maria", take=["first_name"])
    whole = record(kept)
    assert (whole.first_name, whole.last_name, whole.company, whole.job_title) == ("Anna", "Bell", "Acorn", "Cook")
    assert [point.value for point in whole.emails] == [MAIL, "b@example.com"]
    assert whole.email == MAIL
    assert whole.attributes == {"a": 1, "b": 1, "c": 2}
    assert alive() == {kept}
    assert Duplicate.objects.get().verdict == "merged"


def test_a_merge_is_undone_exactly() -> None:
    kept = made(emails=(MAIL,), first_name="Ann", birth_date=date(1990, 2, 3))
    gone = made(phones=(PHONE,), last_name="Bell")
    before = record(kept), record(gone)
    merge = joining.join(kept, gone, by="maria")
    assert joining.part(merge, "maria") == []
    assert (record(kept), record(gone)) == before
    with pytest.raises(duplicates.AlreadyDecided):
        joining.part(merge, "maria")
    assert pairs() == set()


def test_what_was_changed_since_the_merge_stays_and_is_named() -> None:
    kept, gone = made(emails=(MAIL,)), made(last_name="Bell", company="Acorn")
    merge = joining.join(kept, gone, by="maria")
    services.edit(kept, lambda held: replace(held, last_name="Oak"), source="test")
    assert joining.part(merge, "maria") == ["last_name"]
    assert (record(kept).last_name, record(kept).company) == ("Oak", "")


@pytest.mark.parametrize("who", ["itself", "a tombstone"])
def test_there_must_be_two(who: str) -> None:
    one, other = made(emails=(MAIL,)), made(emails=(MAIL,))
    if who == "a tombstone":
        services.delete(other, source="test")
    with pytest.raises(ContactNotFound):
        joining.join(one, one if who == "itself" else other, by="maria")
    assert not Merge.objects.exists()


def test_a_link_moves_along_and_back(connection: Connection) -> None:
    kept, gone = made(emails=(MAIL,)), made(emails=(MAIL,), last_name="Bell")
    linked(gone, connection, "7")
    merge = joining.join(kept, gone, by="maria")
    link = ContactSync.objects.get()
    assert (link.contact_id, link.sync_status) == (kept, "Queued")
    joining.part(merge, "maria")
    link.refresh_from_db()
    assert (link.contact_id, link.sync_status, link.external_id) == (gone, "Queued", "7")


def test_where_both_have_a_record_the_second_is_left_alone(connection: Connection) -> None:
    kept, gone = made(emails=(MAIL,)), made(emails=(MAIL,), last_name="Bell")
    linked(kept, connection, "1"), linked(gone, connection, "2")
    merge = joining.join(kept, gone, by="maria")
    held = {link.contact_id: link for link in ContactSync.objects.all()}
    assert (held[kept].external_id, held[kept].sync_status) == ("1", "Queued")
    assert (held[gone].external_id, held[gone].sync_status, held[gone].due_at) == ("2", "Skipped", None)
    joining.part(merge, "maria")
    again = ContactSync.objects.get(contact=gone)
    assert (again.external_id, again.sync_status, again.processing_error) == ("2", "Queued", "")
