"""What /metrics tells of the queue and of runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from django.db.models import Count, Sum
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from connectors.models import Connection
from syncjobs import counts
from syncjobs.models import Run, RunCount, RunStatus
from syncjobs.states import SyncStatus

OUTCOMES = ("created", "updated", "unchanged", "skipped", "failed", "conflicts", "deleted")


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
    found, oldest = counts.stats_of(connections), counts.oldest_due()
    for connection in connections:
        stats = found[connection.pk]
        for status in SyncStatus:
            links.add_metric([connection.key, status.value], stats.of(status))
        depth.add_metric([connection.key], stats.of(SyncStatus.QUEUED))
        age.add_metric([connection.key], max(oldest.get(connection.pk, 0.0), 0.0))
    yield from (links, depth, age)


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
