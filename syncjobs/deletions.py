"""What a deletion at one end of a route means at the other: nothing, a separated pair, a deletion, or a question.

Every function is a fixed number of statements, however many records it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.db.models import Sum
from django.utils import timezone

from connectors.models import Connection
from syncjobs import reviews, states
from syncjobs.models import ContactSync, OnDelete, ReviewItem, Run, RunKind
from syncjobs.questions import Question, deletion

# More deletions than this at once ask a person: of all linked records, and in any case so many.
SHARE, FEW = 0.1, 20
# Webhooks tell of a mass deletion in many small runs: what they delete counts together.
TOGETHER = timedelta(hours=1)

_MARK = f"""
UPDATE syncjobs_contactsync s SET delete_version = c.version, due_at = now(), next_retry_at = NULL, retry_count = 0,
    sync_status = CASE WHEN {states.in_sql(states.ENQUEUE.sources, "s.sync_status")}
                       THEN '{states.QUEUED.sync}' ELSE s.sync_status END,
    processing_status = CASE WHEN {states.in_sql(states.ENQUEUE.sources, "s.sync_status")}
                             THEN '{states.QUEUED.processing}' ELSE s.processing_status END
FROM contacts_contact c
WHERE c.id = s.contact_id AND c.deleted_at IS NULL AND s.connection_id = %(connection)s
  AND s.contact_id = ANY(%(contacts)s) AND s.external_id <> '' AND s.gone_at IS NULL
"""

_UNMARK_EARLIER = """
UPDATE syncjobs_contactsync SET delete_version = NULL
WHERE connection_id = %(connection)s AND delete_version IS NOT NULL AND contact_id IN (
    SELECT contact_id FROM syncjobs_runitem WHERE run_id = ANY(%(runs)s) AND action = 'delete')
RETURNING contact_id
"""

_SEPARATE = """
UPDATE syncjobs_contactsync SET external_id = '', external_ref = '', external_version = '', remote_hash = NULL,
    remote_updated_at = NULL, pushed_version = NULL, processing_error = %(message)s
WHERE connection_id = %(connection)s AND contact_id = ANY(%(contacts)s) AND gone_at IS NOT NULL
RETURNING id
"""

_REVOKE = "UPDATE syncjobs_contactsync SET delete_version = NULL WHERE contact_id = ANY(%(contacts)s)"


@dataclass(frozen=True, slots=True)
class Gone:
    """A record that was deleted. `unsent`: the contact had a change of its own that was not sent there yet."""

    contact_id: UUID
    external_id: str
    unsent: bool


def limit(connection: Connection, buried: int = 0) -> float:
    """How many deletions at once pass without a person's word; `buried` are those that count as linked still."""
    linked = ContactSync.objects.filter(connection=connection, gone_at=None).exclude(external_id="").count()
    return max(FEW, SHARE * (linked + buried))


def pass_on(
    connection: Connection,
    run: Run,
    targets: Sequence[tuple[Connection, OnDelete]],
    gone: Sequence[Gone],
    *,
    guarded: bool,
) -> int:
    """Does at the other ends what their routes say about records that a pull has just found deleted here.

    Answers how many questions that raised. Contacts with changes of their own are asked about, and all of them once
    the pulls of an hour have found more than `limit`, unless a person has allowed it (not `guarded`).
    """
    deleting = [target for target, how in targets if how is OnDelete.DELETE]
    asking = [target for target, how in targets if how is OnDelete.ASK]
    asked = sum(_ask(connection, target, [record.contact_id for record in gone]) for target in asking)
    if not deleting:
        return asked
    lately = _runs_lately(run)
    found = (Run.objects.filter(pk__in=lately).aggregate(n=Sum("deleted"))["n"] or 0) + len(gone)
    over = guarded and found > limit(connection, found)
    for target in deleting:
        if over:
            earlier = _unmark_earlier(target, lately)
            asked += _ask(connection, target, [*earlier, *(record.contact_id for record in gone)])
        else:
            mark(target, [record.contact_id for record in gone if not record.unsent])
            asked += _ask(connection, target, [record.contact_id for record in gone if record.unsent])
    return asked


def mark(target: Connection, contact_ids: Sequence[UUID]) -> int:
    """Their records become due to be deleted, unless the contacts change meanwhile. Answers how many."""
    with database.cursor() as cursor:
        cursor.execute(_MARK, {"connection": target.pk, "contacts": list(contact_ids)})
        return cursor.rowcount


def separate(connection: Connection, contact_ids: Sequence[UUID], message: str) -> None:
    """Empties tombstones: the contacts have no record there, and are given none until a person queues them."""
    with database.cursor() as cursor:
        params: dict[str, Any] = {"connection": connection.pk, "contacts": list(contact_ids), "message": message}
        cursor.execute(_SEPARATE, params)
        links = [row[0] for row in cursor.fetchall()]
        cursor.execute("DELETE FROM syncjobs_syncsnapshot WHERE link_id = ANY(%s)", [links])


def revoke(contact_ids: Sequence[UUID]) -> None:
    """No record of these contacts is to be deleted any more, and nobody need be asked."""
    with database.cursor() as cursor:
        cursor.execute(_REVOKE, {"contacts": list(contact_ids)})
    open_items = ReviewItem.objects.filter(kind=ReviewItem.Kind.DELETIONS, decided_at__isnull=True)
    open_items.filter(contact_id__in=contact_ids).delete()


def _ask(connection: Connection, target: Connection, contact_ids: Sequence[UUID]) -> int:
    """Asks about the contacts' records at the other end; answers how many of them there are."""
    message = f"The record was deleted in {connection.spec.label}: delete the one in {target.spec.label}, too?"
    links = ContactSync.objects.filter(connection=target, contact_id__in=contact_ids, gone_at=None)
    pairs = links.exclude(external_id="").values_list("external_id", "contact_id")
    questions: list[Question] = [deletion(external_id, contact_id, message) for external_id, contact_id in pairs]
    reviews.ask(target, questions)
    return len(questions)


def _runs_lately(run: Run) -> list[int]:
    since = timezone.now() - TOGETHER
    pulls = Run.objects.filter(connection=run.connection_id, kind=RunKind.PULL, dry_run=False, started_at__gte=since)
    return list(pulls.values_list("pk", flat=True))


def _unmark_earlier(target: Connection, runs: Sequence[int]) -> list[UUID]:
    with database.cursor() as cursor:
        cursor.execute(_UNMARK_EARLIER, {"connection": target.pk, "runs": list(runs)})
        return [row[0] for row in cursor.fetchall()]
