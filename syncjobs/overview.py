"""How every connection is doing: what the dashboard shows, read with a fixed number of statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import caches

from connectors import services as connections
from connectors.models import Connection
from syncjobs import counts, estimates
from syncjobs.counts import Stats
from syncjobs.models import Run
from syncjobs.states import SyncStatus

RUNS_SHOWN = 60
CACHE_SECONDS = 10
_CACHE_KEY = "syncjobs.overview"

# One look into the index per connection, however many runs there are.
_RECENT = """
SELECT r.* FROM unnest(%s::bigint[]) AS c(id)
CROSS JOIN LATERAL (SELECT * FROM syncjobs_run WHERE connection_id = c.id ORDER BY id DESC LIMIT %s) AS r
"""


@dataclass(frozen=True, slots=True)
class Overview:
    """One connection: its links by status, (hour, status, links) of 24 hours, and its last runs, the newest first."""

    connection: Connection
    stats: Stats
    hours: Sequence[tuple[datetime, str, int]]
    runs: Sequence[Run]

    @property
    def queued(self) -> int:
        return self.stats.of(SyncStatus.QUEUED)

    @property
    def finish_at(self) -> datetime | None:
        """When all that is queued is likely to be done; None when nothing is, or nobody works on it."""
        if not self.queued or not self.connection.enabled:
            return None
        return estimates.completion_of(self.connection, self.queued, self.runs)


def of_all() -> list[Overview]:
    """Every connection, at most ten seconds old: dashboards that stay open must not cost more than one does."""
    cache = caches["process"]
    held: list[Overview] | None = cache.get(_CACHE_KEY)
    if held is None:
        # Without settings and secrets: nothing that is cached shall hold them.
        held = read(connections.usable(Connection.objects.defer("config", "secrets")))
        cache.set(_CACHE_KEY, held, CACHE_SECONDS)
    return held


def read(shown: Sequence[Connection]) -> list[Overview]:
    """The connections' overviews: three statements for any number of connections, links and runs."""
    stats, hours = counts.stats_of(shown), counts.by_hour(shown)
    runs = recent_runs([connection.pk for connection in shown])
    return [Overview(c, stats[c.pk], hours[c.pk], runs[c.pk]) for c in shown]


def recent_runs(connection_ids: Sequence[int], limit: int = RUNS_SHOWN) -> dict[int, list[Run]]:
    """The last runs of each connection, the newest first."""
    found: dict[int, list[Run]] = {pk: [] for pk in connection_ids}
    for run in Run.objects.raw(_RECENT, [list(connection_ids), limit]):
        found[run.connection_id].append(run)
    return {pk: sorted(own, key=lambda run: -run.pk) for pk, own in found.items()}
