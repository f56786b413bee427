"""Writes: phones and addresses by their ids, marks, deletions, and one outcome for each record (sheets 8 and 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.bitrix24.connector import Bitrix24
from connectors.bitrix24.sandbox import BitrixSandbox
from connectors.core.errors import ErrorKind
from connectors.core.sandbox import Fault
from connectors.core.types import CONTACTS, Change, MatchKey, MultiValue, Op, Outcome, Result

Connect = Callable[..., Bitrix24]
KEY = MatchKey("email", "ann@example.com")


def create(number: int = 1, **values: Any) -> Change:
    given = {"NAME": "Ann", "EMAIL": [MultiValue("ann@example.com", primary=True)], **values}
    return Change(number, Op.CREATE, given, key=KEY, idempotency_key=str(number))


def write(connector: Bitrix24, *changes: Change) -> list[Outcome]:
    return sorted(connector.write(CONTACTS, changes), key=lambda o: o.ref)


def rows(sandbox: BitrixSandbox, number: str, key: str) -> list[str]:
    return [row["VALUE"] for row in sandbox.records().row(int(number)).get(key, [])]


def test_an_update_loses_and_doubles_no_phone(sandbox: BitrixSandbox, connect: Connect) -> None:
    phones = [{"VALUE": "8 (916) 123-45-67", "VALUE_TYPE": "MOBILE"}, {"VALUE": "+12025550100"}]
    number = sandbox.person_adds(NAME="Ann", PHONE=phones)
    before = {"PHONE": [MultiValue("+79161234567"), MultiValue("+12025550100")]}
    ours = {"PHONE": [MultiValue("+79161234567"), MultiValue("+12025550199", "home")]}
    change = Change(1, Op.UPDATE, ours, external_id=number, before=before)
    (outcome,) = write(connect(sandbox), change)
    assert outcome.result is Result.UPDATED
    assert rows(sandbox, number, "PHONE") == ["8 (916) 123-45-67", "+12025550199"]
    (outcome,) = write(connect(sandbox), change)
    assert outcome.result is Result.UNCHANGED
    assert rows(sandbox, number, "PHONE") == ["8 (916) 123-45-67", "+12025550199"]


@pytest.mark.parametrize("kind", ["drop", "half", "html", "refuse"])
def test_a_lost_answer_to_an_update_doubles_nothing(sandbox: BitrixSandbox, connect: Connect, kind: str) -> None:
    number = sandbox.person_adds(NAME="Ann")
    sandbox.faults.append(Fault(kind, method="POST", path="/batch$"))
    (outcome,) = write(connect(sandbox), Change(1, Op.UPDATE, {"PHONE": "+12025550100"}, external_id=number))
    assert outcome.ok
    assert rows(sandbox, number, "PHONE") == ["+12025550100"]


@pytest.mark.parametrize("kind", ["drop", "half"])
def test_a_lost_answer_to_a_create_is_made_good_by_the_mark(
    sandbox: BitrixSandbox, connect: Connect, kind: str
) -> None:
    sandbox.faults.append(Fault(kind, method="POST", path="/batch$"))
    (outcome,) = write(connect(sandbox), create())
    assert (outcome.result, outcome.external_id) == (Result.CREATED, "1")


def test_what_a_dead_process_created_is_taken_over(sandbox: BitrixSandbox, connect: Connect) -> None:
    (first,) = write(connect(sandbox), create())
    sandbox.person_updates(first.external_id, LAST_NAME="Bell")
    (again,) = write(connect(sandbox), create(NAME="Anna"))
    assert (again.ok, again.external_id) == (True, first.external_id)
    (held,) = sandbox.people()
    assert (held["NAME"], held["LAST_NAME"]) == ("Anna", "Bell")
    (other,) = write(connect(sandbox), create(2))
    assert other.external_id != first.external_id


def test_people_who_share_a_phone_stay_different_people(sandbox: BitrixSandbox, connect: Connect) -> None:
    shared = MatchKey("phone", "+12025550100")
    changes = [
        Change(n, Op.CREATE, {"NAME": name, "PHONE": shared.value}, key=shared, idempotency_key=str(n))
        for n, name in enumerate(("Ann", "Bob"))
    ]
    assert [o.result for o in write(connect(sandbox), *changes)] == [Result.CREATED] * 2
    assert {p["NAME"] for p in sandbox.people()} == {"Ann", "Bob"}
    assert len(connect(sandbox).find(CONTACTS, [shared])[shared]) == 2


def test_one_that_is_gone_and_one_that_is_wrong_cost_only_themselves(sandbox: BitrixSandbox, connect: Connect) -> None:
    good = sandbox.person_adds(NAME="Ann")
    outcomes = write(
        connect(sandbox),
        Change(1, Op.UPDATE, {"NAME": "Anna"}, external_id=good),
        Change(2, Op.UPDATE, {"NAME": "Nobody"}, external_id="999"),
        Change(3, Op.UPDATE, {"EMAIL": "x@example.com"}, external_id="998"),
        Change(4, Op.UPDATE, {"BIRTHDATE": "not a day"}, external_id="997"),
        Change(5, Op.DELETE, {}, external_id="996"),
        create(6, EMAIL="nobody@nodomain"),
    )
    assert [o.result for o in outcomes] == [Result.UPDATED, *[Result.FAILED] * 3, Result.DELETED, Result.FAILED]
    kinds = [o.error.kind for o in outcomes if o.error]
    assert kinds == [ErrorKind.GONE, ErrorKind.GONE, ErrorKind.DATA, ErrorKind.DATA]


def test_deletions(sandbox: BitrixSandbox, connect: Connect) -> None:
    numbers = [sandbox.person_adds(NAME=str(n)) for n in range(60)]
    outcomes = write(connect(sandbox), *(Change(n, Op.DELETE, {}, external_id=i) for n, i in enumerate(numbers)))
    assert {o.result for o in outcomes} == {Result.DELETED}
    assert sandbox.people() == []


def test_values_of_every_type_come_back_as_they_were_written(sandbox: BitrixSandbox, connect: Connect) -> None:
    connector = connect(sandbox)
    specs = {spec.key: spec for spec in connector.describe()}
    values = {
        "UF_CRM_STRING": "«Ёлка» & $result +7%",
        "UF_CRM_INTEGER": 42,
        "UF_CRM_DOUBLE": 19999.99,
        "UF_CRM_BOOLEAN": True,
        "UF_CRM_MONEY": "300|RUB",
        "UF_CRM_ENUMERATION": specs["UF_CRM_ENUMERATION"].options[1][0],
        "UF_CRM_ENUMERATION_LIST": [code for code, _label in specs["UF_CRM_ENUMERATION_LIST"].options[:2]],
        "UF_CRM_STRING_LIST": ["a", "b"],
        "OPENED": False,
    }
    (outcome,) = write(connector, create(**values, BIRTHDATE="2001-11-11"))
    found = connector.find(CONTACTS, [MatchKey("id", outcome.external_id)])
    (record,) = next(iter(found.values()))
    assert {key: record.values[key] for key in values} == values
    assert str(record.values["BIRTHDATE"]) == "2001-11-11"
    cleared = Change(1, Op.UPDATE, dict.fromkeys(values), external_id=outcome.external_id)
    assert write(connector, cleared)[0].ok
    (record,) = connector.find(CONTACTS, [MatchKey("id", outcome.external_id)])[MatchKey("id", outcome.external_id)]
    assert record.values["UF_CRM_STRING_LIST"] == []
    assert record.values["UF_CRM_INTEGER"] is None


def test_a_text_that_a_batch_would_take_for_a_reference_is_refused(sandbox: BitrixSandbox, connect: Connect) -> None:
    (outcome,) = write(connect(sandbox), create(NAME="$result[w0]"))
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.field) == (ErrorKind.DATA, "NAME")


def test_an_option_may_be_named_by_its_label(sandbox: BitrixSandbox, connect: Connect) -> None:
    connector = connect(sandbox)
    other = MatchKey("email", "bob@example.com")
    wrong = Change(2, Op.CREATE, {"EMAIL": other.value, "UF_CRM_ENUMERATION": "Mauve"}, key=other)
    (good, bad) = write(connector, create(1, UF_CRM_ENUMERATION=" gREEN "), wrong)
    assert good.ok
    assert bad.error is not None
    assert bad.error.field == "UF_CRM_ENUMERATION"
