"""What the stand-in stores of one entity: records in the form in which lists show them, some made up when read."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from connectors.bitrix24.entities import EMAIL, MULTIFIELDS, PHONE
from connectors.bitrix24.sandbox_examination import checked
from connectors.bitrix24.sandbox_fields import READ_ONLY, Definitions
from connectors.bitrix24.sandbox_refusals import core, not_found
from connectors.core.clock import Clock

# The server's zone, which is not that of the people.
ZONE = timezone(timedelta(hours=3))
_NOT_DIGITS = re.compile(r"\D", re.ASCII)

Row = dict[str, Any]


class Records:
    """The records of one entity by id. The first `filled` ids exist without being kept: `make` makes them when read.

    They were last changed at `filled_at`. `announce(action, id)` is told of every change.
    """

    def __init__(
        self, entity: str, clock: Clock, definitions: Definitions, announce: Callable[[str, str, int], None]
    ) -> None:
        self.entity, self._clock, self._definitions, self._announce = entity, clock, definitions, announce
        # A range as long as it is as it was filled: parts of it cost nothing.
        self.ids: Sequence[int] = []
        self.kept: dict[int, Row] = {}
        self.origins: dict[str, int] = {}
        self.filled_at = clock.now()
        self._make: Callable[[int, Row], Row] = lambda number, row: row
        self._empty: Row = {}
        self._version = -1
        self._next, self._next_value = 1, 1
        self._reached: dict[tuple[str, str], set[int]] | None = None

    def fill(self, count: int, make: Callable[[int, Row], Row]) -> None:
        """`count` records with the ids from 1 on, last changed a year ago."""
        self.filled_at = self._clock.now() - timedelta(days=365)
        self._make, self.ids, self._next = make, range(1, count + 1), count + 1

    def row(self, number: int) -> Row:
        """A record with all fields that there are now. Raises Refused when there is none."""
        if self._version != self._definitions.version:
            self._empty, self._version = self._definitions.empty(self.entity), self._definitions.version
        kept = self.kept.get(number)
        if kept is not None:
            known = {k: v for k, v in kept.items() if not k.startswith("UF_") or k in self._empty}
            return {**self._empty, **known}
        place = bisect.bisect_left(self.ids, number)
        if place == len(self.ids) or self.ids[place] != number:
            raise not_found()
        stamp = self._stamp(self.filled_at)
        return self._make(number, {**self._empty, "ID": str(number), "DATE_CREATE": stamp, "DATE_MODIFY": stamp})

    def add(self, fields: Any, **given: Any) -> int:
        """`given` values are put in as they are, such as the DATE_MODIFY of an import."""
        wanted = self._checked(fields)
        number, now = self._next, self._stamp(self._clock.now())
        self._next += 1
        self.ids = self._listed()
        self.ids.append(number)
        stamps = {"ID": str(number), "DATE_CREATE": now, "DATE_MODIFY": now, "CREATED_BY_ID": "1", "MODIFY_BY_ID": "1"}
        self.kept[number] = {**stamps, "OPENED": "Y", "ASSIGNED_BY_ID": "1"}
        self._put(number, wanted)
        self.kept[number].update(given)
        self._announce(self.entity, "ADD", number)
        return number

    def update(self, number: int, fields: Any) -> None:
        wanted = self._checked(fields)
        self.kept[number] = self.row(number)
        self._forget(number)
        self._put(number, wanted)
        self.kept[number]["DATE_MODIFY"] = self._stamp(self._clock.now())
        self._announce(self.entity, "UPDATE", number)

    def delete(self, number: int) -> None:
        self.row(number)
        self._forget(number)
        self.kept.pop(number, None)
        self.ids = self._listed()
        self.ids.remove(number)
        self._announce(self.entity, "DELETE", number)

    def every(self) -> Iterator[Row]:
        return (self.row(number) for number in self.ids)

    def reached_by(self, kind: str, values: Iterable[str]) -> list[int]:
        """The ids of the records with one of these addresses or numbers, by an index that ignores spelling."""
        if self._reached is None:
            self._reached = {}
            for row in self.every():
                self._index(int(row["ID"]), row)
        found = {number for value in values for number in self._reached.get((kind, _plain(kind, value)), ())}
        return sorted(found)

    def _listed(self) -> list[int]:
        return self.ids if isinstance(self.ids, list) else list(self.ids)

    def _checked(self, fields: Any) -> dict[str, Any]:
        if not isinstance(fields, dict) and fields != []:
            raise not_found("Parameter 'fields' must be array.")
        known = {n: v for n, v in dict(fields).items() if self._definitions.type_of(self.entity, n)}
        wanted = {name: value for name, value in known.items() if name not in READ_ONLY}
        for name, value in wanted.items():
            checked(name, value, self._definitions.type_of(self.entity, name))
        return wanted

    def _put(self, number: int, wanted: Mapping[str, Any]) -> None:
        row = self.kept[number]
        for name, value in wanted.items():
            if name in MULTIFIELDS:
                self._put_rows(row, name, value)
            elif self._definitions.is_multiple(self.entity, name):
                row[name] = [str(v) for v in value] if isinstance(value, list) and value else False
            else:
                row[name] = _stored(value, self._definitions.type_of(self.entity, name))
        row["HAS_PHONE"], row["HAS_EMAIL"] = ("Y" if row.get(code) else "N" for code in (PHONE, EMAIL))
        if row.get("ORIGIN_ID"):
            self.origins[row["ORIGIN_ID"]] = number
        self._index(number, row)

    def _put_rows(self, row: Row, name: str, value: Any) -> None:
        """Rows without an id are added, with one they change that value, or remove it (sheet 9)."""
        held = [dict(one) for one in row.get(name) or ()]
        for sent in value if isinstance(value, list) else ():
            known = next((one for one in held if one["ID"] == str(sent.get("ID", ""))), None)
            if sent.get("DELETE") == "Y" or (known is not None and not sent.get("VALUE")):
                held = [one for one in held if one is not known]
            elif known is not None:
                known.update({k: str(v) for k, v in sent.items() if k in ("VALUE", "VALUE_TYPE")})
            elif sent.get("ID"):
                raise core("The value to change is not there.")
            elif sent.get("VALUE"):
                self._next_value += 1
                kind = str(sent.get("VALUE_TYPE") or "WORK")
                new = {"ID": str(self._next_value), "VALUE_TYPE": kind, "VALUE": str(sent["VALUE"]), "TYPE_ID": name}
                held.append(new)
        # An empty list is absent from the record.
        row.pop(name, None)
        if held:
            row[name] = held

    def _index(self, number: int, row: Row) -> None:
        for kind in (EMAIL, PHONE) if self._reached is not None else ():
            for one in row.get(kind) or ():
                self._reached.setdefault((kind, _plain(kind, one["VALUE"])), set()).add(number)  # type: ignore[union-attr]

    def _forget(self, number: int) -> None:
        """What the record was found by."""
        row = self.row(number)
        self.origins.pop(str(row.get("ORIGIN_ID")), None)
        for kind in (EMAIL, PHONE) if self._reached is not None else ():
            for one in row.get(kind) or ():
                self._reached.get((kind, _plain(kind, one["VALUE"])), set()).discard(number)  # type: ignore[union-attr]

    def _stamp(self, at: datetime) -> str:
        return at.astimezone(ZONE).isoformat(timespec="seconds")


def _plain(kind: str, text: str) -> str:
    return _NOT_DIGITS.sub("", text)[-10:] if kind == PHONE else text.strip().lower()


def _stored(value: Any, kind: str) -> Any:
    """As lists show it: nearly everything is a text, and a day is its midnight in the server's zone."""
    text = "" if value is None else str(value)
    if kind == "date" and text:
        return f"{text[:10]}T00:00:00+03:00"
    if kind == "datetime" and text:
        return datetime.fromisoformat(text).astimezone(ZONE).isoformat(timespec="seconds")
    if kind == "boolean":
        return "1" if text in ("1", "Y") else "0"
    return text if text or kind in ("string", "date", "datetime") else None
