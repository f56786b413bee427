"""Reading by sync token: its end, deletions, merges, late changes, and lists that break off."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.core.errors import ApiError, CursorExpired, ErrorKind
from connectors.core.sandbox import Fault
from connectors.core.types import CONTACTS, MatchKey, MultiValue, Page, ReadMode, ReadQuery
from connectors.google.fields import PERSON_FIELDS
from connectors.google.finding import FRESH_SECONDS
from connectors.google.tests.conftest import Account
from connectors.google.wire import decode

DAY = 86_400


def read(account: Account, mode: ReadMode = ReadMode.FULL, cursor: Any = None, **options: Any) -> list[Page]:
    return list(account.connector.read(ReadQuery(CONTACTS, mode, cursor, **options)))


def changes(account: Account, cursor: Any) -> tuple[list[str], list[str], Any]:
    pages = read(account, ReadMode.CHANGES, cursor)
    found = [r.id for page in pages for r in page.records]
    return found, [i for page in pages for i in page.deleted_ids], pages[-1].cursor


def test_changes_and_deletions_since_the_full_read(account: Account) -> None:
    names = [account.add(names=[{"givenName": f"Ann {n}"}]) for n in range(3)]
    cursor = read(account)[-1].cursor
    assert changes(account, cursor)[:2] == ([], [])
    account.sandbox.person_updates(names[0], names=[{"givenName": "Anna"}])
    account.sandbox.person_deletes(names[1])
    found, deleted, cursor = changes(account, cursor)
    assert (found, deleted) == ([names[0]], [names[1]])
    assert changes(account, cursor)[:2] == ([], [])


def test_a_change_that_shows_late_is_not_lost(account: Account) -> None:
    name = account.add(names=[{"givenName": "Ann"}])
    cursor = read(account)[-1].cursor
    account.sandbox.lists.lag = 180.0
    account.sandbox.person_updates(name, names=[{"givenName": "Anna"}])
    found, _deleted, cursor = changes(account, cursor)
    assert found == []
    account.sandbox.clock.sleep(200)
    assert changes(account, cursor)[0] == [name]


def test_a_sync_token_ends_seven_days_after_the_full_read(account: Account) -> None:
    account.add(names=[{"givenName": "Ann"}])
    cursor = read(account)[-1].cursor
    account.sandbox.clock.sleep(4 * DAY)
    cursor = changes(account, cursor)[2]
    account.sandbox.clock.sleep(4 * DAY)
    with pytest.raises(CursorExpired):
        changes(account, cursor)


@pytest.mark.parametrize("spoilt", [{"sync_token": "x"}, {"page_token": "x"}, {"size": 3}], ids=str)
def test_a_token_that_google_does_not_take_means_reading_anew(account: Account, spoilt: dict[str, Any]) -> None:
    account.add(names=[{"givenName": "Ann"}])
    cursor = dict(read(account)[-1].cursor or {})
    with pytest.raises(CursorExpired):
        changes(account, {**cursor, **spoilt})


def test_a_merged_contact_is_moved_and_not_deleted(account: Account) -> None:
    old, new = account.add(names=[{"givenName": "Ann"}]), account.add(names=[{"givenName": "Ann"}])
    cursor = read(account)[-1].cursor
    account.sandbox.person_merges(old, into=new)
    (page,) = read(account, ReadMode.CHANGES, cursor)
    assert [(r.id, r.former_ids) for r in page.records] == [(new, (old,))]
    assert page.deleted_ids == []
    (page,) = read(account, ReadMode.IDS, ids=[old])
    assert [(r.id, old in r.former_ids) for r in page.records] == [(new, True)]


def test_a_list_that_breaks_off_is_not_a_whole_one(account: Account) -> None:
    for body in ({}, {"connections": []}, {"connections": {}}, []):
        account.connector = account.connect(max_tries=1)
        account.sandbox.faults.append(Fault("status", path="connections", status=200, body=body))
        with pytest.raises(ApiError) as raised:
            read(account)
        assert raised.value.kind is ErrorKind.TRANSIENT


def test_an_answer_that_leaves_a_name_out_deletes_nobody(account: Account) -> None:
    name = account.add(names=[{"givenName": "Ann"}])
    for body in ({"responses": []}, {}, {"responses": [{"requestedResourceName": name, "httpStatusCode": 500}]}):
        account.sandbox.faults.append(Fault("status", path="batchGet", status=200, body=body))
        with pytest.raises(ApiError) as raised:
            read(account, ReadMode.IDS, ids=[name])
        assert raised.value.kind is ErrorKind.TRANSIENT


def test_long_lists_of_names_are_asked_for_200_at_a_time_as_forms(account: Account) -> None:
    names = [account.add(names=[{"givenName": f"Ann {n}"}]) for n in range(450)]
    pages = read(account, ReadMode.IDS, ids=names)
    assert sum(len(page.records) for page in pages) == 450
    assert account.asked("batchGet") == 3


def test_values_by_field() -> None:
    profile = {"metadata": {"source": {"type": "PROFILE"}, "primary": True}, "givenName": "Profile"}
    own = {"metadata": {"source": {"type": "CONTACT"}}, "givenName": "Ann", "familyName": "Bell"}
    phones = [{"value": "2"}, {"value": "1", "type": "work", "metadata": {"primary": True}}]
    person = {"resourceName": "people/c1", "names": [profile, own], "phoneNumbers": phones}
    person |= {"birthdays": [{"date": {"month": 4, "day": 12}}], "userDefined": [{"key": "Card", "value": "7"}]}
    assert decode(person).values == {
        "givenName": "Ann",
        "familyName": "Bell",
        "phoneNumbers": [MultiValue("1", "work", primary=True), MultiValue("2")],
        "userDefined.Card": "7",
    }


def test_many_keys_are_looked_up_by_one_read_of_the_account(account: Account) -> None:
    names = [account.add(emailAddresses=[{"value": f"Person{n}@example.com"}]) for n in range(1500)]
    account.add(phoneNumbers=[{"value": "8 (916) 123-45-67"}])
    keys = [MatchKey("email", f"person{n}@example.com") for n in range(50)]
    found = account.connector.find(CONTACTS, [*keys, MatchKey("phone", "+79161234567")])
    assert [found[key][0].id for key in keys] == names[:50]
    assert len(found[MatchKey("phone", "+79161234567")]) == 1
    assert (account.asked("connections"), account.asked("batchGet")) == (2, 1)


def test_what_others_add_is_found_by_the_changes_alone(account: Account) -> None:
    key = MatchKey("email", "new@example.com")
    assert account.connector.find(CONTACTS, [key]) == {key: []}
    name = account.add(emailAddresses=[{"value": "new@example.com"}])
    account.sandbox.clock.sleep(FRESH_SECONDS + 1)
    assert [r.id for r in account.connector.find(CONTACTS, [key])[key]] == [name]
    account.sandbox.clock.sleep(8 * DAY)
    assert len(account.connector.find(CONTACTS, [key])[key]) == 1


def test_the_mask_of_reads_is_one_that_google_knows(account: Account) -> None:
    assert "resourceName" not in PERSON_FIELDS
    assert account.connector.check().account == "sandbox@example.com"
