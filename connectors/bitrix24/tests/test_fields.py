"""Fields as the portal describes them, and values in every form in which they may be empty (sheets 3 and 5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from connectors.bitrix24.connector import Bitrix24
from connectors.bitrix24.fields import field_spec
from connectors.bitrix24.sandbox import BitrixSandbox
from connectors.bitrix24.wire import reader_of, record_of
from connectors.core.types import FieldSpec, FieldType, MultiValue, ReadQuery

Connect = Callable[..., Bitrix24]


def described(connector: Bitrix24, entity: str) -> dict[str, FieldSpec]:
    return {spec.key: spec for spec in connector.describe(entity)}


def test_a_description_takes_one_request(sandbox: BitrixSandbox, connect: Connect) -> None:
    fields = described(connect(sandbox), "deals")
    assert len(sandbox.seen) == 1
    assert (fields["OPPORTUNITY"].type, fields["OPPORTUNITY"].remote_type) == (FieldType.NUMBER, "double")
    assert (fields["ID"].read_only, fields["CATEGORY_ID"].remote_type) == (True, "crm_category")
    stage = fields["STAGE_ID"]
    assert stage.depends_on == "CATEGORY_ID"
    assert dict(stage.options_by) == {
        "0": (("NEW", "New"), ("WON", "Won"), ("LOSE", "Lost")),
        "1": (("C1:NEW", "New"), ("C1:WON", "Won")),
    }


def test_user_fields_have_labels_options_and_ids(sandbox: BitrixSandbox, connect: Connect) -> None:
    made = sandbox.portal.definitions.add(
        "contacts", "UF_CRM_1721812814433", "enumeration", multiple=True, options=("Да", "Нет"), label="Категория"
    )
    found = described(connect(sandbox), "contacts")["UF_CRM_1721812814433"]
    assert (found.label, found.type, found.multiple, found.custom) == ("Категория", FieldType.CHOICES, True, True)
    assert [label for _code, label in found.options] == ["Да", "Нет"]
    assert (found.remote_id, found.remote_type) == (made["ID"], "enumeration")


def test_without_administrator_s_rights_fields_are_known_without_their_ids(
    sandbox: BitrixSandbox, connect: Connect
) -> None:
    sandbox.portal.administrator = False
    connector = connect(sandbox)
    assert described(connector, "contacts")["UF_CRM_STRING"].remote_id == ""
    assert "administrator" in connector.check().warnings[0]


def test_fields_come_and_go(sandbox: BitrixSandbox, connect: Connect) -> None:
    number = sandbox.person_adds(NAME="Ann")
    connector, definitions = connect(sandbox), sandbox.portal.definitions
    before = described(connector, "contacts")
    definitions.add("contacts", "UF_CRM_NEW", "money", multiple=True)
    definitions.remove("contacts", before["UF_CRM_STRING"].remote_id)
    again = definitions.add("contacts", "UF_CRM_STRING", "integer")
    after = described(connector, "contacts")
    assert after.keys() - before.keys() == {"UF_CRM_NEW"}
    assert after["UF_CRM_STRING"].remote_id == again["ID"] != before["UF_CRM_STRING"].remote_id
    (record,) = [r for page in connect(sandbox).read(ReadQuery()) for r in page.records]
    assert (record.id, record.raw["UF_CRM_NEW"], record.values["UF_CRM_NEW"]) == (number, False, [])


@pytest.mark.parametrize(
    ("kind", "multiple", "wire", "value"),
    [
        ("integer", False, "253", 253),
        ("crm_company", False, "0", None),
        ("user", False, "6", 6),
        ("double", False, "0.00", 0),
        ("double", False, "19999.99", 19999.99),
        ("char", False, "Y", True),
        ("char", False, "N", False),
        ("boolean", False, "1", True),
        ("boolean", False, "0", False),
        ("boolean", False, None, None),
        ("date", False, "2001-11-11T02:00:00+02:00", date(2001, 11, 11)),
        ("date", False, "2001-11-11T00:00:00+14:00", date(2001, 11, 11)),
        ("datetime", False, "2024-08-15T10:38:21+02:00",
         datetime(2024, 8, 15, 10, 38, 21, tzinfo=timezone(timedelta(hours=2)))),
        ("money", False, "300|RUB", "300|RUB"),
        ("enumeration", False, "3157", "3157"),
        ("enumeration", True, [3157, 3158], ["3157", "3158"]),
        ("integer", True, [1, "2"], [1, 2]),
        ("employee", True, False, []),
        ("file", False, {"id": 1, "showUrl": "/x"}, {"id": 1, "showUrl": "/x"}),
        ("vote", False, {"anything": [1]}, {"anything": [1]}),
        ("integer", False, "twelve", "twelve"),
        ("date", False, "soon", "soon"),
        ("datetime", False, "0000-00-00", "0000-00-00"),
        ("double", False, "1e999999x", "1e999999x"),
        *[(kind, False, empty, None) for kind in ("integer", "double", "date", "datetime", "money", "enumeration",
                                                  "crm_status", "employee", "iblock_element", "file")
          for empty in (None, "", False, [])],
        *[(kind, True, empty, []) for kind in ("integer", "string", "date", "enumeration")
          for empty in (None, "", False, [])],
    ],
)  # fmt: skip
def test_values(kind: str, multiple: bool, wire: Any, value: Any) -> None:
    spec = field_spec("UF_CRM_X", {"type": kind, "isMultiple": multiple}, {})
    found = reader_of(spec)(wire)
    assert (found, type(found)) == (value, type(value))


def test_lists_that_are_left_out_are_empty_and_unknown_keys_stay_in_raw() -> None:
    readers = {"ID": int, "EMAIL": reader_of(FieldSpec("EMAIL", "E-mail", FieldType.EMAILS))}
    raw = {"ID": "7", "FACE_ID": "9", "EMAIL": [{"ID": "1", "VALUE": "a@example.com", "VALUE_TYPE": "HOME"}, "odd"]}
    record = record_of(raw, lambda: readers, ("EMAIL", "PHONE"))
    assert dict(record.values) == {"ID": 7, "EMAIL": [MultiValue("a@example.com", "home", True)], "PHONE": []}
    assert record.raw is raw
    assert (record.updated_at, record.version) == (None, "")
