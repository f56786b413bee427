"""Two values of one field put together, so that neither loses anything: the meaning of the mode *append*. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.core.types import MultiValue
from contacts.phones import normalize_phone

NEW_LINE = "\n"
_PHONE = re.compile(r"[+\d][\d\s().\-]{6,}", re.ASCII)


def appended(held: Any, added: Any, region: str, separator: str = NEW_LINE) -> Any:
    """`held` and, behind it, what `added` has and `held` has not.

    Of lists, values that mean the same are one: letter case does not count, and phones are compared in E.164 with the
    default `region` (none: as they are). A text goes behind `separator` unless it is contained already. Anything else
    cannot be added to: what is held stays.
    """
    if isinstance(held, list | tuple) or isinstance(added, list | tuple):
        return _joined(_several(held), _several(added), region)
    if isinstance(held, str) and isinstance(added, str):
        return held if added in held else held + separator + added
    return held


def _joined(held: Sequence[Any], added: Sequence[Any], region: str) -> list[Any]:
    known = {_identity(value, region) for value in held}
    fresh = {_identity(value, region): value for value in reversed(added)}
    return [*held, *(_secondary(fresh[key], bool(held)) for key in reversed(fresh) if key not in known)]


def _several(value: Any) -> list[Any]:
    return [_thawed(item) for item in value] if isinstance(value, list | tuple) else [value]


def _thawed(item: Any) -> Any:
    """A value of several as connectors give it; snapshots keep the same as an object of JSON."""
    if isinstance(item, Mapping) and "value" in item:
        return MultiValue(str(item["value"] or ""), str(item.get("label") or ""), bool(item.get("primary")))
    return item


def _secondary(value: Any, others: bool) -> Any:
    """Only one value of a list is the primary one."""
    return replace(value, primary=False) if others and isinstance(value, MultiValue) else value


def _identity(value: Any, region: str) -> str:
    text = str(value.value if isinstance(value, MultiValue) else value).strip()
    return normalize_phone(text, region).value if region and _PHONE.fullmatch(text) else text.casefold()
