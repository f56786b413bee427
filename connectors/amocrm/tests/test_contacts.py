"""What is particular about amoCRM's contacts: lists that a PATCH replaces, ignored filters, dates, phones."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from connectors.amocrm.connector import AmoCRM
from connectors.amocrm.finding import FRESH_SECONDS
from connectors.amocrm.sandbox import CONTACTS as PATH
from connectors.amocrm.sandbox import AmoSandbox
from connectors.core.clock import ManualClock
from connectors.core.errors import ErrorKind
from connectors.core.sandbox import Fault
from connectors.core.testing import sandbox_context
from connectors.core.types import CONTACTS, Change, MatchKey, MultiValue, Op, Outcome, ReadMode, ReadQuery, Result

GENDER, BIRTHDAY = "cf_4457223", "cf_4457225"


@pytest.fixture
def sandbox() -> AmoSandbox:
    return AmoSandbox(ManualClock(), enforce_limits=False)


def connect(sandbox: AmoSandbox) -> AmoCRM:
    return AmoCRM(sandbox_context(AmoCRM, sandbox, config={"rps": 0}))


def store(sandbox: AmoSandbox, **fields: Any) -> str:
    codes = {"phones": "PHONE", "emails": "EMAIL"}
    custom = [
        {"field_code": codes[name], "values": [{"value": v, "enum_code": "WORK"} for v in fields.pop(name)]}
        for name in list(fields)
        if name in codes
    ]
    return str(sandbox.account.create({"custom_fields_values": custom, **fields})["id"])


def held(sandbox: AmoSandbox, number: str, code: str) -> list[str]:
    fields = sandbox.account.contacts[int(number)]["custom_fields_values"] or []
    return [v["value"] for f in fields if f["field_code"] == code for v in f["values"]]


def update(sandbox: AmoSandbox, number: str, values: dict[str, Any], before: dict[str, Any] | None = None) -> Outcome:
    change = Change(1, Op.UPDATE, values, external_id=number, before=before)
    (outcome,) = connect(sandbox).write(CONTACTS, [change])
    return outcome


def writes(sandbox: AmoSandbox) -> int:
    return sum(seen.method in ("POST", "PATCH") for seen in sandbox.seen)


def test_a_new_phone_joins_those_that_only_amocrm_knows(sandbox: AmoSandbox) -> None:
    number = store(sandbox, phones=["8 (916) 123-45-67", "+79990000001"])
    assert update(sandbox, number, {"PHONE": [MultiValue("+79161234567"), MultiValue("+79990000002")]}).ok
    assert held(sandbox, number, "PHONE") == ["8 (916) 123-45-67", "+79990000001", "+79990000002"]


def test_a_value_that_the_hub_gave_up_goes_and_theirs_stays(sandbox: AmoSandbox) -> None:
    number = store(sandbox, emails=["wrong@example.com", "theirs@example.com"])
    before = {"EMAIL": [{"value": "wrong@example.com", "label": "", "primary": True}]}
    assert update(sandbox, number, {"EMAIL": [MultiValue("right@example.com")]}, before).ok
    assert held(sandbox, number, "EMAIL") == ["theirs@example.com", "right@example.com"]


def test_lists_that_are_right_already_are_not_sent(sandbox: AmoSandbox) -> None:
    number = store(sandbox, phones=["89161234567"])
    assert update(sandbox, number, {"PHONE": [MultiValue("+79161234567")]}).result is Result.UNCHANGED
    assert writes(sandbox) == 0


def test_lists_are_read_in_pages_before_they_are_written(sandbox: AmoSandbox) -> None:
    numbers = [store(sandbox, emails=[f"old{n}@example.com"]) for n in range(250)]
    changes = [
        Change(n, Op.UPDATE, {"EMAIL": [MultiValue(f"new{n}@example.com")]}, external_id=i)
        for n, i in enumerate(numbers)
    ]
    assert all(o.ok for o in connect(sandbox).write(CONTACTS, changes))
    asked = [seen for seen in sandbox.seen if seen.path == PATH]
    assert [seen.method for seen in asked] == ["GET", "PATCH"]
    assert held(sandbox, numbers[7], "EMAIL") == ["old7@example.com", "new7@example.com"]


@pytest.mark.parametrize("filters", [True, False])
@pytest.mark.parametrize("many", [False, True])
def test_a_phone_is_found_however_it_is_written_and_nobody_else(filters: bool, many: bool) -> None:
    sandbox = AmoSandbox(ManualClock(), enforce_limits=False, filters=filters)
    store(sandbox, first_name="Somebody", phones=["+79990000001"])
    number = store(sandbox, first_name="Ann", phones=["8 (916) 123-45-67"])
    key, nobody = MatchKey("phone", "+79161234567"), MatchKey("phone", "+79161234568")
    more = [MatchKey("email", f"nobody{n}@example.com") for n in range(60 if many else 0)]
    found = connect(sandbox).find(CONTACTS, [key, nobody, *more])
    assert [r.id for r in found[key]] == [number]
    assert not any(records for asked, records in found.items() if asked != key)


def test_an_index_knows_what_others_have_created_since(sandbox: AmoSandbox) -> None:
    connector = connect(sandbox)
    keys = [MatchKey("email", f"person{n}@example.com") for n in range(60)]
    assert not any(connector.find(CONTACTS, keys).values())
    sandbox.clock.sleep(FRESH_SECONDS + 1)
    number = store(sandbox, emails=["Person3@Example.com"])
    assert [r.id for r in connector.find(CONTACTS, keys)[keys[3]]] == [number]


def test_records_by_id_survive_an_account_that_ignores_filters() -> None:
    sandbox = AmoSandbox(ManualClock(), enforce_limits=False, filters=False)
    numbers = [store(sandbox, first_name=f"Ann {n}") for n in range(5)]
    (page,) = connect(sandbox).read(ReadQuery(mode=ReadMode.IDS, ids=[numbers[1], "999"]))
    assert ([r.id for r in page.records], page.deleted_ids) == ([numbers[1]], ["999"])


def test_a_birthday_stays_the_same_day_in_the_account_s_zone(sandbox: AmoSandbox) -> None:
    number = store(sandbox, first_name="Ann")
    assert update(sandbox, number, {BIRTHDAY: date(2021, 10, 19)}).ok
    stored = sandbox.account.contacts[int(number)]["custom_fields_values"][0]["values"][0]["value"]
    assert stored == "2021-10-19T00:00:00+03:00"
    sandbox.account.contacts[int(number)]["custom_fields_values"][0]["values"][0]["value"] = 1634590800
    (page,) = connect(sandbox).read(ReadQuery(mode=ReadMode.IDS, ids=[number]))
    assert page.records[0].values[BIRTHDAY] == date(2021, 10, 19)


def test_options_go_by_id_and_unknown_ones_cost_only_their_record(sandbox: AmoSandbox) -> None:
    numbers = [store(sandbox, first_name="Ann") for _ in range(2)]
    values = [{GENDER: "женский"}, {GENDER: "Другой"}]
    changes = [Change(n, Op.UPDATE, v, external_id=numbers[n]) for n, v in enumerate(values)]
    outcomes = {o.ref: o for o in connect(sandbox).write(CONTACTS, changes)}
    assert outcomes[0].ok
    assert outcomes[1].error is not None
    assert "options" in outcomes[1].error.message
    (page,) = connect(sandbox).read(ReadQuery(mode=ReadMode.IDS, ids=numbers[:1]))
    assert page.records[0].values[GENDER] == "Женский"


def test_a_deleted_contact_is_told_and_not_created_again(sandbox: AmoSandbox) -> None:
    kept, gone = store(sandbox, first_name="Ann"), store(sandbox, first_name="Bob")
    del sandbox.account.contacts[int(gone)]
    changes = [Change(n, Op.UPDATE, {"first_name": "New"}, external_id=i) for n, i in enumerate([kept, gone])]
    outcomes = {o.ref: o for o in connect(sandbox).write(CONTACTS, changes)}
    assert outcomes[0].ok
    assert outcomes[1].error is not None
    assert outcomes[1].error.kind is ErrorKind.GONE
    assert list(sandbox.account.contacts) == [int(kept)]


def test_a_gateway_timeout_makes_batches_smaller(sandbox: AmoSandbox) -> None:
    numbers = [store(sandbox, first_name="Ann") for _ in range(250)]
    sandbox.faults.append(Fault("status", method="PATCH", status=504, times=4))
    changes = [Change(n, Op.UPDATE, {"first_name": "New"}, external_id=i) for n, i in enumerate(numbers)]
    assert all(o.ok for o in connect(sandbox).write(CONTACTS, changes))
    assert {c["first_name"] for c in sandbox.account.contacts.values()} == {"New"}


def test_a_contact_with_a_whole_name_alone_has_it_as_its_first_name(sandbox: AmoSandbox) -> None:
    number = store(sandbox, name="Эрик Леонхард")
    (page,) = connect(sandbox).read(ReadQuery(CONTACTS, ReadMode.IDS, ids=[number]))
    assert (page.records[0].values["first_name"], page.records[0].values["last_name"]) == ("Эрик Леонхард", "")
    sandbox.account.contacts[int(number)] |= {"first_name": None, "last_name": "Леонхард"}
    (page,) = connect(sandbox).read(ReadQuery(CONTACTS, ReadMode.IDS, ids=[number]))
    assert page.records[0].values["first_name"] is None


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"last_name": "Смит"}, "Эрик Леонхард Смит"),
        ({"first_name": "Эрик", "last_name": "Леонхард"}, "Эрик Леонхард"),
        ({"first_name": "Эрик"}, "Эрик"),
        ({"POSITION": "designer"}, "Эрик Леонхард"),
    ],
)
def test_a_whole_name_is_neither_lost_nor_doubled(sandbox: AmoSandbox, values: dict[str, str], name: str) -> None:
    number = store(sandbox, name="Эрик Леонхард")
    before = {"first_name": "Эрик Леонхард"}
    change = Change(1, Op.UPDATE, values, external_id=number, before=before, all_values={**before, **values})
    (outcome,) = connect(sandbox).write(CONTACTS, [change])
    assert outcome.ok
    assert sandbox.account.contacts[int(number)]["name"] == name


def test_a_new_last_name_does_not_undo_a_first_name_that_somebody_changed(sandbox: AmoSandbox) -> None:
    number = store(sandbox, first_name="Erik", last_name="Leonhard")
    before = {"first_name": "Eric", "last_name": "Leonhard"}
    values = {"last_name": "Smith"}
    change = Change(1, Op.UPDATE, values, external_id=number, before=before, all_values={**before, **values})
    list(connect(sandbox).write(CONTACTS, [change]))
    assert sandbox.account.contacts[int(number)]["name"] == "Erik Smith"
