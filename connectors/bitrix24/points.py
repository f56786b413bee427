"""Phones and e-mails of a record: comparing spellings, and what to send so that none is lost or doubled (sheet 9)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import phonenumbers

from connectors.bitrix24.entities import EMAIL
from connectors.core.types import MultiValue

_NOT_DIGITS = re.compile(r"\D", re.ASCII)
_CODES = {
    "EMAIL": {"work": "WORK", "home": "HOME", "private": "HOME", "other": "OTHER"},
    "PHONE": {"work": "WORK", "home": "HOME", "mobile": "MOBILE", "fax": "FAX", "other": "OTHER"},
}
_LABELS = {"WORK": "work", "HOME": "home", "MOBILE": "mobile", "FAX": "fax"}

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
    return same_email if key == EMAIL else lambda text: same_phone(text, region)


def spellings(phone: str, region: str) -> list[str]:
    """How a number may be stored: as typed, in E.164, and with the trunk prefix of its country."""
    found = [phone, same_phone(phone, region)]
    try:
        parsed = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return list(dict.fromkeys(found))
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return list(dict.fromkeys([*found, _NOT_DIGITS.sub("", national)]))


def rows_of(held: Any) -> list[Mapping[str, Any]]:
    """The filled rows of a multifield as it was read; absent, null and empty are all none (sheet 5)."""
    return [row for row in held if isinstance(row, dict) and row.get("VALUE")] if isinstance(held, list) else []


def decode_points(held: Any) -> list[MultiValue]:
    """A multifield's rows; the first one is the primary."""
    filled = rows_of(held)
    return [
        MultiValue(str(row["VALUE"]), _LABELS.get(str(row.get("VALUE_TYPE") or ""), ""), primary=i == 0)
        for i, row in enumerate(filled)
    ]


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


def new_rows(key: str, wanted: Iterable[MultiValue]) -> list[dict[str, str]]:
    """Rows without an id: the portal adds them."""
    codes = _CODES[key]
    return [{"VALUE": p.value, "VALUE_TYPE": codes.get(p.label.lower(), "WORK")} for p in wanted]


def changes(key: str, theirs: Sequence[Mapping[str, Any]], ours: Any, before: Any, same: Same) -> list[dict[str, str]]:
    """The rows to send: what is missing is added, and by its id goes what both had (`before`) and the hub gave up.

    What only the portal knows stays, as rows that are not sent are kept (sheet 9).
    """
    wanted = points(ours)
    keep = {same(point.value) for point in wanted}
    gone = {same(point.value) for point in points(before)} - keep
    removed = [row for row in theirs if same(str(row["VALUE"])) in gone and row.get("ID")]
    known = {same(str(row["VALUE"])) for row in theirs}
    added = []
    for point in wanted:
        if same(point.value) not in known:
            known.add(same(point.value))
            added.append(point)
    return [{"ID": str(row["ID"]), "DELETE": "Y"} for row in removed] + new_rows(key, added)
