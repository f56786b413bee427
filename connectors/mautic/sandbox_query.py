"""The stand-in's lists: filters, order and pages as Mautic's queries have them (sheet 6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from connectors.core.forms import parse_form
from connectors.mautic.sandbox_records import Contact
from connectors.mautic.sandbox_refusals import broken

Test = Callable[[Contact], bool]
_COLUMNS = {"id", "date_added", "date_modified", "last_active", "points"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "neq": lambda a, b: bool(a != b),
    "lt": lambda a, b: bool(a < b),
    "lte": lambda a, b: bool(a <= b),
    "gt": lambda a, b: bool(a > b),
    "gte": lambda a, b: bool(a >= b),
}


def listed(query: Mapping[str, str], contacts: Iterable[Contact], known: Iterable[str]) -> tuple[int, list[Contact]]:
    """(how many there are, those of the page). Refused(500) for a column that does not exist."""
    asked = parse_form(urlencode(query).encode())
    columns = _COLUMNS | set(known)
    tests = _tests(asked.get("where"), columns)
    found = _ordered([c for c in contacts if all(test(c) for test in tests)], query, columns)
    start, limit = int(query.get("start") or 0), int(query.get("limit", 30))
    return len(found), found[start : start + limit] if limit else found[start:]


def selected(query: Mapping[str, str]) -> set[str]:
    chosen = parse_form(urlencode(query).encode()).get("select")
    return set(chosen.values()) if isinstance(chosen, dict) else set()


def _ordered(found: list[Contact], query: Mapping[str, str], columns: set[str]) -> list[Contact]:
    name = query.get("orderBy")
    if not name:
        # By the last activity, which few have: the others come in no order.
        return sorted(found, key=lambda c: c.number * 7919 % 1009)
    if name not in columns:
        raise broken()
    down = query.get("orderByDir", "asc").lower() == "desc"
    return sorted(found, key=lambda c: _comparable(c.column(name)), reverse=down)


def _comparable(value: Any) -> tuple[bool, Any]:
    return value is not None, value if value is not None else 0


def _tests(conditions: Any, columns: set[str]) -> list[Test]:
    listed = conditions.values() if isinstance(conditions, dict) else ()
    return [test for one in listed if (test := _test(one, columns)) is not None]


def _test(condition: Mapping[str, Any], columns: set[str]) -> Test | None:
    """None for an expression that is not known: it is ignored, and lists everybody."""
    expression, value = str(condition.get("expr")), condition.get("val")
    if expression in ("orX", "andX"):
        tests, join = _tests(value, columns), any if expression == "orX" else all
        return lambda c: join(test(c) for test in tests)
    column = re.sub(r"(?<=[a-z])([A-Z])", lambda m: f"_{m[1].lower()}", str(condition.get("col")))
    if column not in columns:
        raise broken()
    if expression in ("in", "notIn"):
        values = {_like_stored(v.strip().strip("\"'"), column) for v in str(value).split(",")}
        return lambda c: (_folded(c.column(column)) in values) is (expression == "in")
    if expression in ("isNull", "isNotNull"):
        return lambda c: (c.column(column) is None) is (expression == "isNull")
    compare = _COMPARE.get(expression)
    if compare is None:
        return None
    other = _like_stored(str(value), column)
    return lambda c: c.column(column) is not None and compare(_folded(c.column(column)), other)


def _like_stored(text: str, column: str) -> Any:
    """Databases compare numbers with numbers, and texts in any letter case."""
    return int(text) if column in ("id", "points") and text.isdigit() else text.lower()


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value
