"""Stores what happened to a batch of links: a fixed number of statements, one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db import IntegrityError
from django.db import connection as database
from django.utils import timezone

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Outcome, Result
from connectors.models import Connection
from syncjobs import linklocks, reviews, states
from syncjobs.models import Run, RunItem
from syncjobs.planitems import Decision, Pending, PlanItem

BACKOFF_BASE_SECONDS = 300
BACKOFF_LONGEST_SECONDS = 6 * 3600

_SUCCEED = f"""
UPDATE syncjobs_contactsync s SET
    sync_status = CASE WHEN s.due_at IS NULL THEN '{states.SUCCEED.target.sync}' ELSE '{states.QUEUED.sync}' END,
    processing_status = CASE WHEN s.due_at IS NULL THEN '{states.SUCCEED.target.processing}'
                             ELSE '{states.QUEUED.processing}' END,
    processing_error = o.warning, error_kind = '', run_id = NULL, priority = 0,
    retry_count = 0, next_retry_at = NULL, synced_at = now(), remote_hash = o.hash, seen_hash = NULL, gone_at = NULL,
    pushed_version = o.version,
    external_id = CASE WHEN o.external_id = '' THEN s.external_id ELSE o.external_id END,
    external_ref = CASE WHEN o.external_ref = '' THEN s.external_ref ELSE o.external_ref END,
    external_version = CASE WHEN o.external_version = '' THEN s.external_version ELSE o.external_version END
FROM syncjobs_outcome o WHERE s.id = o.id AND s.run_id = %(run)s
"""

_FAIL = f"""
UPDATE syncjobs_contactsync s SET {states.set_sql(states.FAIL.target)},
    processing_error = o.message, error_kind = o.kind, run_id = NULL, last_retry_at = now(),
    retry_count = s.retry_count + o.counts, next_retry_at = n.at, due_at = coalesce(s.due_at, n.at),
    delete_version = CASE WHEN o.asked THEN NULL ELSE s.delete_version END,
    remote_hash = CASE WHEN o.kind = 'unknown' THEN NULL ELSE s.remote_hash END, seen_hash = NULL
FROM unnest(%(ids)s::bigint[], %(messages)s::text[], %(kinds)s::text[], %(counts)s::int[], %(retryable)s::bool[],
            %(after)s::float8[], %(asked)s::bool[]) AS o(id, message, kind, counts, retryable, after, asked)
JOIN syncjobs_contactsync was ON was.id = o.id
CROSS JOIN LATERAL (
    SELECT CASE WHEN o.retryable AND was.retry_count + o.counts < %(most)s THEN now() + make_interval(secs => greatest(
        o.after, 1, random() * least(%(longest)s, %(base)s * power(2, least(was.retry_count, 20))))) END AS at) AS n
WHERE s.id = o.id AND s.run_id = %(run)s
"""

_SKIP = f"""
UPDATE syncjobs_contactsync s SET {states.set_sql(states.SKIP_IN_FLIGHT.target)}, due_at = NULL, next_retry_at = NULL,
    processing_error = o.message, error_kind = '', run_id = NULL, delete_version = NULL
FROM unnest(%(ids)s::bigint[], %(messages)s::text[]) AS o(id, message)
WHERE s.id = o.id AND s.run_id = %(run)s
"""

_DELETED = f"""
UPDATE syncjobs_contactsync s SET {states.set_sql(states.SKIP_IN_FLIGHT.target)}, due_at = NULL, next_retry_at = NULL,
    processing_error = %(message)s, error_kind = '', run_id = NULL, delete_version = NULL, gone_at = now(),
    seen_hash = NULL, remote_hash = NULL, retry_count = 0, synced_at = now()
WHERE s.id = ANY(%(ids)s) AND s.run_id = %(run)s
"""

# Filled by COPY: as parameters, the texts of a thousand rows would cost more than storing them.
_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS syncjobs_outcome (
    id bigint, external_id text, external_ref text, external_version text, hash bytea, version int, warning text,
    snapshot jsonb
) ON COMMIT DELETE ROWS;
DELETE FROM syncjobs_outcome
"""

_OWNED = """
DELETE FROM syncjobs_outcome o WHERE o.external_id <> '' AND EXISTS (
    SELECT 1 FROM syncjobs_contactsync other
    WHERE other.connection_id = %(connection)s AND other.external_id = o.external_id AND other.external_id <> ''
      AND other.id <> o.id OFFSET 0)
RETURNING o.id
"""

_SNAPSHOT = """
INSERT INTO syncjobs_syncsnapshot (link_id, values) SELECT id, snapshot FROM syncjobs_outcome WHERE snapshot IS NOT NULL
ON CONFLICT (link_id) DO UPDATE SET values = excluded.values
"""

_COUNT = """
UPDATE syncjobs_run SET created = created + %(created)s, updated = updated + %(updated)s,
    unchanged = unchanged + %(unchanged)s, skipped = skipped + %(skipped)s, failed = failed + %(failed)s,
    conflicts = conflicts + %(conflicts)s, deleted = deleted + %(deleted)s, heartbeat_at = now()
WHERE id = %(run)s RETURNING cancel_requested
"""


@dataclass(slots=True)
class Settled:
    """A plan item with its outcome: what the remote system said, or what the plan alone decided.

    `changes` are the values of their record before and after, by field; without them, those of the item are kept.
    """

    item: Pending
    result: str
    outcome: Outcome | None = None
    error: ApiError | None = None
    changes: Mapping[str, Any] | None = None

    @classmethod
    def planned(cls, item: PlanItem) -> Settled:
        """An item about which nothing is sent."""
        linked = Outcome(item.link.id, Result.UPDATED, external_id=item.external_id)
        outcome = linked if item.decision is Decision.LINK else None
        return cls(item.pending(), _PLANNED[item.decision], outcome, item.error)

    @classmethod
    def answered(cls, item: Pending, outcome: Outcome) -> Settled:
        error = outcome.error
        if item.decision is Decision.DELETE and error is not None and error.kind is ErrorKind.GONE:
            return cls(item, "deleted", Outcome(outcome.ref, Result.DELETED, external_id=item.external_id))
        return cls(item, _ANSWERED[outcome.result], outcome, error)


_PLANNED = {
    Decision.UNCHANGED: "unchanged",
    Decision.LINK: "updated",
    Decision.SKIP: "skipped",
    Decision.CONFLICT: "conflicts",
    Decision.FAIL: "failed",
}
_ANSWERED = {
    Result.CREATED: "created",
    Result.UPDATED: "updated",
    Result.UNCHANGED: "unchanged",
    Result.DELETED: "deleted",
    Result.FAILED: "failed",
    Result.UNKNOWN: "failed",
}
_GOOD = frozenset({"created", "updated", "unchanged"})


def store(run: Run, connection: Connection, settled: Sequence[Settled]) -> bool:
    """Stores outcomes, snapshots, the run's items and counters together. True when the run was asked to stop."""
    try:
        return linklocks.stored(lambda: _store(run, connection, settled))
    except IntegrityError:
        # Another worker took one of the remote ids between our look and our update: look once more.
        return linklocks.stored(lambda: _store(run, connection, settled))


def _store(run: Run, connection: Connection, settled: Sequence[Settled]) -> bool:
    good = [s for s in settled if s.result in _GOOD]
    bad = [s for s in settled if s.result in ("failed", "conflicts")]
    skipped = [s for s in settled if s.result == "skipped"]
    deleted = [s for s in settled if s.result == "deleted"]
    linklocks.together(connection)
    with database.cursor() as cursor:
        if good:
            good, taken = _succeed(cursor, run, connection, good)
            bad = bad + taken
        if bad:
            cursor.execute(_FAIL, {"run": run.pk, **_failure_columns(bad)})
        if skipped:
            ids, messages = [s.item.link_id for s in skipped], [s.item.reason for s in skipped]
            cursor.execute(_SKIP, {"run": run.pk, "ids": ids, "messages": messages})
        if deleted:
            message = f"The record was deleted in {connection.spec.label} by the hub, as its route says."
            cursor.execute(_DELETED, {"run": run.pk, "ids": [s.item.link_id for s in deleted], "message": message})
        told = [*good, *bad, *skipped, *deleted]
        store_items(run, told)
        reviews.ask(connection, [s.item.question for s in bad if s.item.question is not None])
        carried_out = [s.item for s in [*good, *deleted] if s.item.decided is not None]
        reviews.used({item.decided: item.contact_id for item in carried_out if item.decided is not None})
        return count(cursor, run, told)


def _succeed(cursor: Any, run: Run, connection: Connection, good: list[Settled]) -> tuple[list[Settled], list[Settled]]:
    """Stores the good ones; parts off those whose remote record belongs to another link, here or stored before."""
    good, doubles = _without_doubles(good)
    cursor.execute(_TABLE)
    with cursor.copy("COPY syncjobs_outcome FROM STDIN") as copy:
        for s in good:
            copy.write_row(_row(s))
    cursor.execute(_OWNED, {"connection": connection.pk})
    owned = {row[0] for row in cursor.fetchall()}
    cursor.execute(_SUCCEED, {"run": run.pk})
    cursor.execute(_SNAPSHOT)
    message = f"The record in {connection.spec.label} is already linked to another contact of the hub: merge the two."
    refused = [*doubles, *(s for s in good if s.item.link_id in owned)]
    taken = [Settled(s.item, "failed", error=ApiError(ErrorKind.DATA, message)) for s in refused]
    return [s for s in good if s.item.link_id not in owned], taken


def _without_doubles(good: list[Settled]) -> tuple[list[Settled], list[Settled]]:
    """Of several outcomes that name one remote record, only the first is kept."""
    seen: set[str] = set()
    kept: list[Settled] = []
    doubles: list[Settled] = []
    for s in good:
        external_id = s.outcome.external_id if s.outcome is not None else ""
        (doubles if external_id and external_id in seen else kept).append(s)
        seen.add(external_id)
    return kept, doubles


def _row(s: Settled) -> tuple[Any, ...]:
    """A row of the temporary table."""
    item = s.item
    answer = s.outcome or Outcome(item.link_id, Result.UNCHANGED, external_id=item.external_id)
    snapshot = item.snapshot.decode() or None
    return (
        item.link_id,
        answer.external_id,
        answer.external_ref,
        answer.version,
        item.digest,
        item.contact_version,
        answer.warning,
        snapshot,
    )


def _failure_columns(bad: Sequence[Settled]) -> dict[str, Any]:
    errors = [s.error or ApiError(ErrorKind.BUG, "The reason was not told.") for s in bad]
    return {
        "ids": [s.item.link_id for s in bad],
        "messages": [e.message for e in errors],
        "kinds": [e.kind.value for e in errors],
        "counts": [int(e.recovery.counts_attempt) for e in errors],
        "retryable": [e.recovery.retryable for e in errors],
        "after": [e.retry_after or 0.0 for e in errors],
        "asked": [s.result == "conflicts" for s in bad],
        "most": settings.SYNC_MAX_ATTEMPTS,
        "base": BACKOFF_BASE_SECONDS,
        "longest": BACKOFF_LONGEST_SECONDS,
    }


def store_items(run: Run, settled: Sequence[Settled]) -> None:
    """Writes what happened to each record, by COPY; unchanged ones are only counted."""
    told = [s for s in settled if s.result != "unchanged"]
    if not told:
        return
    now = timezone.now()
    columns = "run_id, contact_id, external_id, action, message, fields, changes, at"
    with (
        database.cursor() as cursor,
        cursor.copy(f"COPY {RunItem._meta.db_table} ({columns}) FROM STDIN") as copy,
    ):
        for s in told:
            external_id = (s.outcome.external_id if s.outcome else "") or s.item.external_id
            fields = orjson.dumps(list(s.item.fields)).decode()
            changes = orjson.dumps(s.changes).decode() if s.changes else s.item.changes.decode() or None
            row = (run.pk, s.item.contact_id, external_id, _action(s), _sentence(s), fields, changes, now)
            copy.write_row(row)


def _action(s: Settled) -> str:
    if s.result == "failed":
        return RunItem.Action.FAIL.value
    if s.result in ("created", "updated") and s.item.decision is not Decision.LINK:
        return (RunItem.Action.CREATE if s.result == "created" else RunItem.Action.UPDATE).value
    return s.item.decision.value


def _sentence(s: Settled) -> str:
    if s.error is not None:
        return s.error.message
    return (s.outcome.warning if s.outcome else "") or s.item.reason


def count(cursor: Any, run: Run, settled: Sequence[Settled]) -> bool:
    """Adds to the run's counters. True when the run was asked to stop."""
    counts = Counter(s.result for s in settled)
    names = ("created", "updated", "unchanged", "skipped", "failed", "conflicts", "deleted")
    cursor.execute(_COUNT, {"run": run.pk, **{name: counts[name] for name in names}})
    row = cursor.fetchone()
    return bool(row and row[0])
