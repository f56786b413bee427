"""The stand-in's lists: filters, order, pages of 50, and `select` with its masks (sheets 3 and 4)."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.bitrix24.commands import PAGE
from connectors.bitrix24.entities import MULTIFIELDS
from connectors.bitrix24.sandbox_fields import Definitions
from connectors.bitrix24.sandbox_records import ZONE, Records, Row
from connectors.bitrix24.sandbox_refusals import not_found

_OPERATORS = re.compile(r"(>=|<=|!@|!=|!%|=%|%=|!|>|<|=|@|%)?(\w*)")
_DATED = ("date", "datetime")
_EVERYTHING = {"*", "UF_*", *MULTIFIELDS}

Condition = tuple[str, str, Any]


class Lists:
    """Answers `crm.*.list` for the records of one entity."""

    def __init__(self, records: Records, definitions: Definitions) -> None:
        self._records, self._definitions, self._entity = records, definitions, records.entity

    def answer(self, asked: Mapping[str, Any]) -> tuple[list[Row], int, int | None]:
        """(records, total, next); a `start` of -1 counts nothing."""
        for name in ("filter", "order"):
            if asked.get(name) is not None and not isinstance(asked[name], dict) and asked[name] != []:
                raise not_found(f"Parameter '{name}' must be array.")
        conditions = self._conditions(dict(asked.get("filter") or {}))
        order = dict(asked.get("order") or {})
        start, select = int(asked.get("start") or 0), asked.get("select")
        ids = self._ordered(self._narrowed(conditions), order)
        rest = [one for one in conditions if one[1] != "ID"]
        if start < 0:
            found = self._first(ids, rest)
            return [self._shown(row, select) for row in found], 0, None
        if rest:
            ids = [n for n in ids if all(self._fits(self._records.row(n), condition) for condition in rest)]
        start -= start % PAGE
        more = start + PAGE if start + PAGE < len(ids) else None
        page = map(self._records.row, ids[start : start + PAGE])
        return [self._shown(row, select) for row in page], len(ids), more

    def _conditions(self, filters: Mapping[str, Any]) -> list[Condition]:
        """An unknown field is ignored, and everything comes back (sheet 4)."""
        found = []
        for name, value in filters.items():
            operator, field = _OPERATORS.findall(str(name))[0]
            if self._definitions.type_of(self._entity, field):
                found.append((operator or ("@" if isinstance(value, list) else "="), field, value))
        return found

    def _narrowed(self, conditions: Sequence[Condition]) -> Sequence[int]:
        """The ids that may fit, by what needs no look at the records."""
        ids: Sequence[int] = self._records.ids
        for operator, field, value in conditions:
            if field == "ORIGIN_ID" and operator == "@":
                known = (self._records.origins.get(str(one)) for one in value)
                ids = sorted({number for number in known if number is not None})
            elif field == "DATE_MODIFY" and operator in (">", ">=") and _time(value) > self._records.filled_at:
                ids = sorted(self._records.kept)
        for operator, field, value in conditions:
            if field == "ID":
                ids = _by_id(ids, operator, value)
        return ids

    def _ordered(self, ids: Sequence[int], order: Mapping[str, Any]) -> Sequence[int]:
        name, direction = next(iter(order.items()), ("ID", "ASC"))
        if name != "ID":
            ids = sorted(ids, key=lambda number: str(self._records.row(number).get(name) or ""))
        return ids[::-1] if str(direction).upper() == "DESC" else ids

    def _first(self, ids: Iterable[int], conditions: Sequence[Condition]) -> list[Row]:
        found: list[Row] = []
        for number in ids:
            row = self._records.row(number)
            if all(self._fits(row, condition) for condition in conditions):
                found.append(row)
            if len(found) == PAGE:
                break
        return found

    def _fits(self, row: Row, condition: Condition) -> bool:
        operator, field, wanted = condition
        held = row.get(field)
        if field in MULTIFIELDS:
            return any(_compare(operator, str(one["VALUE"]), wanted) for one in held or ())
        if self._definitions.type_of(self._entity, field) in _DATED and operator in (">", ">=", "<", "<="):
            return bool(held) and _ranked(operator, _time(held).timestamp(), _time(wanted).timestamp())
        return _compare(operator, "" if held in (None, False) else str(held), wanted)

    def _shown(self, row: Row, select: Any) -> Row:
        names = list(select) if isinstance(select, list | tuple) and select else ["*", "UF_*"]
        if set(names) >= _EVERYTHING:
            return row
        shown = {}
        for name, value in row.items():
            is_user = name.startswith("UF_")
            masked = name not in MULTIFIELDS and ("UF_*" if is_user else "*") in names
            if masked or name in names:
                shown[name] = value
        return shown


def _by_id(ids: Sequence[int], operator: str, value: Any) -> Sequence[int]:
    """By bisection, as ids are in order. Nothing to compare with counts as 0: greater than nothing is everything."""
    if operator in ("@", "="):
        wanted = {int(one) for one in (value if isinstance(value, list) else [value]) if str(one).isdigit()}
        return [n for n in sorted(wanted) if (at := bisect.bisect_left(ids, n)) < len(ids) and ids[at] == n]
    number = int(value) if str(value).isdigit() else 0
    match operator:
        case ">":
            return ids[bisect.bisect_right(ids, number) :]
        case ">=":
            return ids[bisect.bisect_left(ids, number) :]
        case "<":
            return ids[: bisect.bisect_left(ids, number)]
        case "<=":
            return ids[: bisect.bisect_right(ids, number)]
    return ids


def _compare(operator: str, held: str, wanted: Any) -> bool:
    if operator in ("@", "!@"):
        listed = {str(one).lower() for one in (wanted if isinstance(wanted, list) else [wanted])}
        return (held.lower() in listed) is (operator == "@")
    text = "" if wanted is None else str(wanted)
    match operator:
        case "=":
            return held.lower() == text.lower()
        case "!" | "!=":
            return held.lower() != text.lower()
        case "%":
            return text.lower() in held.lower()
    return _ranked(operator, held, text)


def _ranked(operator: str, held: Any, wanted: Any) -> bool:
    match operator:
        case ">":
            return bool(held > wanted)
        case ">=":
            return bool(held >= wanted)
        case "<":
            return bool(held < wanted)
    return bool(held <= wanted)


def _time(text: Any) -> datetime:
    """Without an offset it is the server's time."""
    at = datetime.fromisoformat(str(text))
    return at if at.tzinfo else at.replace(tzinfo=ZONE)
