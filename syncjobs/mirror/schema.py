"""Makes a mirrored table, grows it with the remote's fields, and remembers what happened to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import Error
from django.utils import timezone
from psycopg import sql

from connectors.core.types import FieldSpec
from syncjobs.mirror import database, fields, views
from syncjobs.mirror.columns import Column
from syncjobs.mirror.fields import Step
from syncjobs.mirror.layout import Layout
from syncjobs.mirror.names import DELETED_AT, HASH, ID, RAW, SYNCED_AT, quoted, schema_of, table_of
from syncjobs.mirror.types import WIDENINGS
from syncjobs.models import MirrorColumn, MirrorEntity, SchemaChange

log = logging.getLogger(__name__)

Kind = SchemaChange.Kind
Readers = Mapping[str, Callable[[Any], Any]] | None
# After these, records that did not change have values that the table does not hold.
READ_AGAIN = (Kind.ADDED, Kind.WIDENED, Kind.PARKED, Kind.RETURNED, Kind.REMADE)

# The first number of the advisory lock of whoever makes or grows tables in a schema.
_MAKING = 0x6D697273
_CREATE = """
CREATE TABLE IF NOT EXISTS {table} (
    {id} {id_type} PRIMARY KEY, {synced} timestamptz NOT NULL DEFAULT clock_timestamp(), {deleted} timestamptz,
    {hash} uuid NOT NULL, {raw} jsonb)
"""
_COMMENTS = {
    SYNCED_AT: "When the row was last written.",
    DELETED_AT: "When the record was found to be deleted in the remote system.",
    HASH: "Tells a record that has changed from one that has not.",
    RAW: "Values that do not fit their columns, by column, as they came.",
}


class Table:
    """The table of one mirrored entity."""

    def __init__(self, mirror: MirrorEntity) -> None:
        self.mirror = mirror
        self.schema = schema_of(mirror.connection.key)
        self.table = table_of(mirror.entity)
        self.name = quoted(self.schema, self.table)
        self.seen = quoted(self.schema, "_seen")
        self.id_type = ""

    def grow(self, specs: Sequence[FieldSpec]) -> list[SchemaChange]:
        """Brings the table in line with the fields; answers what was done to it. Raises Error of the database."""
        known = list(self.mirror.columns.all())
        decided = fields.decide(self.mirror.pk, known, specs)
        fresh = not known
        with database.page():
            self._wait_for_others()
            self._create(fields.id_type_of(specs))
            changes = [self._carry_out(step, {c.column for c in known}) for step in decided.steps]
            for column in decided.touched:
                column.save()
            options_changed = views.store_options(self, specs)
            if changes or decided.touched or options_changed:
                changes += views.renew(self)
            self._remember(changes, fresh=fresh)
        return changes

    def layout(self, readers: Readers = None) -> Layout:
        """As it stands in our records. Raises ValueError where the table was never made."""
        columns = [
            Column(c.key, c.column, c.type, c.as_it_came, filled=not c.superseded and c.gone_at is None)
            for c in self.mirror.columns.order_by("pk")
        ]
        return Layout(columns, self._id_type(), readers)

    def execute(self, statement: str, **parts: sql.Composable) -> None:
        """A statement in which {table} and the other names stand for quoted ones. No values travel in it."""
        with database.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(table=self.name, **parts))

    def _create(self, id_type: str) -> None:
        names = {
            "id": quoted(ID), "synced": quoted(SYNCED_AT), "deleted": quoted(DELETED_AT), "hash": quoted(HASH),
            "raw": quoted(RAW), "id_type": sql.SQL(id_type),
        }  # fmt: skip
        if self._exists():
            return
        self.execute("CREATE SCHEMA IF NOT EXISTS {schema}", schema=quoted(self.schema))
        self.execute(_CREATE, **names)
        self.execute("CREATE TABLE IF NOT EXISTS {seen} (entity text NOT NULL, id text NOT NULL)", seen=self.seen)
        self.execute("CREATE INDEX IF NOT EXISTS _seen_by_id ON {seen} (entity, id)", seen=self.seen)
        for own, words in _COMMENTS.items():
            self._comment(own, words)
        # Whatever columns were known are made anew.
        for column in self.mirror.columns.all():
            self._add(column)

    def _wait_for_others(self) -> None:
        """Two of a schema's tables are never made at once: IF NOT EXISTS does not keep one from failing."""
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_MAKING, self.schema])

    def _exists(self) -> bool:
        with database.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f'"{self.schema}"."{self.table}"'])
            return bool(cursor.fetchone()[0])

    def _id_type(self) -> str:
        if not self.id_type:
            with database.cursor() as cursor:
                cursor.execute(
                    "SELECT data_type FROM information_schema.columns "
                    "WHERE table_schema = %s AND table_name = %s AND column_name = %s",
                    [self.schema, self.table, ID],
                )
                found = cursor.fetchone()
            if found is None:
                raise ValueError(f"there is no table {self.schema}.{self.table}")
            self.id_type = found[0]
        return self.id_type

    def _carry_out(self, step: Step, taken: set[str]) -> SchemaChange:
        column = step.column
        match step.kind:
            case Kind.ADDED:
                self._add(column)
            case Kind.WIDENED:
                return self._widen(step, taken)
            case Kind.PARKED:
                return self._park(step, taken)
            case Kind.REMOVED:
                column.gone_at = timezone.now()
            case Kind.RETURNED:
                column.gone_at = None
            case Kind.RELABELLED:
                self._comment(column.column, column.label)
        column.save()
        return self._change(step)

    def _add(self, column: MirrorColumn) -> None:
        self.execute(
            "ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column} {type}",
            column=quoted(column.column),
            type=sql.SQL(column.type),
        )
        self._comment(column.column, column.label)

    def _widen(self, step: Step, taken: set[str]) -> SchemaChange:
        """A column that something else depends on cannot be altered: its values stay, the new ones get their own."""
        column = quoted(step.column.column)
        carried = sql.SQL(WIDENINGS[step.before, step.after]).format(column)
        try:
            with database.attempt():
                views.drop(self)
                self.execute(
                    "ALTER TABLE {table} ALTER COLUMN {column} TYPE {type} USING {carried}",
                    column=column,
                    type=sql.SQL(step.after),
                    carried=carried,
                )
        except Error as e:
            log.warning("column %s could not be widened: %s", step.column.column, type(e).__name__)
            return self._park(Step(Kind.PARKED, step.column, step.before, step.after), taken)
        step.column.type = step.after
        step.column.save()
        return self._change(step)

    def _park(self, step: Step, taken: set[str]) -> SchemaChange:
        made = fields.park(self.mirror.pk, step.column, step.after, taken)
        taken.add(made.column)
        step.column.superseded = True
        step.column.save()
        self._add(made)
        made.save()
        return self._change(Step(Kind.PARKED, made, f"{step.column.column} {step.before}", step.after))

    def _comment(self, column: str, words: str) -> None:
        self.execute(
            "COMMENT ON COLUMN {column} IS {words}",
            column=quoted(self.schema, self.table, column),
            words=sql.Literal(words),
        )

    def _change(self, step: Step) -> SchemaChange:
        return SchemaChange(
            mirror=self.mirror,
            kind=step.kind,
            field=step.column.key,
            column=step.column.column,
            before=step.before,
            after=step.after,
        )

    def _remember(self, changes: Sequence[SchemaChange], *, fresh: bool) -> None:
        """A new table's columns are no history."""
        if not fresh:
            SchemaChange.objects.bulk_create(changes)
        if not fresh and any(change.kind in READ_AGAIN for change in changes):
            self.mirror.read_again = True
            self.mirror.save(update_fields=["read_again"])
