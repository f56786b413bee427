"""The options of lists in a side table, and a view of every table that shows their names beside their codes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import Error
from psycopg import sql

from connectors.core.types import FieldSpec
from syncjobs.mirror import database
from syncjobs.mirror.names import DELETED_AT, ID, LABEL_SUFFIX, SYNCED_AT, quoted
from syncjobs.mirror.types import ColumnType
from syncjobs.models import MirrorColumn, SchemaChange

if TYPE_CHECKING:
    from syncjobs.mirror.schema import Table

log = logging.getLogger(__name__)

OPTIONS, VIEW_SUFFIX = "field_option", "_view"

_CREATE = """
CREATE TABLE IF NOT EXISTS {options} (
    entity text, field text, value text, label text NOT NULL, position integer NOT NULL,
    _deleted_at timestamptz, PRIMARY KEY (entity, field, value))
"""
_STORE = """
INSERT INTO {options} AS held (entity, field, value, label, position)
SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[])
ON CONFLICT (entity, field, value) DO UPDATE
    SET label = excluded.label, position = excluded.position, _deleted_at = NULL
    WHERE (held.label, held.position, held._deleted_at)
        IS DISTINCT FROM (excluded.label, excluded.position, NULL::timestamptz)
"""
_GONE = """
UPDATE {options} SET _deleted_at = now() WHERE entity = %s AND _deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM unnest(%s::text[], %s::text[]) AS n (field, value)
                    WHERE n.field = {options}.field AND n.value = {options}.value)
"""
_LABEL = """
(SELECT o.label FROM {options} o
 WHERE o.entity = {entity} AND o.field = {field} AND o.value = t.{column}::text) AS {label}
"""
_LABELS = """
(SELECT jsonb_agg(coalesce(o.label, m.code) ORDER BY m.place)
 FROM jsonb_array_elements_text(CASE jsonb_typeof(t.{column}) WHEN 'array' THEN t.{column} END)
     WITH ORDINALITY AS m (code, place)
 LEFT JOIN {options} o ON o.entity = {entity} AND o.field = {field} AND o.value = m.code) AS {label}
"""


def store_options(table: Table, specs: Sequence[FieldSpec]) -> bool:
    """Brings the side table in line with the lists; options that vanished are marked. True when it was made now."""
    options = quoted(table.schema, OPTIONS)
    rows: dict[tuple[str, str], tuple[str, int]] = {}
    for spec in specs:
        for place, (value, label) in enumerate(spec.options):
            rows.setdefault((_clean(spec.key), _clean(value)), (_clean(label), place))
    keys, values = [field for field, _value in rows], [value for _field, value in rows]
    labels, places = [label for label, _place in rows.values()], [place for _label, place in rows.values()]
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NULL", [f'"{table.schema}"."{OPTIONS}"'])
        is_new = bool(cursor.fetchone()[0])
        if is_new:
            cursor.execute(sql.SQL(_CREATE).format(options=options))
        cursor.execute(sql.SQL(_GONE).format(options=options), [table.table, keys, values])
        cursor.execute(sql.SQL(_STORE).format(options=options), [table.table, keys, values, labels, places])
    return is_new


def renew(table: Table) -> list[SchemaChange]:
    """Makes the view fit its table. Where other views depend on it, it stays as it is, and that is told."""
    view = quoted(table.schema, f"{table.table}{VIEW_SUFFIX}")
    shown = sql.SQL(", ").join(_shown(table))
    statement = sql.SQL("CREATE OR REPLACE VIEW {view} AS SELECT {shown} FROM {table} t").format(
        view=view, shown=shown, table=table.name
    )
    for first in (False, True):
        try:
            with database.attempt(), database.cursor() as cursor:
                if first:
                    cursor.execute(sql.SQL("DROP VIEW IF EXISTS {view}").format(view=view))
                cursor.execute(statement)
        except Error as e:
            log.info("view of %s could not be replaced: %s", table.table, type(e).__name__)
        else:
            return []
    return [SchemaChange(mirror=table.mirror, kind=SchemaChange.Kind.VIEW_KEPT, column=f"{table.table}{VIEW_SUFFIX}")]


def drop(table: Table) -> None:
    """Before a column of the table changes its type. Raises Error where other views depend on it."""
    table.execute("DROP VIEW IF EXISTS {view}", view=quoted(table.schema, f"{table.table}{VIEW_SUFFIX}"))


def _shown(table: Table) -> list[sql.Composable]:
    """New columns come last, so that a view that others depend on can be replaced."""
    parts: list[sql.Composable] = [_of(ID), _of(SYNCED_AT), _of(DELETED_AT)]
    columns = list(table.mirror.columns.order_by("pk"))
    taken = {column.column for column in columns}
    for column in columns:
        parts.append(_of(column.column))
        if column.has_options:
            label = f"{column.column}{LABEL_SUFFIX}"
            parts.append(_labelled(table, column, f"{label}_" if label in taken else label))
    return parts


def _of(column: str) -> sql.Composable:
    return sql.SQL("t.{}").format(quoted(column))


def _labelled(table: Table, column: MirrorColumn, label: str) -> sql.Composable:
    template = _LABELS if column.type == ColumnType.JSONB else _LABEL
    return sql.SQL(template).format(
        options=quoted(table.schema, OPTIONS),
        entity=sql.Literal(table.table),
        field=sql.Literal(column.key),
        column=quoted(column.column),
        label=quoted(label),
    )


def _clean(text: str) -> str:
    return text.replace("\0", "")
