"""The queue: links become due, are claimed by a run, and go back when the run could not finish them.

Every function is one statement, however many links it touches; statuses come from the transition table in states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import connection as database
from django.db.models import Max
from django.db.models.functions import Now

from connectors.models import Connection
from syncjobs import states
from syncjobs.models import ContactSync, Run
from syncjobs.sourcefields import CONTACT_COLUMNS, SourceContact

HIGH = 10
NORMAL = 0

# While a queue fills, the planner's statistics lag behind and it takes a connection's links for few. So statements say
# in which order to go: OFFSET 0 keeps a subquery a look-up per row, and a status that is no plain column keeps the
# claim on the index that is in the order of the queue.

# Whether a closer look at namesakes in the mailbox is due: nearly always it is not, and costs nothing more.
_SHARED = """external_id = '' AND EXISTS (
    SELECT 1 FROM contacts_contactpoint WHERE kind = 'email' AND value = c.email AND contact_id <> c.id OFFSET 0)"""

_CLAIM = f"""
WITH due AS (
    SELECT id FROM syncjobs_contactsync
    WHERE connection_id = %(connection)s AND due_at <= now()
      AND {states.in_sql(states.CLAIM.sources, "sync_status || ''")} {{only}}
    ORDER BY priority DESC, due_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE syncjobs_contactsync s SET {states.set_sql(states.CLAIM.target)}, run_id = %(run)s, due_at = NULL
    FROM due WHERE s.id = due.id
    RETURNING s.id, s.contact_id, s.external_id, s.external_version, s.remote_hash, s.gone_at, s.delete_version
)
SELECT claimed.id, external_id, external_version, remote_hash, gone_at IS NOT NULL, {_SHARED}, delete_version,
       {", ".join(f"c.{name}" for name in CONTACT_COLUMNS)}
FROM claimed JOIN contacts_contact c ON c.id = claimed.contact_id ORDER BY claimed.id
"""

_PREVIEW = f"""
SELECT s.id, external_id, external_version, remote_hash, gone_at IS NOT NULL, {_SHARED}, delete_version,
       {", ".join(f"c.{name}" for name in CONTACT_COLUMNS)}
FROM syncjobs_contactsync s JOIN contacts_contact c ON c.id = s.contact_id
WHERE s.connection_id = %(connection)s AND due_at <= now() AND {states.in_sql(states.CLAIM.sources)}
  AND s.id > %(after)s {{only}}
ORDER BY s.id LIMIT %(limit)s
"""

_RELEASE = f"""
UPDATE syncjobs_contactsync SET {states.set_sql(states.RELEASE.target)}, run_id = NULL,
    due_at = now() + make_interval(secs => %(seconds)s), processing_error = %(message)s, error_kind = %(kind)s,
    remote_hash = CASE WHEN %(kind)s = 'unknown' THEN NULL ELSE remote_hash END
WHERE run_id = %(run)s AND {states.in_sql(states.RELEASE.sources)}
"""


_SNAPSHOTS = "SELECT link_id, values::text FROM syncjobs_syncsnapshot WHERE link_id = ANY(%(ids)s)"


@dataclass(slots=True)
class DueLink:
    """A link that wants work, with its contact. Without `remote_hash`, what their record holds is not known.

    `gone`: their record was deleted. `shares_email`: another contact has its e-mail too, and the link is not yet tied
    to a record of theirs. `delete_version`: their record is to be deleted if the contact still has this version.
    """

    id: int
    external_id: str
    external_version: str
    remote_hash: bytes | None
    gone: bool
    shares_email: bool
    contact: SourceContact
    delete_version: int | None = None


# Narrows a claim or a preview.
_ONLY = "AND contact_id = ANY(%(only)s)"


def claim(connection: Connection, run: Run, limit: int, only: Sequence[UUID] | None = None) -> list[DueLink]:
    """Claims up to `limit` due links for the run, the most urgent first; other workers pass over them.

    `only` narrows them to some contacts.
    """
    params = {"connection": connection.pk, "run": run.pk, "limit": limit}
    return _narrowed(_CLAIM, params, only)


def preview(connection: Connection, after: int, limit: int, only: Sequence[UUID] | None = None) -> list[DueLink]:
    """Due links in the order of their ids, unclaimed: for dry runs."""
    return _narrowed(_PREVIEW, {"connection": connection.pk, "after": after, "limit": limit}, only)


def _narrowed(sql: str, params: dict[str, Any], only: Sequence[UUID] | None) -> list[DueLink]:
    if only is None:
        return _links(sql.format(only=""), params)
    return _links(sql.format(only=_ONLY), {**params, "only": list(only)})


def release(run: Run, *, seconds: float = 0.0, message: str = "", kind: str = "") -> int:
    """Gives back what the run still claims; due again in `seconds`. Answers how many links."""
    with database.cursor() as cursor:
        cursor.execute(_RELEASE, {"run": run.pk, "seconds": seconds, "message": message, "kind": kind})
        return cursor.rowcount


def seconds_to_wait(connection: Connection, message: str) -> float:
    """How long until the last link that was given back with this message is due; 0 when there is none."""
    waiting = ContactSync.objects.filter(connection=connection, due_at__gt=Now(), processing_error=message)
    last = waiting.filter(sync_status=states.QUEUED.sync).aggregate(at=Max("due_at"), now=Max(Now()))
    return (last["at"] - last["now"]).total_seconds() if last["at"] else 0.0


def due_count(connection: Connection) -> int:
    """How many links want work now."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM syncjobs_contactsync WHERE connection_id = %s AND due_at <= now() "
            f"AND {states.in_sql(states.CLAIM.sources)}",
            [connection.pk],
        )
        return int(cursor.fetchone()[0])


def has_new(connection: Connection) -> bool:
    """Whether a link without a record of theirs wants work: a new one might have to be made."""
    return ContactSync.objects.filter(
        connection=connection, due_at__lte=Now(), external_id="", sync_status__in=[p.sync for p in states.CLAIM.sources]
    ).exists()


def twins(connection: Connection, links: Sequence[DueLink]) -> dict[int, UUID]:
    """Links whose e-mail another contact has already brought to this connection, and that contact.

    Of two contacts claimed at the same moment the older one goes first: both see each other's claim.
    """
    fresh = [link for link in links if link.shares_email]
    if not fresh:
        return {}
    with database.cursor() as cursor:
        cursor.execute(
            """
            WITH same AS MATERIALIZED (
                SELECT mine.id, mine.contact_id, p.contact_id AS other_id
                FROM unnest(%s::bigint[]) AS asked(id)
                JOIN syncjobs_contactsync mine ON mine.id = asked.id
                JOIN contacts_contact me ON me.id = mine.contact_id
                CROSS JOIN LATERAL (
                    SELECT contact_id FROM contacts_contactpoint
                    WHERE kind = 'email' AND value = me.email AND contact_id <> me.id OFFSET 0) p
                JOIN contacts_contact c ON c.id = p.contact_id AND c.email = me.email AND c.deleted_at IS NULL
            )
            SELECT same.id, min(same.other_id::text)::uuid
            FROM same CROSS JOIN LATERAL (
                SELECT external_id, sync_status FROM syncjobs_contactsync
                WHERE contact_id = same.other_id AND connection_id = %s OFFSET 0) other
            WHERE other.external_id <> '' OR (other.sync_status = 'Processing' AND same.other_id < same.contact_id)
            GROUP BY same.id
            """,
            [[link.id for link in fresh], connection.pk],
        )
        return dict(cursor.fetchall())


def snapshots(link_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The values last agreed on, by link."""
    if not link_ids:
        return {}
    with database.cursor() as cursor:
        cursor.execute(_SNAPSHOTS, {"ids": list(link_ids)})
        return {link_id: orjson.loads(values) for link_id, values in cursor.fetchall()}


def _links(sql: str, params: dict[str, Any]) -> list[DueLink]:
    with database.cursor() as cursor:
        cursor.execute(sql, params)
        return [
            DueLink(
                row[0],
                row[1],
                row[2],
                bytes(row[3]) if row[3] else None,
                row[4],
                row[5],
                SourceContact(row[7:]),
                row[6],
            )
            for row in cursor.fetchall()
        ]
