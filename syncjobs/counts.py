"""Numbers about links that stay quick at any size: read from the differences that triggers keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection as database

from connectors.models import Connection
from syncjobs.states import SyncStatus

_SUMS = """
SELECT connection_id, sync_status, sum(n), coalesce(sum(n) FILTER (WHERE slot >= now() - interval '24 hours'), 0)
FROM syncjobs_linkcount WHERE connection_id = ANY(%s) GROUP BY connection_id, sync_status
"""

_SERIES = """
SELECT connection_id, date_trunc('hour', slot), sync_status, sum(n) FROM syncjobs_linkcount
WHERE connection_id = ANY(%s) AND slot >= date_trunc('hour', now() - interval '23 hours') GROUP BY 1, 2, 3 ORDER BY 2
"""

# Slots of more than two days ago are no longer asked for one by one. Rows that another fold holds are left to it.
_FOLD = """
WITH old AS (
    SELECT id FROM syncjobs_linkcount ORDER BY id FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM syncjobs_linkcount c USING old WHERE c.id = old.id
    RETURNING connection_id, sync_status, CASE WHEN slot > now() - interval '2 days' THEN slot END AS slot, n
)
INSERT INTO syncjobs_linkcount (connection_id, sync_status, slot, n)
SELECT connection_id, sync_status, slot, sum(n) FROM gone GROUP BY 1, 2, 3 HAVING sum(n) <> 0
"""

# Jumps from one priority to the next inside the index of the queue, instead of reading all that is due.
_OLDEST_DUE = """
WITH RECURSIVE head AS (
    SELECT c.id AS connection_id, first.priority, first.due_at
    FROM connectors_connection c CROSS JOIN LATERAL (
        SELECT priority, due_at FROM syncjobs_contactsync WHERE connection_id = c.id AND due_at IS NOT NULL
        ORDER BY priority DESC, due_at LIMIT 1) first
    UNION ALL
    SELECT head.connection_id, next.priority, next.due_at
    FROM head CROSS JOIN LATERAL (
        SELECT priority, due_at FROM syncjobs_contactsync
        WHERE connection_id = head.connection_id AND due_at IS NOT NULL AND priority < head.priority
        ORDER BY priority DESC, due_at LIMIT 1) next
)
SELECT connection_id, extract(epoch FROM now() - min(due_at)) FROM head GROUP BY connection_id
"""


@dataclass(frozen=True, slots=True)
class Stats:
    """Links of one connection by status; `last_*` those whose time lies in the last 24 hours, to five minutes."""

    total: int
    by_status: dict[str, int]
    last_synced: int
    last_errors: int

    def of(self, status: SyncStatus) -> int:
        return self.by_status.get(status.value, 0)

    @property
    def success_rate(self) -> float:
        """Share of the links that are in step, 0 where there are none."""
        return round(self.of(SyncStatus.COMPLETE) / self.total, 4) if self.total else 0.0


def stats(connection: Connection) -> Stats:
    return stats_of([connection])[connection.pk]


def stats_of(connections: Iterable[Connection]) -> dict[int, Stats]:
    """The same for many, by their primary keys: one statement."""
    rows: dict[int, dict[str, tuple[int, int]]] = {connection.pk: {} for connection in connections}
    with database.cursor() as cursor:
        cursor.execute(_SUMS, [list(rows)])
        for connection_id, status, n, recent in cursor.fetchall():
            rows[connection_id][status] = (int(n), int(recent))
    return {connection_id: _stats(own) for connection_id, own in rows.items()}


def _stats(rows: dict[str, tuple[int, int]]) -> Stats:
    by_status = {status: n for status, (n, _recent) in rows.items() if n}
    return Stats(
        total=sum(by_status.values()),
        by_status=by_status,
        last_synced=rows.get(SyncStatus.COMPLETE.value, (0, 0))[1],
        last_errors=rows.get(SyncStatus.ERROR.value, (0, 0))[1],
    )


def by_hour(connections: Iterable[Connection]) -> dict[int, list[tuple[datetime, str, int]]]:
    """(hour, status, links) for the last 24 hours, by the connections' primary keys: one statement."""
    hours: dict[int, list[tuple[datetime, str, int]]] = {connection.pk: [] for connection in connections}
    with database.cursor() as cursor:
        cursor.execute(_SERIES, [list(hours)])
        for connection_id, hour, status, n in cursor.fetchall():
            hours[connection_id].append((hour, status, int(n)))
    return hours


def fold() -> None:
    """Replaces the differences by their sums, so that reading stays quick."""
    with database.cursor() as cursor:
        cursor.execute(_FOLD)


def oldest_due() -> dict[int, float]:
    """Seconds since the earliest due time of each connection's links; below 0 where it lies ahead."""
    with database.cursor() as cursor:
        cursor.execute(_OLDEST_DUE)
        return {pk: float(seconds) for pk, seconds in cursor.fetchall()}
