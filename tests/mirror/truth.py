"""What a mirrored table is to hold, made of the portal's own records by the sheet's table of types alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from connectors.bitrix24.sandbox import BitrixSandbox

OWN = ("_synced_at", "_deleted_at", "_hash")
# Types whose "0" refers to nothing (sheet 5).
REFERENCES = (
    "user", "employee", "crm_company", "crm_contact", "crm_lead", "crm_deal", "crm_category", "iblock_element",
    "iblock_section",
)  # fmt: skip
WHOLE = ("integer", "enumeration", *REFERENCES)


def differences(sandbox: BitrixSandbox, entity: str, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """By record, the columns that do not hold what the portal does, as (wanted, held); None for a row too few or many.

    `rows` are those that are not marked as deleted.
    """
    fields = sandbox.portal.definitions.described(entity)
    found: dict[str, Any] = {}
    records = {str(record["ID"]): record for record in sandbox.records(entity).every()}
    for number in records.keys() | rows.keys():
        if number not in records or number not in rows:
            found[number] = None
            continue
        differing = dict(_unlike(records[number], rows[number], fields))
        if differing:
            found[number] = differing
    return found


def _unlike(
    record: Mapping[str, Any], row: Mapping[str, Any], fields: Mapping[str, Any]
) -> Iterable[tuple[str, tuple[Any, Any]]]:
    for name, told in fields.items():
        held = row[name.lower()]
        if told["isMultiple"] or told["type"] == "file":
            held = json.loads(held) if isinstance(held, str) else held
        expected = _value(record.get(name), told)
        if held != expected:
            yield name, (expected, held)
    if row["_raw"] is not None:
        yield "_raw", (None, row["_raw"])


def _value(raw: Any, told: Mapping[str, Any]) -> Any:
    kind = told["type"]
    if kind in ("file", "crm_multifield"):
        return raw or None
    if told["isMultiple"]:
        # Members come as numbers or as texts (sheet 5).
        return [int(one) if kind in WHOLE else one for one in raw or ()] or None
    if raw in (None, "", False, []) or (kind in REFERENCES and raw == "0"):
        return None
    if kind in WHOLE:
        return int(raw)
    if kind == "double":
        return Decimal(raw)
    if kind in ("char", "boolean"):
        return raw in ("Y", "1")
    if kind == "date":
        return date.fromisoformat(raw[:10])
    return datetime.fromisoformat(raw) if kind == "datetime" else raw
