"""Phones and e-mails: comparing spellings, and merging lists without losing what only Google knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import phonenumbers

from connectors.core.types import MultiValue
from connectors.google.fields import EMAILS

_NOT_DIGITS = re.compile(r"\D", re.ASCII)

Same = Callable[[str], str]


def same_email(text: str) -> str:
    """The form in which two spellings of an address are equal."""
    return text.strip().lower()


@lru_cache(maxsize=16_384)
def same_phone(text: str, region: str) -> str:
    """The form in which two spellings of a number are equal: E.164, or bare digits where it is none.

    Google's own `canonicalForm` is absent for what it cannot parse, and hangs on the account's country (sheet 4.2).
    """
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return _NOT_DIGITS.sub("", text)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def comparer(member: str, region: str) -> Same:
    """How values of the list are compared."""
    return same_email if member == EMAILS else lambda text: same_phone(text, region)


def points(value: Any) -> list[MultiValue]:
    """Values as a rule may give them: a list of MultiValue, the same from a snapshot, or one text."""
    if value in (None, "", []):
        return []
    found = []
    for item in value if isinstance(value, list | tuple) else [value]:
        if isinstance(item, Mapping):
            item = MultiValue(str(item.get("value") or ""), str(item.get("label") or ""), bool(item.get("primary")))
        elif not isinstance(item, MultiValue):
            item = MultiValue(str(item))
        if item.value.strip():
            found.append(item)
    return found


def merged(theirs: Sequence[Mapping[str, Any]], ours: Any, before: Any, same: Same) -> list[dict[str, Any]]:
    """All entries that the list is to have, as an update replaces it whole; `theirs` itself when they are right.

    Theirs stay, in their spelling, except those that both sides had (`before`) and the hub no longer has. A label or
    the main entry follows the hub where the hub has changed it since.
    """
    wanted, agreed = points(ours), {same(point.value): point for point in points(before)}
    keep = {same(point.value): point for point in wanted}
    kept = [_labelled(row, keep, agreed, same) for row in theirs if _stays(row, keep, agreed, same)]
    known = {same(str(row["value"])) for row in kept}
    for point in wanted:
        if same(point.value) not in known:
            known.add(same(point.value))
            kept.append({"value": point.value.strip(), **({"type": point.label} if point.label else {})})
    return _with_main(kept, _new_main(wanted, agreed, same), same)


def _stays(
    row: Mapping[str, Any], keep: Mapping[str, MultiValue], agreed: Mapping[str, MultiValue], same: Same
) -> bool:
    spelled = same(str(row.get("value") or ""))
    return bool(row.get("value")) and (spelled in keep or spelled not in agreed)


def _labelled(
    row: Mapping[str, Any], keep: Mapping[str, MultiValue], agreed: Mapping[str, MultiValue], same: Same
) -> dict[str, Any]:
    ours, was = keep.get(same(str(row["value"]))), agreed.get(same(str(row["value"])))
    changed = ours is not None and was is not None and ours.label not in ("", was.label)
    return {**row, "type": ours.label} if changed and ours is not None else dict(row)


def _new_main(wanted: Sequence[MultiValue], agreed: Mapping[str, MultiValue], same: Same) -> str:
    """The hub's main value where it has another one than was agreed on, else ""."""
    ours = _main(wanted, same)
    return ours if agreed and ours != _main(agreed.values(), same) else ""


def _main(listed: Iterable[MultiValue], same: Same) -> str:
    return next((same(point.value) for point in listed if point.primary), "")


def _with_main(rows: list[dict[str, Any]], main: str, same: Same) -> list[dict[str, Any]]:
    if not main or not any(same(str(row["value"])) == main for row in rows):
        return rows
    return [_marked(row, same(str(row["value"])) == main) for row in rows]


def _marked(row: Mapping[str, Any], main: bool) -> dict[str, Any]:
    metadata = {**row.get("metadata", {}), "primary": main, "sourcePrimary": main}
    return {**row, "metadata": metadata}
