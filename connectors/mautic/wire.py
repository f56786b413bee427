"""Mautic's representations: values, field definitions and PHP's arrays, both ways. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from connectors.core.types import FieldSpec, FieldType, Options, RemoteRecord
from connectors.mautic.marks import MARK

EMAIL = "email"
TEXT_LENGTH = 191
_TYPES = {
    "number": FieldType.NUMBER,
    "boolean": FieldType.BOOLEAN,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "select": FieldType.CHOICE,
    "multiselect": FieldType.CHOICES,
    # Lists of Mautic's own, which the definition does not spell out.
    "country": FieldType.CHOICE,
    "region": FieldType.CHOICE,
    "timezone": FieldType.CHOICE,
    "locale": FieldType.CHOICE,
}


def same_email(email: str) -> str:
    """The form under which Mautic takes two spellings of an address for one (sheet 7)."""
    return email.strip().lower()


def by_index(array: Any) -> dict[int, Any]:
    """A PHP array of the answer by its keys: without gaps it came as a list, else as an object (sheet 5)."""
    if isinstance(array, list):
        return dict(enumerate(array))
    if isinstance(array, dict):
        return {int(key): value for key, value in array.items() if str(key).isdigit()}
    return {}


def members(array: Any) -> list[dict[str, Any]]:
    """The objects in a PHP array, whatever its keys are."""
    values: Iterable[Any] = array.values() if isinstance(array, dict) else array if isinstance(array, list) else ()
    return [value for value in values if isinstance(value, dict)]


def encode(value: Any, spec: FieldSpec | None = None) -> Any:
    """A Python value as Mautic takes it; "" is a blank.

    Times carry their offset: without one Mautic reads them in the site's own zone, which we do not know (sheet 1).
    """
    if isinstance(value, str) and (spec is None or not spec.options):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "|".join(str(encode(v, spec)) for v in value)
    if isinstance(value, int | float):
        return value
    return _option(str(value), spec.options if spec else ())


def _option(text: str, options: Options) -> str:
    """The value of a choice that was given by its label; everything else as it is."""
    if any(value == text for value, _label in options):
        return text
    return next((value for value, label in options if label.casefold() == text.strip().casefold()), text)


def is_zero(value: Any) -> bool:
    """Whether Mautic drops an encoded value, because its whole part is 0 (sheet 5)."""
    if isinstance(value, str) and value[:1].isalpha():
        return False  # most texts: no exception is raised for each of them
    try:
        return int(float(value)) == 0
    except (TypeError, ValueError, OverflowError):
        return False


def decode(value: Any, spec: FieldSpec) -> Any:
    """A value as a Python one; what does not fit its type stays text."""
    if value is None or value == "":
        return None
    try:
        return _READERS.get(spec.type, str)(value)
    except (TypeError, ValueError):
        return str(value)


def moment(text: str) -> datetime:
    """A time of the answer: ISO with an offset, or bare, which is UTC. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _number(value: Any) -> int | float:
    number = float(value)
    return int(number) if number.is_integer() else number


_READERS: dict[FieldType, Any] = {
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: lambda value: bool(int(value)),
    FieldType.DATE: lambda text: date.fromisoformat(text[:10]),
    FieldType.DATETIME: moment,
    FieldType.CHOICES: lambda value: [str(v) for v in value] if isinstance(value, list) else str(value).split("|"),
}


def values_of(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values by alias; an empty list stands for an empty map, on every level."""
    fields = raw.get("fields")
    every = fields.get("all") if isinstance(fields, dict) else None
    return every if isinstance(every, dict) else {}


def decode_record(raw: Mapping[str, Any], fields: Sequence[str], specs: Mapping[str, FieldSpec]) -> RemoteRecord:
    """With all of `fields` that the site has: unset ones may be missing in the answer."""
    held = values_of(raw)
    return RemoteRecord(
        id=str(raw["id"]),
        values={key: decode(held.get(key), specs[key]) for key in fields if key in specs},
        version=version_of(raw),
        updated_at=_optional_moment(raw.get("dateModified")) or _optional_moment(raw.get("dateAdded")),
        created_at=_optional_moment(raw.get("dateAdded")),
        ref=str(raw["id"]),
        raw=raw,
    )


def version_of(raw: Mapping[str, Any]) -> str:
    """The time of the last change; there is none before the first one."""
    return str(raw.get("dateModified") or raw.get("dateAdded") or "")


def _optional_moment(text: Any) -> datetime | None:
    try:
        return moment(text) if isinstance(text, str) and text else None
    except ValueError:
        return None


def field_spec(definition: Mapping[str, Any]) -> FieldSpec:
    """A field definition as a FieldSpec; every member but the alias may be missing."""
    kind = _TYPES.get(str(definition.get("type")), FieldType.TEXT)
    length = definition.get("charLengthLimit")
    alias = str(definition["alias"])
    return FieldSpec(
        key=alias,
        label=str(definition.get("label") or alias),
        type=kind,
        read_only=alias in (MARK, "last_active"),
        required=bool(definition.get("isRequired")),
        multiple=kind is FieldType.CHOICES,
        options=_options(definition) if kind in (FieldType.CHOICE, FieldType.CHOICES) else (),
        max_length=(length if isinstance(length, int) and length > 0 else TEXT_LENGTH)
        if kind is FieldType.TEXT and definition.get("type") not in ("textarea", "html")
        else None,
        custom=not definition.get("isFixed", False),
        remote_id=str(definition.get("id") or ""),
        remote_type=str(definition.get("type") or ""),
    )


def _options(definition: Mapping[str, Any]) -> Options:
    """The declared choices: objects of label and value, plain texts, an object by value, or `a|b`."""
    properties = definition.get("properties")
    listed = properties.get("list") if isinstance(properties, dict) else None
    if isinstance(listed, str):
        listed = listed.split("|")
    if isinstance(listed, dict):
        listed = [{"value": k, "label": v} if not isinstance(v, dict) else v for k, v in listed.items()]
    found = []
    for one in listed if isinstance(listed, list) else ():
        given = one if isinstance(one, dict) else {"value": one}
        value = str(given.get("value") or "")
        if value:
            found.append((value, str(given.get("label") or value)))
    return tuple(found)
