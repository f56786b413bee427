"""Patients from the clinic's database: all, the changed ones, or some by id; a fixed number of statements a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from connectors.core.clock import Clock
from connectors.core.fanout import batched
from connectors.core.types import Page, ReadMode, ReadQuery, RemoteRecord
from connectors.ident import patients, visits
from connectors.ident.changes import REMEMBERED, Found, Position, Totals
from connectors.ident.configuration import Source
from connectors.ident.database import Database
from connectors.ident.statements import PATIENT_COLUMNS, Statements

PAGE = 2000
# Above 2,048 values the engine makes a temporary table on the server; 2,100 are the protocol's limit (sheet 4.2).
IDS_AT_ONCE = 1000
_LARGEST_ID = 2**31 - 1
_ARCHIVED = PATIENT_COLUMNS.index("is_archived")


class Reader:
    """The three ways of reading. The connection is let go of at the end of each, and when the pages are not taken."""

    def __init__(self, database: Database, statements: Statements, source: Source, clock: Clock) -> None:
        self._database, self._statements = database, statements
        self._source, self._clock = source, clock

    def read(self, query: ReadQuery) -> Iterator[Page]:
        """Raises ApiError."""
        ways = {ReadMode.FULL: self._everything, ReadMode.CHANGES: self._changes, ReadMode.IDS: self._by_ids}
        try:
            for page in ways[query.mode](query):
                self._database.pause()
                yield page
        finally:
            self._database.release()

    def today(self) -> date:
        """The clinic's date now: ages are as of it."""
        return self._clock.now().astimezone(self._source.zone).date()

    def _everything(self, query: ReadQuery) -> Iterator[Page]:
        """By ascending id. What changes meanwhile is told by the changes since before the first page."""
        limit = min(query.limit or PAGE, PAGE)
        cursor = dict(query.cursor) if query.cursor else self._beginning()
        after = int(cursor.pop("after", 0))
        while True:
            rows = self._database.rows("patients", self._statements.page(limit), [after])
            more = len(rows) == limit
            records = self._with_visits(rows, self._visits_between(after, rows))
            after = int(rows[-1][0]) if rows else after
            yield Page(records, {**cursor, "after": after} if more else cursor, last=not more)
            if not more:
                return

    def _beginning(self) -> dict[str, Any]:
        """Where the changes that follow a full read begin: at the newest one before it."""
        newest, clock = self._database.rows("changes", self._statements.latest())[0]
        position = Position(watermark=str(newest) if newest is not None else None)
        start = Position(position.finished(str(clock), self._source.overlap, self._source.zone)["watermark"])
        moment = start.start(self._source.overlap, self._source.zone)
        totals = self._totals(moment)
        rows = self._database.rows("changes", self._statements.changes(REMEMBERED), [moment, 0])
        found = Found.of(rows, REMEMBERED, after=0)
        if found.after is not None:
            return {"watermark": start.watermark, "recent": {}, "large": True, "totals": totals}
        return {"watermark": start.watermark, "recent": found.stamps}

    def _changes(self, query: ReadQuery) -> Iterator[Page]:
        """One statement while nothing changes. A patient of the list who is no longer there was deleted."""
        source = self._source
        limit = min(query.limit or PAGE, PAGE)
        position = self._position(query)
        start = position.start(source.overlap, source.zone)
        if position.large:
            position.before = self._totals(start)
            if position.before == position.totals:
                yield Page([], position.unchanged(), last=True)
                return
        while True:
            rows = self._database.rows("changes", self._statements.changes(limit), [start, position.after])
            found = Found.of(rows, limit, after=position.after)
            records, absent = self._of_ids([int(patient) for patient in position.news(found, start)])
            position.take(found)
            if found.after is None:
                cursor = position.finished(found.clock, source.overlap, source.zone)
                if cursor.get("large"):
                    cursor["totals"] = self._certain_totals(cursor, start, position.before)
                yield Page(records, cursor, last=True, deleted_ids=absent)
                return
            yield Page(records, position.unfinished(), deleted_ids=absent)

    def _certain_totals(self, cursor: Mapping[str, Any], start: datetime, before: Totals | None) -> Totals | None:
        """Those of the next look's changes, if nothing was added since this one began: then it has met them all."""
        if before is None:
            return None
        totals = self._totals(Position.from_cursor(cursor).start(self._source.overlap, self._source.zone))
        return totals if self._totals(start) == before else None

    def _totals(self, moment: datetime) -> Totals:
        (row,) = self._database.rows("changes", self._statements.totals(), [moment])
        return [int(value or 0) for value in row]

    def _position(self, query: ReadQuery) -> Position:
        if query.cursor is not None:
            return Position.from_cursor(query.cursor)
        if query.since is None:
            return Position()
        local = query.since.astimezone(self._source.zone).replace(tzinfo=None)
        return Position(watermark=local.isoformat(timespec="seconds"))

    def _by_ids(self, query: ReadQuery) -> Iterator[Page]:
        batches = list(batched(dict.fromkeys(query.ids), min(query.limit or IDS_AT_ONCE, IDS_AT_ONCE)))
        for number, ids in enumerate(batches, 1):
            known = [int(i) for i in ids if i.isascii() and i.isdigit() and 0 < int(i) <= _LARGEST_ID]
            records, absent = self._of_ids(known)
            strange = [i for i in ids if i not in {str(patient) for patient in known}]
            yield Page(records, last=number == len(batches), deleted_ids=[*absent, *strange])

    def _of_ids(self, ids: Sequence[int]) -> tuple[list[RemoteRecord], list[str]]:
        """The patients that are to be read, and the ids that no patient has: two statements per 1,000."""
        records: list[RemoteRecord] = []
        absent: list[str] = []
        for some in batched(ids, IDS_AT_ONCE):
            rows = self._database.rows("patients", self._statements.patients(len(some)), some)
            there = {int(row[0]) for row in rows}
            absent += [str(i) for i in some if i not in there]
            if self._source.only_active:
                rows = [row for row in rows if not patients.whole(row[_ARCHIVED])]
            if rows:
                held = self._database.rows("receptions", self._statements.visits_of(len(some)), some)
                records += self._with_visits(rows, held)
        return records, absent

    def _visits_between(self, after: int, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        if not rows:
            return []
        return self._database.rows("receptions", self._statements.visits_between(), [after, int(rows[-1][0])])

    def _with_visits(self, rows: Sequence[Sequence[Any]], held: Sequence[Sequence[Any]]) -> list[RemoteRecord]:
        by_patient, today = visits.grouped(held), self.today()
        return [patients.record(row, by_patient.get(int(row[0]), ()), self._source, today) for row in rows]
