"""A phone or an e-mail that very many carry tells nobody from others, and costs no more than one that few carry."""

from uuid import UUID

import pytest

from contacts import store
from contacts.bulk import Incoming, upsert
from contacts.candidates import Candidates
from contacts.lookup import Lookup
from contacts.matching import MOST_HOLDERS, Candidate, Keys, Matched, New, match
from contacts.models import Contact
from contacts.records import ContactRecord, Point

PHONE, EMAIL = "+73432123456", "clinic@example.com"


def row(name: str, *, phone: str = "", email: str = "", **values: object) -> ContactRecord:
    return ContactRecord(
        first_name=name,
        phones=(Point(phone, "", "", True),) if phone else (),
        emails=(Point(email, "", "", True),) if email else (),
        **values,
    )


def made_by_their_names(count: int, **shared: str) -> list[UUID]:
    """Contacts that no import would make: all of them have the same e-mail or phone."""
    changes = [
        store.Change.between(UUID(int=number), None, row(f"Name{number}", **shared)) for number in range(1, count + 1)
    ]
    store.save([change for change in changes if change], "test")
    return [change.contact_id for change in changes if change]


def upserted(*records: ContactRecord) -> list[str]:
    return [outcome.result for outcome in upsert([Incoming(record) for record in records], source="test")]


def test_what_is_crowded_fits_nobody_alone_and_a_namesake_with_the_name() -> None:
    other = Candidate(UUID(int=1), Keys(frozenset([EMAIL]), frozenset([PHONE]), "anna bell", ""))
    keys = Keys(frozenset([EMAIL]), frozenset([PHONE]), "anna", "")
    crowded = frozenset([EMAIL, PHONE])
    assert match(keys, [other], ["email", "phone"], crowded) == New()
    assert match(keys, [other], ["email", "phone"], frozenset([EMAIL])) == Matched(UUID(int=1), "phone")
    same = Keys(frozenset([EMAIL]), frozenset(), "anna bell", "")
    assert match(same, [other], crowded=crowded) == Matched(UUID(int=1), "email_and_name")


@pytest.mark.parametrize("order", [("email", "phone"), ("email", "email_and_name", "phone_and_name")])
def test_candidates_are_never_more_than_a_crowd(order: tuple) -> None:
    candidates = Candidates(order)
    keys = [Keys(frozenset(), frozenset([PHONE]), f"name{n}", "") for n in range(MOST_HOLDERS + 1)]
    for number, own in enumerate(keys[:-1]):
        candidates.add(UUID(int=number), own)
    assert len(candidates.of(keys[0])) == MOST_HOLDERS
    assert candidates.crowded(keys[0]) == frozenset()
    candidates.add(UUID(int=MOST_HOLDERS), keys[-1])
    assert len(candidates.of(keys[0])) == ("phone_and_name" in order)
    assert candidates.crowded(keys[0]) == frozenset([PHONE])


@pytest.mark.django_db
def test_a_look_up_brings_no_more_than_shows_that_it_is_crowded() -> None:
    ids = made_by_their_names(MOST_HOLDERS + 50, phone=PHONE, email=EMAIL)
    assert len(store.find(Lookup(phones=[PHONE]))) == MOST_HOLDERS + 1
    assert len(store.find(Lookup(emails=[EMAIL]))) == MOST_HOLDERS + 1
    named = [store.hash_of("name150")]
    assert [stored.id for stored in store.find(Lookup(phones=[PHONE], names=named))] == [ids[149]]
    assert ids[149] in {stored.id for stored in store.find(Lookup(emails=[EMAIL], names=named))}


@pytest.mark.django_db
def test_the_deleted_do_not_make_a_crowd() -> None:
    ids = made_by_their_names(MOST_HOLDERS + 50, phone=PHONE)
    Contact.objects.filter(id__in=ids[:100]).update(deleted_at="2026-01-01T00:00Z")
    assert [stored.id for stored in store.find(Lookup(phones=[PHONE]))] == ids[100:]


@pytest.mark.django_db
def test_a_file_whose_rows_share_a_phone_changes_nothing_the_second_time() -> None:
    rows = [row(f"Name{n}", phone=PHONE) for n in range(MOST_HOLDERS + 50)]
    rows += [row("", phone=PHONE), row("Name3", phone=PHONE, company="Acme")]
    assert upserted(*rows) == ["created"] * (len(rows) - 1) + ["updated"]
    for _ in range(2):
        assert upserted(*rows) == ["unchanged"] * len(rows)


@pytest.mark.django_db
def test_a_file_does_not_write_over_one_of_many_who_share_an_email() -> None:
    made_by_their_names(MOST_HOLDERS + 50, email=EMAIL)
    before = {contact.id: contact.first_name for contact in Contact.objects.all()}
    rows = [row("Somebody", email=EMAIL, company="Acme"), row("Name150", email=EMAIL, company="Acme")]
    assert upserted(*rows) == ["created", "updated"]
    assert upserted(*rows) == ["unchanged", "unchanged"]
    assert {c.id: c.first_name for c in Contact.objects.filter(id__in=before)} == before
    assert Contact.objects.get(first_name="Name150").company == "Acme"


@pytest.mark.django_db
def test_few_who_share_an_email_are_told_by_it_as_ever() -> None:
    made_by_their_names(1, email=EMAIL)
    assert upserted(row("Somebody else", email=EMAIL)) == ["updated"]
