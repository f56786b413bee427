"""amoCRM's representations: fields, values and records, both ways. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from connectors.amocrm.points import decode_points
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import FieldSpec, FieldType, RemoteRecord

EMAIL, PHONE = "EMAIL", "PHONE"
FIRST, LAST = "first_name", "last_name"
MULTI = (EMAIL, PHONE)
TEXT_LENGTH = 256
_TRUE = frozenset({"true", "1", "yes", "да", "on"})

_TYPES = {
    "numeric": FieldType.NUMBER,
    "checkbox": FieldType.BOOLEAN,
    "select": FieldType.CHOICE,
    "radiobutton": FieldType.CHOICE,
    "multiselect": FieldType.CHOICES,
    "date": FieldType.DATE,
    "birthday": FieldType.DATE,
    "date_time": FieldType.DATETIME,
    "text": FieldType.TEXT,
    "textarea": FieldType.TEXT,
    "url": FieldType.TEXT,
    "streetaddress": FieldType.TEXT,
}
_SHORT = ("text", "url", "streetaddress")


@dataclass(frozen=True, slots=True)
class AmoField:
    """A custom field of the account. `enums` are the ids of its options by their text, `codes` the texts by code."""

    spec: FieldSpec
    id: int
    enums: Mapping[str, int] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)


def custom_field(definition: Mapping[str, Any]) -> AmoField:
    """A custom field's definition; its key is its code, or `cf_` and its id where it has none."""
    number, code = int(definition["id"]), str(definition.get("code") or "")
    kind = str(definition.get("type") or "")
    key = code or f"cf_{number}"
    listed = [e for e in _values(definition.get("enums")) if e.get("id")]
    enums = {str(e["value"]): int(e["id"]) for e in listed}
    codes = {str(e["code"]): str(e["value"]) for e in listed if e.get("code")}
    type_ = {EMAIL: FieldType.EMAILS, PHONE: FieldType.PHONES}.get(code) or _TYPES.get(kind, FieldType.JSON)
    spec = FieldSpec(
        key=key,
        label=str(definition.get("name") or key),
        type=type_,
        # What parts the composed types have differs from account to account: they are read only.
        read_only=type_ is FieldType.JSON,
        multiple=type_ in (FieldType.EMAILS, FieldType.PHONES, FieldType.CHOICES),
        options=tuple((text, text) for text in enums) if type_ in (FieldType.CHOICE, FieldType.CHOICES) else (),
        max_length=TEXT_LENGTH if kind in _SHORT else None,
        custom=not definition.get("is_predefined"),
        remote_id=str(number),
    )
    return AmoField(spec, number, enums, codes)


def _values(listed: Any) -> list[dict[str, Any]]:
    # An answer to PATCH holds an object keyed by index in place of the list.
    items = listed.values() if isinstance(listed, dict) else listed or ()
    return [item for item in items if isinstance(item, dict)]


def encode(value: Any, known: AmoField, zone: tzinfo) -> dict[str, Any]:
    """A member of `custom_fields_values`; None clears the field. Raises ApiError (DATA) for what does not fit."""
    values = None if value in (None, "", []) else _encoded(value, known, zone)
    return {"field_id": known.id, "values": values}


def encode_own(value: Any, spec: FieldSpec) -> Any:
    """A member of the record itself; None clears it. Raises ApiError (DATA) for what does not fit."""
    if spec.type is FieldType.TEXT:
        return "" if value is None else str(value)
    if value is None or spec.type not in (FieldType.INTEGER, FieldType.NUMBER):
        return value
    number = _read_number(_number(value, spec), UTC)
    if spec.type is FieldType.INTEGER and not isinstance(number, int):
        raise _misfit(spec, "a whole number")
    return number


def _encoded(value: Any, known: AmoField, zone: tzinfo) -> list[dict[str, Any]]:
    kind = known.spec.type
    if kind in (FieldType.CHOICE, FieldType.CHOICES):
        wanted = value if isinstance(value, list | tuple) else [value]
        return [{"enum_id": _option(str(text), known)} for text in wanted]
    if kind is FieldType.BOOLEAN:
        return [{"value": value if isinstance(value, bool) else str(value).strip().lower() in _TRUE}]
    if kind is FieldType.NUMBER:
        return [{"value": _number(value, known.spec)}]
    if kind in (FieldType.DATE, FieldType.DATETIME):
        return [{"value": _moment(value, known, zone, day=kind is FieldType.DATE)}]
    return [{"value": value.isoformat() if isinstance(value, date) else str(value)}]


def _misfit(spec: FieldSpec, what: str) -> ApiError:
    return ApiError(ErrorKind.DATA, f"amoCRM's field “{spec.label}” takes {what} only.", field=spec.key)


def _option(text: str, known: AmoField) -> int:
    if text in known.enums:
        return known.enums[text]
    folded = {" ".join(name.split()).casefold(): number for name, number in known.enums.items()}
    try:
        return folded[" ".join(text.split()).casefold()]
    except KeyError:
        raise _misfit(known.spec, "the options of its list") from None


def _number(value: Any, spec: FieldSpec) -> str:
    try:
        if not math.isfinite(float(str(value))):
            raise ValueError
    except ValueError:
        raise _misfit(spec, "a number") from None
    return str(value)


def _moment(value: Any, known: AmoField, zone: tzinfo, *, day: bool) -> str:
    """RFC 3339 with the offset: amoCRM would take a bare number for UTC, and birthdays would move by a day."""
    try:
        at = value if isinstance(value, date) else datetime.fromisoformat(str(value))
    except ValueError:
        raise _misfit(known.spec, "a date") from None
    if day or not isinstance(at, datetime):
        at = datetime.combine(at, time(), zone)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat(timespec="seconds")


def decode(values: Any, known: AmoField, zone: tzinfo) -> Any:
    """The Python value of a custom field; what does not fit its type stays as it came."""
    rows = [row for row in values if isinstance(row, dict)] if isinstance(values, list) else []
    if not rows:
        return None
    kind = known.spec.type
    if known.spec.key in MULTI:
        return decode_points(rows)
    if kind is FieldType.CHOICES:
        return [row.get("value") for row in rows]
    value = rows[0].get("value")
    try:
        return _READERS[kind](value, zone) if kind in _READERS else value
    except (TypeError, ValueError, OverflowError):
        return value


def _read_number(value: Any, zone: tzinfo) -> int | float:
    number = float(value)
    return int(number) if number.is_integer() else number


def _read_day(value: Any, zone: tzinfo) -> date:
    return _read_moment(value, zone).astimezone(zone).date()


def _read_moment(value: Any, zone: tzinfo) -> datetime:
    if isinstance(value, int | float) or str(value).lstrip("-").isdigit():
        return datetime.fromtimestamp(int(value), UTC)
    return datetime.fromisoformat(str(value))


_READERS: dict[FieldType, Any] = {
    FieldType.NUMBER: _read_number,
    FieldType.DATE: _read_day,
    FieldType.DATETIME: _read_moment,
    FieldType.BOOLEAN: lambda value, zone: bool(value),
}


def decode_record(
    raw: Mapping[str, Any], own: Mapping[str, FieldSpec], known: Mapping[int, AmoField], zone: tzinfo
) -> RemoteRecord:
    """A record with the entity's own fields and its custom ones, by their keys."""
    values: dict[str, Any] = {name: raw.get(name) for name in own if name in raw}
    if FIRST in own and raw.get("name") and not (raw.get(FIRST) or raw.get(LAST)):
        # Where a whole name is to be split is not known (sheet 5.6): it stays in one piece.
        values[FIRST] = raw["name"]
    for held in raw.get("custom_fields_values") or ():
        custom = known.get(held.get("field_id", 0)) if isinstance(held, dict) else None
        if custom is not None:
            values[custom.spec.key] = decode(held.get("values"), custom, zone)
    values |= {name: _stamp(values[name]) for name in values.keys() & own.keys() if _is_time(own[name])}
    changed, created = _stamp(raw.get("updated_at")), _stamp(raw.get("created_at"))
    number = str(raw["id"])
    return RemoteRecord(number, values, str(raw.get("updated_at") or ""), changed, created, number, raw)


def whole_name(
    values: Mapping[str, Any], every: Mapping[str, Any] | None, before: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """`values` of a contact that is changed, with its first name where only a last name comes to it.

    First and last name rebuild the whole one (sheet 5.6): of a contact that has a whole name alone, nothing else would
    be left of it. `every` are all of our values, `before` those that both sides held.
    """
    first = (every or {}).get(FIRST)
    if LAST not in values or FIRST in values or not first or (before or {}).get(LAST):
        return values
    return {**values, FIRST: first}


def _is_time(spec: FieldSpec) -> bool:
    return spec.type is FieldType.DATETIME


def _stamp(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value), UTC) if value else None
    except (TypeError, ValueError, OverflowError):
        return None
