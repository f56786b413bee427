"""Rows into a mirrored table: what is new by COPY, what changed by COPY and one update, the rest is left alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter

from django.db import DataError, IntegrityError, OperationalError
from psycopg import sql

from syncjobs.mirror import database
from syncjobs.mirror.layout import Layout, Row, id_fits
from syncjobs.mirror.names import DELETED_AT, HASH, ID, RAW, SYNCED_AT, quoted
from syncjobs.mirror.schema import Table
from syncjobs.mirror.types import ColumnType

log = logging.getLogger(__name__)

_HELD = "SELECT {id}::text, {hash}::text, {deleted} IS NULL FROM {table} WHERE {id} = ANY(%s::{id_type}[])"
_STAGE = """
CREATE TEMPORARY TABLE mirror_stage ON COMMIT DROP AS SELECT {id}, {names} FROM {table} WITH NO DATA
"""
_APPLY = """
UPDATE {table} t SET ({names}, {synced}, {deleted}) = ROW({staged}, clock_timestamp(), NULL)
FROM mirror_stage s WHERE t.{id} = s.{id}
"""
_DELETE = """
UPDATE {table} SET {deleted} = clock_timestamp(), {synced} = clock_timestamp()
WHERE {id} = ANY(%s::{id_type}[]) AND {deleted} IS NULL
"""
_NOTE = "INSERT INTO {seen} (entity, id) SELECT %s, unnest(%s::text[])"
_FORGET = "DELETE FROM {seen} WHERE entity = %s"
_MISSING = """
SELECT {id}::text FROM {table} t WHERE {deleted} IS NULL AND {synced} < %s
    AND NOT EXISTS (SELECT FROM {seen} s WHERE s.entity = %s AND s.id = t.{id}::text)
"""

_ID = itemgetter(0)


@dataclass
class Stored:
    """What storing rows came to. `refused` are those that PostgreSQL took with bare columns only."""

    created: int = 0
    updated: int = 0
    unchanged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Loader:
    """Writes one table. Every call takes the same number of statements, however many rows there are."""

    def __init__(self, table: Table, layout: Layout) -> None:
        self.table, self.layout = table, layout
        self._names = {
            "id": quoted(ID), "hash": quoted(HASH), "deleted": quoted(DELETED_AT), "synced": quoted(SYNCED_AT),
            "table": table.name, "seen": table.seen, "id_type": sql.SQL(layout.id_type),
        }  # fmt: skip
        written = [HASH, *layout.filled, RAW]
        self._names["names"] = sql.SQL(", ").join(map(quoted, written))
        self._names["staged"] = sql.SQL(", ").join(sql.SQL("s.{}").format(quoted(name)) for name in written)

    def store(self, rows: Sequence[Row]) -> Stored:
        """Stores each row once. One that PostgreSQL refuses keeps its values beside its columns."""
        stored = Stored()
        if self._stored_as_new(rows):
            stored.created = len(rows)
            return stored
        latest = {row.id: row for row in rows}
        held = self._held(list(latest))
        new, changed = [], []
        for row in latest.values():
            known = held.get(row.id)
            if known is None:
                new.append(row)
            elif known == (row.mark, True):
                stored.unchanged.append(row.id)
            else:
                changed.append(row)
        stored.created, stored.updated = len(new), len(changed)
        if new:
            self._halving(new, self._copy_new, stored.refused)
        if changed:
            self._halving(changed, self._change, stored.refused)
        return stored

    def delete(self, ids: Sequence[str]) -> int:
        """Marks records as deleted; answers how many were not so before."""
        with database.cursor() as cursor:
            cursor.execute(self._sql(_DELETE), [self._keys(ids)])
            return int(cursor.rowcount)

    def note(self, ids: Sequence[str]) -> None:
        """A full read has met these rows and found them unchanged."""
        with database.cursor() as cursor:
            cursor.execute(self._sql(_NOTE), [self.table.table, list(ids)])

    def forget_notes(self) -> None:
        with database.cursor() as cursor:
            cursor.execute(self._sql(_FORGET), [self.table.table])

    def missing(self, since: object) -> list[str]:
        """Rows that a full read begun at `since`, by this database's clock, has neither written nor met."""
        with database.cursor() as cursor:
            cursor.execute(self._sql(_MISSING), [since, self.table.table])
            return [row[0] for row in cursor.fetchall()]

    def live(self) -> int:
        with database.cursor() as cursor:
            cursor.execute(self._sql("SELECT count(*) FROM {table} WHERE {deleted} IS NULL"))
            return int(cursor.fetchone()[0])

    @cached_property
    def _highest(self) -> int | None:
        """The highest id that the table had before this run; None where ids are no numbers."""
        if self.layout.id_type != ColumnType.BIGINT:
            return None
        with database.cursor() as cursor:
            cursor.execute(self._sql("SELECT coalesce(max({id}), 0) FROM {table}"))
            return int(cursor.fetchone()[0])

    def _stored_as_new(self, rows: Sequence[Row]) -> bool:
        """Rows above all that were there need not be looked up first. False when that turns out to be wrong."""
        if self._highest is None or not rows or min(map(int, map(_ID, rows))) <= self._highest:
            return False
        try:
            with database.attempt():
                self._copy_new(rows)
        except (IntegrityError, DataError, OperationalError) as e:
            log.info("rows of %s were not stored at once: %s", self.table.table, type(e).__name__)
            return False
        return True

    def _sql(self, statement: str) -> sql.Composed:
        return sql.SQL(statement).format(**self._names)

    def _keys(self, ids: Sequence[str]) -> list[str]:
        return [i for i in ids if id_fits(i, self.layout.id_type)]

    def _held(self, ids: list[str]) -> dict[str, tuple[str, bool]]:
        with database.cursor() as cursor:
            cursor.execute(self._sql(_HELD), [ids])
            return {number: (mark.replace("-", ""), alive) for number, mark, alive in cursor.fetchall()}

    def _halving(self, rows: Sequence[Row], write: Callable[[Sequence[Row]], None], refused: list[str]) -> None:
        """Writes the rows; those that PostgreSQL refuses are found by halving, and written bare."""
        waiting = [list(rows)]
        while waiting:
            part = waiting.pop()
            try:
                with database.attempt():
                    write(part)
            except (DataError, OperationalError) as e:
                # Limits of the program, such as the size of a row, are operational errors in psycopg.
                if isinstance(e, OperationalError) and not _is_limit(e):
                    raise
                if len(part) == 1:
                    log.warning("a row of %s was refused: %s", self.table.table, type(e).__name__)
                    refused.append(part[0].id)
                    with database.attempt():
                        write([self.layout.bare(part[0])])
                    continue
                half = len(part) // 2
                waiting += [part[half:], part[:half]]

    def _copy_new(self, rows: Sequence[Row]) -> None:
        self._copy(self.table.name, rows)

    def _change(self, rows: Sequence[Row]) -> None:
        with database.cursor() as cursor:
            cursor.execute(self._sql(_STAGE))
        self._copy(quoted("mirror_stage"), rows)
        with database.cursor() as cursor:
            cursor.execute(self._sql(_APPLY))
            # Of a table that lives as long as the transaction, another page may need one of its own.
            cursor.execute("DROP TABLE mirror_stage")

    def _copy(self, target: sql.Composable, rows: Sequence[Row]) -> None:
        statement = sql.SQL("COPY {target} ({id}, {names}) FROM STDIN").format(target=target, **self._pick())
        database.copy(statement, b"".join([row.line for row in rows]))

    def _pick(self) -> dict[str, sql.Composable]:
        return {name: self._names[name] for name in ("id", "names")}


def _is_limit(error: OperationalError) -> bool:
    """Whether PostgreSQL says that a limit of the program is exceeded: class 54 of its error codes."""
    return str(getattr(error.__cause__, "sqlstate", "") or "").startswith("54")
