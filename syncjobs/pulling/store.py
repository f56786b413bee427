"""A pulled page in set-based SQL: a fixed number of statements however many records it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson
from django.db import connection as database
from psycopg.types.json import Jsonb

from connectors.models import Connection
from syncjobs import states
from syncjobs.models import ContactSync, Run, RunItem

# As numbers, because making times of these texts would cost more than all the rest of a link.
_SECONDS = "extract(epoch FROM s.remote_updated_at)::float8, extract(epoch FROM s.synced_at)::float8"

# LATERAL with OFFSET 0 holds the planner to one index probe a record while statistics lag behind.
_LINKS = f"""
SELECT s.id, s.contact_id, s.external_id, s.seen_hash, {_SECONDS}, s.pushed_version IS NOT NULL,
       s.gone_at IS NOT NULL, c.deleted_at IS NOT NULL
FROM unnest(%(ids)s::varchar[]) AS key, LATERAL (
    SELECT * FROM syncjobs_contactsync
    WHERE connection_id = %(connection)s AND external_id = key AND external_id <> '' OFFSET 0) s, LATERAL (
    SELECT deleted_at FROM contacts_contact WHERE id = s.contact_id OFFSET 0) c
"""

_OF_CONTACTS = f"""
SELECT s.id, s.contact_id, s.external_id, s.seen_hash, {_SECONDS}, s.pushed_version IS NOT NULL,
       s.gone_at IS NOT NULL, FALSE
FROM unnest(%(ids)s::uuid[]) AS key, LATERAL (
    SELECT * FROM syncjobs_contactsync WHERE connection_id = %(connection)s AND contact_id = key OFFSET 0) s
"""

_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS syncjobs_pulled (
    link_id bigint, contact_id uuid, external_id text, external_ref text, external_version text, seen_hash bytea,
    remote_hash bytea, remote_updated_at timestamptz, state text, snapshot jsonb
) ON COMMIT DELETE ROWS;
DELETE FROM syncjobs_pulled
"""
_COLUMNS = (
    *("link_id", "contact_id", "external_id", "external_ref", "external_version", "seen_hash", "remote_hash"),
    *("remote_updated_at", "state", "snapshot"),
)
_TYPES = ("int8", "uuid", *("text",) * 3, "bytea", "bytea", "timestamptz", "text", "jsonb")
_plain_values = attrgetter(*_COLUMNS[:-1])

# A link that a push has in its hands keeps its status: it only notes that it is due again. One that waits for a push
# which nobody asked for just now goes on waiting as it was; so does a deletion that is due there.
_QUEUED, _COMPLETE = states.QUEUED, states.COMPLETE
_BUSY = f"s.sync_status = '{states.PROCESSING.sync}'"
_WAITS = f"s.sync_status IN ('{states.QUEUED.sync}', '{states.ERROR.sync}', '{states.SELECTED.sync}')"
_KEPT = f"({_BUSY} OR (p.state = 'differs' AND {_WAITS}) OR s.delete_version IS NOT NULL)"
_UPDATE = f"""
UPDATE syncjobs_contactsync s SET
    external_id = p.external_id, external_ref = p.external_ref, external_version = p.external_version,
    seen_hash = p.seen_hash, remote_updated_at = p.remote_updated_at, gone_at = NULL,
    remote_hash = CASE WHEN {_BUSY} THEN s.remote_hash ELSE p.remote_hash END,
    sync_status = CASE WHEN {_KEPT} THEN s.sync_status WHEN p.state = 'due' THEN '{_QUEUED.sync}'
                       ELSE '{_COMPLETE.sync}' END,
    processing_status = CASE WHEN {_KEPT} THEN s.processing_status WHEN p.state = 'due' THEN '{_QUEUED.processing}'
                             ELSE '{_COMPLETE.processing}' END,
    due_at = CASE WHEN p.state = 'due' THEN now() WHEN {_KEPT} THEN s.due_at END,
    next_retry_at = CASE WHEN {_KEPT} THEN s.next_retry_at END,
    processing_error = CASE WHEN {_KEPT} THEN s.processing_error ELSE '' END,
    error_kind = CASE WHEN {_KEPT} THEN s.error_kind ELSE '' END,
    synced_at = CASE WHEN p.state = 'equal' OR s.synced_at IS NULL THEN now() ELSE s.synced_at END
FROM syncjobs_pulled p WHERE s.id = p.link_id
"""
_INSERT = f"""
WITH stored AS (
    INSERT INTO syncjobs_contactsync (
        contact_id, connection_id, sync_status, processing_status, external_id, external_ref, external_version,
        seen_hash, remote_hash, remote_updated_at, synced_at, due_at)
    SELECT contact_id, %(connection)s,
           CASE state WHEN 'due' THEN '{states.QUEUED.sync}' ELSE '{states.COMPLETE.sync}' END,
           CASE state WHEN 'due' THEN '{states.QUEUED.processing}' ELSE '{states.COMPLETE.processing}' END,
           external_id, external_ref, external_version, seen_hash, remote_hash, remote_updated_at, now(),
           CASE state WHEN 'due' THEN now() END
    FROM syncjobs_pulled WHERE link_id IS NULL
    RETURNING id, contact_id
)
INSERT INTO syncjobs_syncsnapshot (link_id, values)
SELECT stored.id, p.snapshot FROM stored JOIN syncjobs_pulled p USING (contact_id)
"""
_SNAPSHOT = """
INSERT INTO syncjobs_syncsnapshot (link_id, values)
SELECT link_id, snapshot FROM syncjobs_pulled WHERE link_id IS NOT NULL ORDER BY link_id
ON CONFLICT (link_id) DO UPDATE SET values = excluded.values
"""

_TOUCH = """
UPDATE syncjobs_contactsync s SET seen_hash = t.seen, remote_updated_at = t.at
FROM unnest(%(ids)s::bigint[], %(seen)s::bytea[], %(at)s::timestamptz[]) AS t(id, seen, at) WHERE s.id = t.id
"""

_COUNT = """
UPDATE syncjobs_run SET created = created + %(created)s, updated = updated + %(updated)s,
    unchanged = unchanged + %(unchanged)s, skipped = skipped + %(skipped)s, failed = failed + %(failed)s,
    conflicts = conflicts + %(conflicts)s, deleted = deleted + %(deleted)s, heartbeat_at = now()
WHERE id = %(run)s RETURNING cancel_requested
"""
COUNTERS = ("created", "updated", "unchanged", "skipped", "failed", "conflicts", "deleted")


@dataclass(slots=True)
class LinkRow:
    """A link as a pull needs it; times are in seconds since 1970.

    `pushed`: the hub has written this record; `hidden`: its contact was deleted.
    """

    id: int
    contact_id: UUID
    external_id: str
    seen_hash: bytes | None
    remote_updated_at: float | None
    synced_at: float | None
    pushed: bool
    gone: bool
    hidden: bool


@dataclass(slots=True)
class Linked:
    """A link to store, new without `link_id`. `state`: `equal` to ours, or it `differs`, or it does and is `due`."""

    link_id: int | None
    contact_id: UUID
    external_id: str
    external_ref: str
    external_version: str
    seen_hash: bytes
    remote_hash: bytes
    remote_updated_at: datetime | None
    state: str
    snapshot: dict[str, Any]


def links_by_external_id(connection: Connection, ids: Sequence[str]) -> dict[str, LinkRow]:
    return {link.external_id: link for link in _links(_LINKS, connection, ids)}


def links_by_contact(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, LinkRow]:
    return {link.contact_id: link for link in _links(_OF_CONTACTS, connection, ids)}


def _links(sql: str, connection: Connection, ids: Sequence[Any]) -> list[LinkRow]:
    if not ids:
        return []
    with database.cursor() as cursor:
        cursor.execute("SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)")
        cursor.execute(sql, {"connection": connection.pk, "ids": list(ids)})
        rows = cursor.fetchall()
        cursor.execute("SELECT set_config('enable_seqscan', 'on', true)")
    return [LinkRow(row[0], row[1], row[2], bytes(row[3]) if row[3] else None, *row[4:]) for row in rows]


def store_links(connection: Connection, links: Iterable[Linked]) -> None:
    """Stores links and their snapshots: at most five statements.

    Raises IntegrityError where somebody else has just linked one of the contacts or of the remote records.
    """
    links = sorted(links, key=lambda link: link.contact_id)
    if not links:
        return
    with database.cursor() as cursor:
        cursor.execute(_TABLE)
        with cursor.copy(f"COPY syncjobs_pulled ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(_TYPES)
            for link in links:
                copy.write_row((*_plain_values(link), Jsonb(link.snapshot, orjson.dumps)))
        if any(link.link_id is not None for link in links):
            cursor.execute(_UPDATE)
            cursor.execute(_SNAPSHOT)
        if any(link.link_id is None for link in links):
            cursor.execute(_INSERT, {"connection": connection.pk})


def touch(links: Sequence[tuple[int, bytes, datetime | None]]) -> None:
    """Notes that records were seen as (link id, digest, their time), where nothing else about them is new."""
    if not links:
        return
    ids, seen, at = (list(column) for column in zip(*links, strict=True))
    with database.cursor() as cursor:
        cursor.execute(_TOUCH, {"ids": ids, "seen": seen, "at": at})


def store_items(run: Run, items: Sequence[tuple[UUID | None, str, RunItem.Action, str, Any]]) -> None:
    """Writes (contact id, remote id, action, sentence, {field: [before, after]}) of the run by COPY."""
    if not items:
        return
    columns = "run_id, contact_id, external_id, action, message, fields, changes, at"
    with database.cursor() as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone()
        with cursor.copy(f"COPY {RunItem._meta.db_table} ({columns}) FROM STDIN") as copy:
            for contact_id, external_id, action, message, changes in items:
                fields = orjson.dumps(list(changes)).decode() if changes else "[]"
                told = orjson.dumps(changes).decode() if isinstance(changes, dict) else None
                copy.write_row((run.pk, contact_id, external_id, action.value, message, fields, told, now))


def count(run: Run, counts: dict[str, int]) -> bool:
    """Adds to the run's counters. True when the run was asked to stop."""
    with database.cursor() as cursor:
        cursor.execute(_COUNT, {"run": run.pk, **{name: counts.get(name, 0) for name in COUNTERS}})
        row = cursor.fetchone()
        return bool(row and row[0])


def links_of(connection: Connection) -> int:
    """How many living links to remote records the connection has."""
    return ContactSync.objects.filter(connection=connection, gone_at=None).exclude(external_id="").count()
