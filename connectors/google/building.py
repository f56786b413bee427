"""New lists for a person out of values by field key, laid over what the contact holds. Pure.

An update replaces every list that its mask names (sheet 1, point 7), so each one is built whole: what the hub does not
know stays as it was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import FieldType
from connectors.google.fields import (
    LONGEST_VALUE,
    MOST_VALUES,
    NAMES,
    USER_DEFINED,
    Place,
    place_of,
)
from connectors.google.points import comparer, merged
from connectors.google.wire import is_main, items, main_item

_NAME_PARTS = (
    "givenName",
    "familyName",
    "middleName",
    "honorificPrefix",
    "honorificSuffix",
    "phoneticGivenName",
    "phoneticFamilyName",
    "phoneticMiddleName",
    "phoneticFullName",
    "phoneticHonorificPrefix",
    "phoneticHonorificSuffix",
)
# Made by Google; sent back they would be ignored.
_OUTPUT_ONLY = frozenset({"metadata", "formattedType", "canonicalForm", "displayName"})

Lists = dict[str, list[dict[str, Any]]]


class Builder:
    """`region` is that of phone numbers without a country code."""

    def __init__(self, region: str) -> None:
        self._region = region

    def changed(
        self, person: Mapping[str, Any], values: Mapping[str, Any], before: Mapping[str, Any] | None = None
    ) -> Lists:
        """The lists that have to be sent so that `person` has the values; empty when it has them.

        Raises ApiError (DATA), which names the field, for a value that does not fit.
        """
        built: Lists = {}
        for key, value in values.items():
            place = place_of(key)
            if place is None:
                raise ApiError(ErrorKind.DATA, f"Google contacts have no field {key}.", field=key)
            now = built[place.member] if place.member in built else items(person, place.member)
            built[place.member] = self._laid_over(now, place, value, (before or {}).get(key))
        sent = {member: outgoing(member, rows) for member, rows in built.items()}
        _check(sent)
        held = {member: outgoing(member, items(person, member)) for member in built}
        return {member: rows for member, rows in sent.items() if not _alike(rows, held[member])}

    def _laid_over(self, now: list[dict[str, Any]], place: Place, value: Any, before: Any) -> list[dict[str, Any]]:
        if place.type in (FieldType.EMAILS, FieldType.PHONES):
            return merged(now, value, before, comparer(place.member, self._region))
        if place.member == USER_DEFINED:
            return _labelled(now, place.part, _text(value))
        return _with_part(now, place, _date(value, place) if place.type is FieldType.DATE else _text(value))


def unchanged(person: Mapping[str, Any], member: str) -> list[dict[str, Any]]:
    """A list as it was read, to be sent along with others of one mask."""
    return outgoing(member, items(person, member))


def outgoing(member: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries without what Google makes itself; of several, the main one stays it."""
    if member == NAMES:
        # From the parts alone: which of parts and unstructuredName would win is not known (sheet 4.2).
        return [name for row in rows[:1] if (name := {part: row[part] for part in _NAME_PARTS if row.get(part)})]
    sent = []
    for row in rows:
        entry = {key: value for key, value in row.items() if key not in _OUTPUT_ONLY}
        if len(rows) > 1 and is_main(row):
            entry["metadata"] = {"sourcePrimary": True}
        sent.append(entry)
    return sent


def _with_part(now: list[dict[str, Any]], place: Place, value: Any) -> list[dict[str, Any]]:
    """The main entry with one of its parts replaced; without any left, it goes."""
    main = main_item(now)
    entry = {key: held for key, held in (main or {}).items() if key != place.part}
    if place.member == "addresses" and value != (main or {}).get(place.part):
        # Its street and town would contradict the new text.
        entry = {key: held for key, held in entry.items() if key in ("type", "metadata")}
    if place.type is FieldType.DATE:
        entry.pop("text", None)
    if value:
        entry[place.part] = value
    elif not entry.keys() - _OUTPUT_ONLY - {"type", "contentType", "current", "unstructuredName"}:
        return [row for row in now if row is not main]
    if main is None:
        return [*now, entry]
    return [entry if row is main else row for row in now]


def _labelled(now: list[dict[str, Any]], label: str, value: str) -> list[dict[str, Any]]:
    """A person's own labels: the first entry of that name is set, or all of them removed."""
    if not value:
        return [row for row in now if row.get("key") != label]
    found = next((row for row in now if row.get("key") == label), None)
    if found is None:
        return [*now, {"key": label, "value": value}]
    return [{**row, "value": value} if row is found else row for row in now]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value).strip()


def _date(value: Any, place: Place) -> dict[str, int] | None:
    if value in (None, ""):
        return None
    try:
        day = value if isinstance(value, date) else datetime.fromisoformat(str(value))
    except ValueError:
        sentence = f"Google's field “{place.label}” takes a date only."
        raise ApiError(ErrorKind.DATA, sentence, field=place.member) from None
    return {"year": day.year, "month": day.month, "day": day.day}


def _alike(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> bool:
    """As sets: the order of a list means nothing."""
    return sorted(map(_plain, ours)) == sorted(map(_plain, theirs))


def _plain(row: Mapping[str, Any]) -> str:
    return repr(sorted((key, repr(value)) for key, value in row.items() if value not in (None, "", [], {})))


def _check(sent: Lists) -> None:
    """Raises ApiError (DATA) for what would not fit a contact."""
    for member, rows in sent.items():
        if len(rows) > MOST_VALUES:
            raise ApiError(ErrorKind.DATA, f"A Google contact holds {MOST_VALUES} values of a kind.", field=member)
        if any(len(str(value)) > LONGEST_VALUE for row in rows for value in row.values()) and member != "biographies":
            sentence = f"A value is longer than the {LONGEST_VALUE} characters that Google Contacts keeps; shorten it."
            raise ApiError(ErrorKind.DATA, sentence, field=member)
