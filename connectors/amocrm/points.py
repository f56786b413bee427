"""Phones and e-mails of a record: comparing spellings, and merging lists without losing what only amoCRM knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import phonenumbers

from connectors.core.types import MultiValue

_NOT_DIGITS = re.compile(r"\D", re.ASCII)
_CODES = {
    "EMAIL": {"work": "WORK", "home": "PRIV", "private": "PRIV", "other": "OTHER"},
    "PHONE": {"work": "WORK", "home": "HOME", "mobile": "MOB", "mob": "MOB", "fax": "FAX", "other": "OTHER"},
}
_LABELS = {"WORK": "work", "WORKDD": "work", "PRIV": "home", "HOME": "home", "MOB": "mobile", "FAX": "fax"}

Same = Callable[[str], str]


def same_email(text: str) -> str:
    """The form in which two spellings of an address are equal."""
    return text.strip().lower()


@lru_cache(maxsize=16_384)
def same_phone(text: str, region: str) -> str:
    """The form in which two spellings of a number are equal: E.164, or bare digits where it is none."""
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return _NOT_DIGITS.sub("", text)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def comparer(key: str, region: str) -> Same:
    """How values of the field EMAIL or PHONE are compared."""
    return same_email if key == "EMAIL" else lambda text: same_phone(text, region)


def decode_points(held: Iterable[Mapping[str, Any]]) -> list[MultiValue]:
    """A multitext field's rows; the first one is the primary."""
    filled = [row for row in held if row.get("value")]
    return [MultiValue(str(row["value"]), _label(row), primary=i == 0) for i, row in enumerate(filled)]


def _label(row: Mapping[str, Any]) -> str:
    # Documentation samples say `enum` where accounts answer `enum_code`.
    return _LABELS.get(str(row.get("enum_code") or row.get("enum") or ""), "")


def points(value: Any) -> list[MultiValue]:
    """Values as a rule may give them: a list of MultiValue, the same from a snapshot, or one text."""
    if value in (None, "", []):
        return []
    found = []
    for item in value if isinstance(value, list | tuple) else [value]:
        if isinstance(item, Mapping):
            item = MultiValue(str(item.get("value") or ""), str(item.get("label") or ""))
        elif not isinstance(item, MultiValue):
            item = MultiValue(str(item))
        if item.value:
            found.append(item)
    return found


def rows(key: str, value: Any) -> list[dict[str, str]]:
    """New values as amoCRM takes them."""
    return [_row(key, point) for point in points(value)]


def _row(key: str, point: MultiValue) -> dict[str, str]:
    return {"value": point.value, "enum_code": _CODES[key].get(point.label.lower(), "WORK")}


def merged(
    key: str, theirs: Sequence[Mapping[str, Any]], ours: Any, before: Any, same: Same
) -> list[dict[str, Any]] | None:
    """All values to send, as a PATCH replaces them all; None when theirs are right already.

    Theirs stay, in their order and spelling, except those that both sides had (`before`) and the hub no longer has.
    """
    wanted = points(ours)
    keep = {same(point.value) for point in wanted}
    gone = {same(point.value) for point in points(before)} - keep
    held = [row for row in theirs if row.get("value")]
    kept = [row for row in held if same(str(row["value"])) not in gone]
    known = {same(str(row["value"])) for row in kept}
    added = []
    for point in wanted:
        if same(point.value) not in known:
            known.add(same(point.value))
            added.append(_row(key, point))
    if not added and len(kept) == len(held):
        return None
    return [_resent(row) for row in kept] + added


def _resent(row: Mapping[str, Any]) -> dict[str, Any]:
    code = row.get("enum_code") or row.get("enum")
    by_id = {"enum_id": row["enum_id"]} if row.get("enum_id") else {}
    return {"value": row["value"], **({"enum_code": code} if code else by_id)}
