"""What /metrics tells of the queue and of runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from django.db import connection as database
from django.db.models import Count, Sum
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from connectors.models import Connection
from syncjobs import counts
from syncjobs.models import Run, RunCount, RunStatus
from syncjobs.states import SyncStatus

OUTCOMES = ("created", "updated", "unchanged", "skipped", "failed", "conflicts", "deleted")

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


def families() -> Iterator[Metric]:
    """Five statements, none of which reads more as links or runs grow."""
    connections = list(Connection.objects.only("pk", "key"))
    yield from _queue(connections)
    yield from _runs()


def _queue(connections: list[Connection]) -> Iterator[Metric]:
    links = GaugeMetricFamily("crmsync_links", "Links by their sync status.", labels=["connection", "status"])
    depth = GaugeMetricFamily("crmsync_queue_depth", "Links that wait for a push.", labels=["connection"])
    age = GaugeMetricFamily(
        "crmsync_oldest_due_seconds", "How long the link that is due the longest has waited.", labels=["connection"]
    )
    found, oldest = counts.stats_of(connections), _oldest_due()
    for connection in connections:
        stats = found[connection.pk]
        for status in SyncStatus:
            links.add_metric([connection.key, status.value], stats.of(status))
        depth.add_metric([connection.key], stats.of(SyncStatus.QUEUED))
        age.add_metric([connection.key], max(oldest.get(connection.pk, 0.0), 0.0))
    yield from (links, depth, age)


def _oldest_due() -> dict[int, float]:
    """Seconds since the earliest due time of each connection's links; below 0 where it lies ahead."""
    with database.cursor() as cursor:
        cursor.execute(_OLDEST_DUE)
        return {pk: float(seconds) for pk, seconds in cursor.fetchall()}


def _runs() -> Iterator[Metric]:
    """Finished runs from their counts, and those under way, whose numbers are still growing, as they are."""
    runs = CounterMetricFamily(
        "crmsync_runs", "Finished runs, dry ones left out.", labels=["connection", "kind", "status"]
    )
    records = CounterMetricFamily(
        "crmsync_records", "Records by what became of them in runs.", labels=["connection", "kind", "outcome"]
    )
    running = GaugeMetricFamily("crmsync_runs_running", "Runs under way.", labels=["connection", "kind"])
    totals: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * len(OUTCOMES))
    names = ("connection__key", "kind")
    for key, kind, status, count, *own in RunCount.objects.values_list(*names, "status", "runs", *OUTCOMES):
        runs.add_metric([key, kind, status], count)
        totals[key, kind] = [a + b for a, b in zip(totals[key, kind], own, strict=True)]
    live = Run.objects.filter(status=RunStatus.RUNNING, dry_run=False).order_by().values_list(*names)
    sums = {f"sum_{name}": Sum(name) for name in OUTCOMES}
    for key, kind, count, *own in live.annotate(count=Count("pk"), **sums):
        running.add_metric([key, kind], count)
        totals[key, kind] = [a + b for a, b in zip(totals[key, kind], own, strict=True)]
    for pair, values in totals.items():
        for outcome, value in zip(OUTCOMES, values, strict=True):
            records.add_metric([*pair, outcome], value)
    yield from (runs, records, running)
