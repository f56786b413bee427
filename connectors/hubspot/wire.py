"""HubSpot's representations: property values and definitions, both ways. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from connectors.core.types import FieldSpec, FieldType, RemoteRecord

EMAIL = "email"
ADDITIONAL_EMAILS = "hs_additional_emails"

_TYPES = {
    "number": FieldType.NUMBER,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "bool": FieldType.BOOLEAN,
    "enumeration": FieldType.CHOICE,
}


def encode(value: Any) -> str:
    """A Python value as HubSpot takes it: always a string, "" clears the property."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return ";".join(encode(v) for v in value)
    return str(value)


def encode_values(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: encode(value) for key, value in values.items()}


def same_email(email: str) -> str:
    """The form under which HubSpot takes two spellings of an address for one."""
    return email.strip().lower()


def decode(text: str | None, spec: FieldSpec | None) -> Any:
    """A property as a Python value; what does not fit its type stays text."""
    if text is None or text == "" or spec is None:
        return text or None
    if spec.multiple:
        return text.split(";")
    try:
        return _READERS.get(spec.type, str)(text)
    except ValueError:
        return text


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


def moment(text: str) -> datetime:
    """An ISO time or epoch milliseconds. Raises ValueError."""
    if text.isdigit():
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    return datetime.fromisoformat(text)


def _day(text: str) -> date:
    # A `date` property is midnight UTC: as a plain date, as a time, or as milliseconds.
    return moment(text).astimezone(UTC).date() if text.isdigit() or "T" in text else date.fromisoformat(text)


_READERS: dict[FieldType, Any] = {
    FieldType.NUMBER: _number,
    FieldType.DATE: _day,
    FieldType.DATETIME: moment,
    FieldType.BOOLEAN: lambda text: text == "true",
}


def decode_record(raw: Mapping[str, Any], specs: Mapping[str, FieldSpec]) -> RemoteRecord:
    properties: Mapping[str, Any] = raw.get("properties") or {}
    return RemoteRecord(
        id=str(raw["id"]),
        values={key: decode(text, specs.get(key)) for key, text in properties.items()},
        version=str(raw.get("updatedAt") or ""),
        updated_at=_optional_moment(raw.get("updatedAt")),
        created_at=_optional_moment(raw.get("createdAt")),
        ref=str(raw["id"]),
        raw=raw,
    )


def _optional_moment(text: Any) -> datetime | None:
    try:
        return moment(text) if isinstance(text, str) and text else None
    except ValueError:
        return None


def field_spec(definition: Mapping[str, Any]) -> FieldSpec:
    """A property definition as a FieldSpec; every member but the name may be missing."""
    meta: Mapping[str, Any] = definition.get("modificationMetadata") or {}
    options: Sequence[Mapping[str, Any]] = definition.get("options") or ()
    multiple = definition.get("fieldType") == "checkbox"
    kind = _TYPES.get(str(definition.get("type")), FieldType.TEXT)
    if kind is FieldType.CHOICE and multiple:
        kind = FieldType.CHOICES
    return FieldSpec(
        key=str(definition["name"]),
        label=str(definition.get("label") or definition["name"]),
        type=kind,
        read_only=bool(meta.get("readOnlyValue")) or bool(definition.get("calculated")),
        multiple=multiple,
        options=tuple((str(o.get("value")), str(o.get("label", o.get("value")))) for o in options),
        custom=not definition.get("hubspotDefined", False),
    )
