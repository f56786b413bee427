"""Brevo's representations: attribute values and definitions, both ways. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from connectors.core.types import FieldSpec, FieldType, RemoteRecord

EMAIL = "EMAIL"
SMS = "SMS"
# Accounts in other languages, and old ones, name the same thing differently; ours is the first name.
ALIASES = {
    "FIRSTNAME": ("FIRSTNAME", "PRENOM", "FNAME"),
    "LASTNAME": ("LASTNAME", "NOM", "LNAME"),
}
PHONES = ("SMS", "WHATSAPP", "LANDLINE_NUMBER")

_TYPES = {
    "float": FieldType.NUMBER,
    "date": FieldType.DATE,
    "boolean": FieldType.BOOLEAN,
    "category": FieldType.CHOICE,
    "multiple-choice": FieldType.CHOICES,
}
_WRITABLE = ("normal", "category")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class WrongType(ValueError):
    """The value does not fit the attribute's type: Brevo would drop it without a word."""


def same_email(email: str) -> str:
    return email.strip().lower()


def encode(value: Any, kind: FieldType) -> Any:
    """A Python value as the attribute's type takes it, "" clears it. Raises WrongType."""
    if value is None or value == "":
        return ""
    return _ENCODERS.get(kind, _text)(value)


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return ", ".join(str(v) for v in value)
    return str(value)


def _day(value: Any) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    text = value.isoformat() if isinstance(value, date) else str(value)[:10]
    if not _DAY.fullmatch(text):
        raise WrongType
    return text


def _number(value: Any) -> float | int:
    try:
        return value if isinstance(value, int | float) and not isinstance(value, bool) else float(str(value))
    except ValueError:
        raise WrongType from None


def _boolean(value: Any) -> bool:
    known = _BOOLEANS.get(str(value).strip().lower())
    if known is None:
        raise WrongType
    return known


def _as_it_is(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


_ENCODERS: dict[FieldType, Callable[[Any], Any]] = {
    FieldType.DATE: _day,
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.CHOICE: _as_it_is,
    FieldType.CHOICES: _as_it_is,
}


def moment(text: Any) -> datetime | None:
    """An ISO time with any offset, without one UTC; None when unreadable."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decode_record(raw: Mapping[str, Any], names: Mapping[str, str], specs: Mapping[str, FieldSpec]) -> RemoteRecord:
    """`names` gives our name of an attribute that the account calls differently."""
    values: dict[str, Any] = {EMAIL: raw.get("email")}
    attributes: Mapping[str, Any] = raw.get("attributes") or {}
    for theirs, value in attributes.items():
        key = names.get(theirs, theirs)
        values[key] = _decode(value, specs.get(key))
    number = str(raw["id"])
    return RemoteRecord(
        id=number,
        values=values,
        version=str(raw.get("modifiedAt") or ""),
        updated_at=moment(raw.get("modifiedAt")),
        created_at=moment(raw.get("createdAt")),
        ref=str(raw.get("email") or number),
        raw=raw,
    )


def _decode(value: Any, spec: FieldSpec | None) -> Any:
    if spec is not None and spec.type is FieldType.DATE and isinstance(value, str) and _DAY.fullmatch(value[:10]):
        return date.fromisoformat(value[:10])
    return value


def field_spec(definition: Mapping[str, Any]) -> FieldSpec:
    """An attribute definition as a FieldSpec under the account's own name."""
    name = str(definition["name"])
    options: Iterable[Mapping[str, Any]] = definition.get("enumeration") or ()
    return FieldSpec(
        key=name,
        label=name,
        type=_TYPES.get(str(definition.get("type")), FieldType.TEXT),
        read_only=str(definition.get("category", "normal")) not in _WRITABLE,
        multiple=definition.get("type") == "multiple-choice",
        options=tuple((str(o.get("value")), str(o.get("label", o.get("value")))) for o in options),
        custom=name not in (*ALIASES, SMS),
    )
