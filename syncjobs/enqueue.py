"""Makes links due: one contact, a list, a filter, or those whose contact changed. One statement each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection as database

from connectors.core import registry
from connectors.models import Connection
from syncjobs import states
from syncjobs.queue import NORMAL

# A link in work only notes that it is due again: its run puts it back into the queue when it is done with it.
_UPSERT = f"""
INSERT INTO syncjobs_contactsync AS link (contact_id, connection_id, sync_status, processing_status, due_at, priority)
SELECT c.id, %(connection)s, '{states.QUEUED.sync}', '{states.QUEUED.processing}', now(), %(priority)s
FROM contacts_contact c {{join}} WHERE c.deleted_at IS NULL {{where}} ORDER BY c.id
ON CONFLICT (contact_id, connection_id) DO UPDATE SET
    sync_status = CASE WHEN {states.in_sql(states.ENQUEUE.sources, "link.sync_status")}
                       THEN excluded.sync_status ELSE link.sync_status END,
    processing_status = CASE WHEN {states.in_sql(states.ENQUEUE.sources, "link.sync_status")}
                             THEN excluded.processing_status ELSE link.processing_status END,
    due_at = excluded.due_at, priority = excluded.priority, retry_count = 0, next_retry_at = NULL,
    processing_error = '', error_kind = '', gone_at = CASE WHEN link.external_id <> '' THEN link.gone_at END
"""
_UNLESS_SEPARATED = "WHERE link.external_id <> '' OR link.gone_at IS NULL"

_FOLLOW = f"""
UPDATE syncjobs_contactsync s SET {states.set_sql(states.ENQUEUE.target)}, due_at = now(), retry_count = 0,
    next_retry_at = NULL
FROM connectors_connection k
WHERE k.id = s.connection_id AND k.follow_changes AND k.enabled AND k.key <> %(source)s
  AND k.connector = ANY(%(writable)s)
  AND s.contact_id = ANY(%(contacts)s) AND s.gone_at IS NULL
  AND (s.sync_status = '{states.COMPLETE.sync}'
       OR (s.sync_status = '{states.ERROR.sync}' AND s.error_kind IN ('data', 'conflict')))
"""

_FOLLOW_IN_FLIGHT = f"""
UPDATE syncjobs_contactsync s SET due_at = now()
WHERE s.contact_id = ANY(%(contacts)s) AND s.sync_status = '{states.PROCESSING.sync}'
"""

_WAKE = f"""
UPDATE syncjobs_contactsync SET {states.set_sql(states.ENQUEUE.target)}, due_at = now(), processing_error = ''
WHERE connection_id = %(connection)s AND contact_id = ANY(%(contacts)s) AND sync_status = '{states.SKIPPED.sync}'
  AND external_id = '' AND gone_at IS NULL
"""

_DROP = f"""
UPDATE syncjobs_contactsync SET {states.set_sql(states.SKIP.target)}, due_at = NULL, next_retry_at = NULL,
    processing_error = %(message)s
WHERE contact_id = ANY(%(contacts)s) AND {states.in_sql(states.SKIP.sources)}
"""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which contacts to queue. `has_email` false means: with or without."""

    has_email: bool = False
    not_already_synced: bool = False
    domain_id: str | None = None


def enqueue_ids(connection: Connection, contact_ids: Sequence[UUID], priority: int = NORMAL) -> int:
    """Queues these contacts; those the connection cannot take (no e-mail, deleted, unknown) are passed over.

    A pair that was separated is joined again: a person asks for it.
    """
    where = "AND c.id = ANY(%(contacts)s)" + _needs(connection)
    return _run(_UPSERT.format(join="", where=where), connection, priority, contacts=list(contact_ids))


def enqueue_told(connection: Connection, contact_ids: Sequence[UUID]) -> int:
    """Queues these contacts because another system has news of them: pairs that were separated stay so."""
    where = "AND c.id = ANY(%(contacts)s)" + _needs(connection)
    sql = _UPSERT.format(join="", where=where) + _UNLESS_SEPARATED
    return _run(sql, connection, NORMAL, contacts=list(contact_ids))


def enqueue_filtered(connection: Connection, filters: Filters, priority: int = NORMAL) -> int:
    """Queues every contact that passes the filters and that the connection can take. Answers how many."""
    where, join = _needs(connection), ""
    if filters.has_email:
        where += " AND c.email IS NOT NULL"
    if filters.domain_id is not None:
        where += " AND c.domain_id = %(domain)s"
    if filters.not_already_synced:
        join = "LEFT JOIN syncjobs_contactsync had ON had.contact_id = c.id AND had.connection_id = %(connection)s"
        where += f" AND (had.sync_status IS NULL OR had.sync_status NOT IN ('{states.COMPLETE.sync}'"
        where += f", '{states.QUEUED.sync}', '{states.PROCESSING.sync}'))"
    return _run(_UPSERT.format(join=join, where=where), connection, priority, domain=filters.domain_id)


def enqueue_query(connection: Connection, contacts_sql: str, params: Sequence[Any], priority: int = NORMAL) -> int:
    """Queues the contacts whose ids another statement selects: an admin's selection of hundreds of thousands."""
    inner, named = with_names(contacts_sql, params)
    where = f"AND c.id IN ({inner})" + _needs(connection)
    return _run(_UPSERT.format(join="", where=where), connection, priority, **named)


def enqueue_linked(source: Connection, destination: Connection) -> int:
    """Queues for the destination every contact that has a record in the source and was never meant for it."""
    join = f"""
        JOIN syncjobs_contactsync here ON here.contact_id = c.id AND here.connection_id = {int(source.pk)}
            AND here.external_id <> '' AND here.gone_at IS NULL
        LEFT JOIN syncjobs_contactsync there ON there.contact_id = c.id AND there.connection_id = %(connection)s
    """
    return _run(_UPSERT.format(join=join, where="AND there.id IS NULL" + _needs(destination)), destination, NORMAL)


def with_names(sql: str, params: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """A statement with %s placeholders as one with named ones, to be put into another statement."""
    names = [f"p{i}" for i in range(len(params))]
    return sql.replace("%%", "%%%%") % tuple(f"%({name})s" for name in names), dict(zip(names, params, strict=True))


def wake(connection: Connection, contact_ids: Iterable[UUID]) -> int:
    """What kept these contacts from being given a record is over: their skipped links become due."""
    with database.cursor() as cursor:
        cursor.execute(_WAKE, {"connection": connection.pk, "contacts": list(contact_ids)})
        return cursor.rowcount


def follow_changes(contact_ids: Iterable[UUID], source: str = "") -> int:
    """The contacts changed: their finished links become due again where the connection follows changes.

    Not those of systems that are only read, nor of the connection the change came from, whose key is `source`: its pull
    decides about them itself.
    """
    with database.cursor() as cursor:
        writable = [slug for slug in registry.all_connectors() if registry.is_writable(slug)]
        contacts: dict[str, Any] = {"contacts": list(contact_ids), "source": source, "writable": writable}
        cursor.execute(_FOLLOW, contacts)
        queued = cursor.rowcount
        cursor.execute(_FOLLOW_IN_FLIGHT, contacts)
        return queued


def drop(contact_ids: Iterable[UUID], message: str) -> int:
    """The contacts were deleted from the hub: nothing more is sent for them."""
    with database.cursor() as cursor:
        cursor.execute(_DROP, {"contacts": list(contact_ids), "message": message})
        return cursor.rowcount


def _needs(connection: Connection) -> str:
    """SQL that leaves out contacts without what the connector needs; field names come from its spec."""
    return "".join(f" AND c.{name} IS NOT NULL" for name in connection.spec.needs if name in ("email", "phone"))


def _run(sql: str, connection: Connection, priority: int, **params: Any) -> int:
    with database.cursor() as cursor:
        cursor.execute(sql, {"connection": connection.pk, "priority": priority, **params})
        return cursor.rowcount
