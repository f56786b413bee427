"""Records that were deleted: their links become tombstones, and the other ends of the routes are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection as database

from connectors.models import Connection
from syncjobs import deletions, enqueue, reviews, states, strays
from syncjobs.deletions import Gone
from syncjobs.models import OnDelete, Run
from syncjobs.routes import Terms

# Whoever holds one of these links in a push keeps it; nobody may change it between the look and the update.
_BURY = f"""
WITH was AS (
    SELECT id, sync_status IN ('{states.QUEUED.sync}', '{states.PROCESSING.sync}', '{states.ERROR.sync}') AS unsent
    FROM syncjobs_contactsync
    WHERE connection_id = %(connection)s AND external_id = ANY(%(ids)s) AND external_id <> '' AND gone_at IS NULL
    ORDER BY id FOR UPDATE
)
UPDATE syncjobs_contactsync s SET gone_at = now(), seen_hash = NULL, next_retry_at = NULL, delete_version = NULL,
    processing_error = %(message)s, error_kind = '',
    due_at = CASE WHEN %(again)s THEN now() END,
    sync_status = CASE WHEN sync_status = '{states.PROCESSING.sync}' THEN sync_status
                       WHEN %(again)s THEN '{states.QUEUED.sync}' ELSE '{states.SKIPPED.sync}' END,
    processing_status = CASE WHEN sync_status = '{states.PROCESSING.sync}' THEN processing_status
                             WHEN %(again)s THEN '{states.QUEUED.processing}' END
FROM was WHERE s.id = was.id
RETURNING s.contact_id, s.external_id, was.unsent
"""


@dataclass(frozen=True, slots=True)
class Buried:
    """The records that are gone, the sentence about them, and how many questions that raised."""

    gone: Sequence[Gone]
    message: str
    questions: int = 0


def bury(
    connection: Connection, run: Run, terms: Terms, external_ids: Sequence[str], *, guarded: bool = True
) -> Buried:
    """Makes tombstones of the links to these records, where they are none yet, and does what the routes say.

    Where records that are deleted here are made anew, nothing is passed on. Not `guarded`: a person has allowed
    however many deletions this is about.
    """
    message = f"The record was deleted in {connection.spec.label}."
    gone = _buried(connection, external_ids, message, again=terms.recreate)
    if not gone or terms.recreate:
        return Buried(gone, message)
    if OnDelete.UNLINK in [how for _target, how in terms.deletions]:
        message = f"The record was deleted in {connection.spec.label}; the pair was separated."
        deletions.separate(connection, [record.contact_id for record in gone], message)
    asked = deletions.pass_on(connection, run, terms.deletions, gone, guarded=guarded)
    return Buried(gone, message, asked)


def forget(connection: Connection, external_ids: Sequence[str], *, asked: bool) -> None:
    """The records are gone: no push finds them, and nobody need be `asked` about them."""
    strays.clear(connection, external_ids)
    if asked:
        enqueue.wake(connection, reviews.moot(connection, external_ids))


def revive(contact_ids: Sequence[UUID]) -> None:
    """Their records, taken for deleted, are there: nothing is deleted elsewhere on their account."""
    if contact_ids:
        deletions.revoke(contact_ids)


def _buried(connection: Connection, external_ids: Sequence[str], message: str, *, again: bool) -> list[Gone]:
    if not external_ids:
        return []
    params: dict[str, Any] = {
        "connection": connection.pk,
        "ids": list(external_ids),
        "message": message,
        "again": again,
    }
    with database.cursor() as cursor:
        cursor.execute(_BURY, params)
        return [Gone(*row) for row in cursor.fetchall()]
