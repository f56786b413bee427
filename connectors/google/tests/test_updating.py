"""Updates replace whole lists, against an etag: nothing is lost that only Google knows."""

from __future__ import annotations

from datetime import date

from connectors.core.errors import ErrorKind
from connectors.core.types import Change, MultiValue, Op, Result
from connectors.google.tests.conftest import Account
from connectors.google.updating import TRIES

UPDATES = ":updateContact"


def phones(*numbers: str) -> list[dict[str, object]]:
    return [{"value": number, "type": "mobile"} for number in numbers]


def test_a_new_phone_joins_those_that_only_google_knows(account: Account) -> None:
    name = account.add(phoneNumbers=phones("8 (916) 123-45-67", "+79990000001"))
    outcome = account.update(name, {"phoneNumbers": [MultiValue("+79161234567"), MultiValue("+79990000002")]})
    assert outcome.result is Result.UPDATED
    assert account.held(name, "phoneNumbers") == ["8 (916) 123-45-67", "+79990000001", "+79990000002"]
    assert account.held(name, "phoneNumbers", "type")[:2] == ["mobile", "mobile"]


def test_only_what_the_hub_gave_up_goes(account: Account) -> None:
    name = account.add(phoneNumbers=phones("+79161234567", "+79990000001"))
    before = {"phoneNumbers": [{"value": "+79161234567", "label": "mobile", "primary": True}]}
    account.update(name, {"phoneNumbers": None}, before)
    assert account.held(name, "phoneNumbers") == ["+79990000001"]


def test_a_part_of_a_name_or_company_leaves_the_others(account: Account) -> None:
    name = account.add(
        names=[{"givenName": "Ann", "familyName": "Bell", "honorificSuffix": "MD"}],
        organizations=[{"name": "Acorn", "title": "Buyer", "department": "East", "type": "work"}],
    )
    account.update(name, {"givenName": "Anna", "title": "Director", "birthday": date(1990, 4, 12)})
    lists = account.sandbox.book.everybody[name].lists
    assert lists["names"] == [{"givenName": "Anna", "familyName": "Bell", "honorificSuffix": "MD"}]
    assert lists["organizations"] == [{"name": "Acorn", "title": "Director", "department": "East", "type": "work"}]
    assert lists["birthdays"] == [{"date": {"year": 1990, "month": 4, "day": 12}}]


def test_cleared_values_go_and_their_neighbours_stay(account: Account) -> None:
    name = account.add(names=[{"givenName": "Ann", "familyName": "Bell"}], organizations=[{"name": "Acorn"}])
    account.update(name, {"familyName": None, "organization": None})
    assert account.sandbox.book.everybody[name].lists == {"names": [{"givenName": "Ann"}]}


def test_labels_of_people_are_fields_and_marks_of_other_programs_stay(account: Account) -> None:
    name = account.add(
        userDefined=[{"key": "Card", "value": "7"}, {"key": "Size", "value": "L"}],
        clientData=[{"key": "other", "value": "1"}],
    )
    account.update(name, {"userDefined.Card": "8", "note": "Calls back"})
    assert account.held(name, "userDefined") == ["8", "L"]
    assert account.held(name, "clientData") == ["1"]
    assert {"userDefined.Card", "userDefined.Size"} <= {field.key for field in account.connector.describe()}
    assert account.connect(config={"custom_fields": "Club, "}).describe()[-3].key == "userDefined.Card"


def test_what_is_right_already_is_not_written(account: Account) -> None:
    name = account.add(names=[{"givenName": "Ann"}], phoneNumbers=phones("8 916 123-45-67"))
    etag = account.sandbox.book.everybody[name].etag
    same = {"givenName": " Ann ", "phoneNumbers": [MultiValue("+79161234567", primary=True)]}
    assert account.update(name, same).result is Result.UNCHANGED
    assert account.sandbox.book.everybody[name].etag == etag


def test_the_hubs_new_main_address_becomes_the_main_one(account: Account) -> None:
    name = account.add(emailAddresses=[{"value": "a@example.com"}, {"value": "b@example.com"}])
    was = [{"value": "a@example.com", "primary": True}, {"value": "b@example.com", "primary": False}]
    now = [MultiValue("b@example.com", primary=True), MultiValue("a@example.com")]
    account.update(name, {"emailAddresses": now}, {"emailAddresses": was})
    (person,) = account.connector._reader.people([name]).values()
    main = [row["value"] for row in person["emailAddresses"] if row["metadata"].get("primary")]
    assert main == ["b@example.com"]


def test_a_stale_etag_is_read_and_laid_over_again(account: Account) -> None:
    name = account.add(names=[{"givenName": "Ann"}], phoneNumbers=phones("+79161234567"))
    edit = {"phoneNumbers": phones("+79161234567", "+79990000009")}
    account.meanwhile(UPDATES, lambda: account.sandbox.person_updates(name, **edit))
    assert account.update(name, {"phoneNumbers": [MultiValue("+79161234567"), MultiValue("+79990000002")]}).ok
    assert account.held(name, "phoneNumbers") == ["+79161234567", "+79990000009", "+79990000002"]


def test_a_contact_that_somebody_keeps_changing_is_planned_again_later(account: Account) -> None:
    name = account.add(names=[{"givenName": "Ann"}])
    touch = {"nicknames": [{"value": "A"}]}
    account.meanwhile(UPDATES, lambda: account.sandbox.person_updates(name, **touch), times=99)
    outcome = account.update(name, {"givenName": "Anna"})
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.recovery.retryable) == (ErrorKind.CONFLICT, True)
    assert account.asked(UPDATES) == TRIES


def test_of_a_batch_only_the_stale_deleted_and_refused_ones_need_care() -> None:
    for named in (True, False):
        account = Account(names_errors=named)
        names = [account.add(names=[{"givenName": f"Ann {n}"}]) for n in range(30)]

        def act(account: Account = account, names: list[str] = names) -> None:
            account.sandbox.person_updates(names[3], nicknames=[{"value": "A"}])
            account.sandbox.person_deletes(names[5])

        account.meanwhile("batchUpdateContacts", act)
        bad = {"emailAddresses": "nobody@nodomain"}
        outcomes = account.write(
            [
                Change(n, Op.UPDATE, bad if n == 9 else {"familyName": "Bell"}, external_id=name)
                for n, name in enumerate(names)
            ]
        )
        kinds = {o.ref: o.error.kind for o in outcomes if o.error is not None}
        assert kinds == {5: ErrorKind.GONE, 9: ErrorKind.DATA}
        assert account.held(names[3], "names", "familyName") == ["Bell"]
        assert account.held(names[3], "nicknames") == ["A"]


def test_contacts_of_one_batch_that_change_different_fields_keep_the_rest(account: Account) -> None:
    names = [account.add(names=[{"givenName": "Ann"}], phoneNumbers=phones("+79161234567")) for _ in range(20)]
    values = [{"givenName": "Anna"}, {"phoneNumbers": "+79990000002"}, {"note": "Calls back"}]
    outcomes = account.write([Change(n, Op.UPDATE, values[n % 3], external_id=name) for n, name in enumerate(names)])
    assert all(o.result is Result.UPDATED for o in outcomes)
    assert account.asked("batchUpdateContacts") == 1
    assert account.held(names[0], "phoneNumbers") == ["+79161234567"]
    assert account.held(names[1], "names", "givenName") == ["Ann"]
    assert account.held(names[2], "biographies") == ["Calls back"]


def test_a_merged_contact_is_written_under_its_new_name(account: Account) -> None:
    old, new = account.add(names=[{"givenName": "Ann"}]), account.add(names=[{"givenName": "Ann"}])
    account.sandbox.person_merges(old, into=new)
    assert account.update(old, {"familyName": "Bell"}).external_id == new


def test_values_that_are_too_long_are_refused_by_themselves(account: Account) -> None:
    name = account.add(names=[{"givenName": "Ann"}])
    outcome = account.update(name, {"nickname": "x" * 1001})
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.field) == (ErrorKind.DATA, "nicknames")
    assert account.asked(UPDATES) == 0
