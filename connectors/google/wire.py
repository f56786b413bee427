"""A person of the People API taken apart into values by field key. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from connectors.core.types import FieldType, MultiValue, RemoteRecord
from connectors.google.fields import CLIENT_DATA, PLACES, USER_DEFINED, Place, custom_key

MARK_KEY = "crmsync"
CONTACT = "CONTACT"


def items(person: Mapping[str, Any], member: str) -> list[dict[str, Any]]:
    """The contact's own entries of a list: what comes from a linked Google profile is left out (sheet 4.1)."""
    held = person.get(member)
    listed = [item for item in held if isinstance(item, dict)] if isinstance(held, list) else []
    return [item for item in listed if _source_of(item) in ("", CONTACT)]


def main_item(listed: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The primary entry, as the order of a list means nothing; None of an empty list."""
    return next((item for item in listed if is_main(item)), listed[0] if listed else None)


def is_main(item: Mapping[str, Any]) -> bool:
    metadata = _mapping(item.get("metadata"))
    return bool(metadata.get("sourcePrimary") or metadata.get("primary"))


def name_of(person: Mapping[str, Any]) -> str:
    """The resource name, "" where there is none."""
    return str(person.get("resourceName") or "")


def is_deleted(person: Mapping[str, Any]) -> bool:
    return _mapping(person.get("metadata")).get("deleted") is True


def former_names(person: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids that the contact had before two were merged, or before it was linked to a profile."""
    listed = _mapping(person.get("metadata")).get("previousResourceNames")
    return tuple(str(name) for name in listed) if isinstance(listed, list) else ()


def source_of(person: Mapping[str, Any]) -> Mapping[str, Any]:
    """The contact's own source: its etag does not hang on the fields that were asked for, unlike the person's."""
    sources = _mapping(person.get("metadata")).get("sources")
    listed = [s for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []
    return next((s for s in listed if s.get("type") == CONTACT), {})


def version_of(person: Mapping[str, Any]) -> str:
    return str(source_of(person).get("etag") or "")


def marks_of(person: Mapping[str, Any]) -> list[str]:
    """Our own marks; other programs keep theirs in the same list."""
    held = items(person, CLIENT_DATA)
    return [str(item.get("value") or "") for item in held if item.get("key") == MARK_KEY]


def labels_of(person: Mapping[str, Any]) -> set[str]:
    return {str(item["key"]) for item in items(person, USER_DEFINED) if item.get("key")}


def decode(person: Mapping[str, Any]) -> RemoteRecord:
    """A contact with its values by field key; what it does not have is left out."""
    values: dict[str, Any] = {}
    for key, place in PLACES.items():
        value = _value(person, place)
        if value not in (None, "", []):
            values[key] = value
    for item in items(person, USER_DEFINED):
        if item.get("key") and item.get("value"):
            values.setdefault(custom_key(str(item["key"])), str(item["value"]))
    name, changed = name_of(person), _moment(source_of(person).get("updateTime"))
    return RemoteRecord(
        name, values, version_of(person), changed, ref=name, raw=person, former_ids=former_names(person)
    )


def _value(person: Mapping[str, Any], place: Place) -> Any:
    listed = items(person, place.member)
    if place.type in (FieldType.EMAILS, FieldType.PHONES):
        return _points(listed)
    main = main_item(listed)
    if main is None:
        return None
    return _day(main.get("date")) if place.type is FieldType.DATE else main.get(place.part)


def _points(listed: list[dict[str, Any]]) -> list[MultiValue]:
    filled = [item for item in listed if item.get("value")]
    main = main_item(filled)
    # The main one first: their order is not told, and must not look like a change.
    ordered = sorted(filled, key=lambda item: (item is not main, str(item["value"])))
    return [MultiValue(str(i["value"]), str(i.get("type") or ""), primary=i is main) for i in ordered]


def _day(held: Any) -> date | None:
    """None as well for a birthday without its year, which no date can hold."""
    parts = _mapping(held)
    try:
        return date(int(parts["year"]), int(parts["month"]), int(parts["day"]))
    except (KeyError, TypeError, ValueError):
        return None


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def _source_of(item: Mapping[str, Any]) -> str:
    source = _mapping(_mapping(item.get("metadata")).get("source"))
    return str(source.get("type") or "")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
