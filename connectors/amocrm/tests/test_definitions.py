"""Custom fields made in an account: the missing ones, once, and options without losing those that are there."""

from __future__ import annotations

import pytest

from connectors.amocrm.connector import AmoCRM
from connectors.amocrm.sandbox import AmoSandbox
from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.testing import sandbox_context
from connectors.core.types import CONTACTS, FieldSpec, FieldType

WANTED = (
    FieldSpec("", "Возраст", FieldType.INTEGER),
    FieldSpec("", "пол", FieldType.CHOICE, options=(("Мужской", "Мужской"), ("Другой", "Другой"))),
    FieldSpec("", "Отказ от SMS", FieldType.BOOLEAN),
    FieldSpec("", "Комментарий", FieldType.TEXT),
    FieldSpec("", "СНИЛС", FieldType.TEXT, max_length=256),
    FieldSpec("", "Осмотр", FieldType.DATE),
)


@pytest.fixture
def sandbox() -> AmoSandbox:
    return AmoSandbox(ManualClock(), enforce_limits=False)


def opened(sandbox: AmoSandbox) -> AmoCRM:
    return AmoCRM(sandbox_context(AmoCRM, sandbox, config={"rps": 0}))


def kinds(sandbox: AmoSandbox) -> dict[str, str]:
    return {field["name"]: field["type"] for field in sandbox.account.fields[CONTACTS].values()}


def test_missing_fields_are_made_with_their_types_in_one_request(sandbox: AmoSandbox) -> None:
    before = len(sandbox.account.fields[CONTACTS])
    found = opened(sandbox).ensure_fields(CONTACTS, WANTED)
    assert [spec.label for spec in found] == ["Возраст", "Пол", "Отказ от SMS", "Комментарий", "СНИЛС", "Осмотр"]
    assert [spec.type for spec in found[2:]] == [FieldType.BOOLEAN, FieldType.TEXT, FieldType.TEXT, FieldType.DATE]
    assert found[3].max_length is None
    assert found[4].max_length == 256
    assert len(sandbox.account.fields[CONTACTS]) == before + 4
    made = {name: kind for name, kind in kinds(sandbox).items() if name in {spec.label for spec in WANTED[2:]}}
    assert made == {"Отказ от SMS": "checkbox", "Комментарий": "textarea", "СНИЛС": "text", "Осмотр": "date"}
    assert sum(request.method == "POST" for request in sandbox.seen) == 1


def test_options_are_added_and_the_others_keep_their_ids(sandbox: AmoSandbox) -> None:
    before = {e["value"]: e["id"] for e in sandbox.account.fields[CONTACTS][4457223]["enums"]}
    opened(sandbox).ensure_fields(CONTACTS, WANTED)
    after = {e["value"]: e["id"] for e in sandbox.account.fields[CONTACTS][4457223]["enums"]}
    assert {text: after[text] for text in before} == before
    assert list(after) == [*before, "Другой"]
    assert len(set(after.values())) == len(after)


def test_a_second_time_nothing_is_written(sandbox: AmoSandbox) -> None:
    first = opened(sandbox).ensure_fields(CONTACTS, WANTED)
    sandbox.seen.clear()
    assert opened(sandbox).ensure_fields(CONTACTS, WANTED) == first
    assert {request.method for request in sandbox.seen} == {"GET"}


def test_a_field_is_told_by_its_id_whatever_its_name(sandbox: AmoSandbox) -> None:
    (found,) = opened(sandbox).ensure_fields(CONTACTS, [FieldSpec("", "Лет", FieldType.INTEGER, remote_id="4457227")])
    assert (found.key, found.label) == ("cf_4457227", "Возраст")
    with pytest.raises(ApiError, match="no contact field with the id 3") as raised:
        opened(sandbox).ensure_fields(CONTACTS, [FieldSpec("", "Возраст", FieldType.INTEGER, remote_id="3")])
    assert raised.value.kind is ErrorKind.CONFIG


def test_who_is_no_administrator_is_told_so(sandbox: AmoSandbox) -> None:
    sandbox.administrator = False
    with pytest.raises(ApiError, match="permission") as raised:
        opened(sandbox).ensure_fields(CONTACTS, WANTED)
    assert raised.value.kind is ErrorKind.CONFIG
