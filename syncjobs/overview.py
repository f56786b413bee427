"""How every connection is doing: what the dashboard shows, read with a fixed number of statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import caches

from connectors import services as connections
from connectors.models import Connection, OAuthGrant
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
    """One connection: its links by status, (hour, status, links) of 24 hours, and its last runs, the newest first.

    `due_seconds` is how long what waits the longest has been due; `expires_at` when its access ends, None where it
    never does.
    """

    connection: Connection
    stats: Stats
    hours: Sequence[tuple[datetime, str, int]]
    runs: Sequence[Run]
    due_seconds: float = 0.0
    expires_at: datetime | None = None

    @property
    def queued(self) -> int:
        return self.stats.of(SyncStatus.QUEUED)

    @property
    def finish_at(self) -> datetime | None:
        """When all that is queued is likely to be done; None when nothing is, or nobody works on it."""
        if not self.queued or not self.connection.enabled:
            return None
        return estimates.completion_of(self.connection, self.queued, self.runs)

    @property
    def limit_use(self) -> float | None:
        """The share of the documented requests a second that the last run used; None without a limit or a run."""
        limits = [limit.requests / limit.seconds for limit in self.connection.spec.limits if limit.name == "default"]
        run = next((run for run in self.runs if run.requests and not run.dry_run), None)
        if not limits or run is None:
            return None
        seconds = ((run.finished_at or run.heartbeat_at) - run.started_at).total_seconds()
        return min(run.requests / max(seconds, 1.0) / min(limits), 1.0)


def of_all() -> list[Overview]:
    """Every connection, at most ten seconds old: dashboards that stay open must not cost more than one does."""
    cache = caches["process"]
    held: list[Overview] | None = cache.get(_CACHE_KEY)
    if held is None:
        # Without settings and secrets: nothing that is cached shall hold them.
        every = Connection.objects.select_related("grant").defer("config", "secrets", "grant__tokens")
        held = read(connections.usable(every))
        cache.set(_CACHE_KEY, held, CACHE_SECONDS)
    return held


def read(shown: Sequence[Connection]) -> list[Overview]:
    """The connections' overviews: four statements for any number of connections, links and runs."""
    stats, hours, due = counts.stats_of(shown), counts.by_hour(shown), counts.oldest_due()
    runs = recent_runs([connection.pk for connection in shown])
    return [
        Overview(c, stats[c.pk], hours[c.pk], runs[c.pk], max(due.get(c.pk, 0.0), 0.0), _expires_at(c)) for c in shown
    ]


def _expires_at(connection: Connection) -> datetime | None:
    grant: OAuthGrant | None = getattr(connection, "grant", None)
    return grant.expires_at if grant is not None else None


def recent_runs(connection_ids: Sequence[int], limit: int = RUNS_SHOWN) -> dict[int, list[Run]]:
    """The last runs of each connection, the newest first."""
    found: dict[int, list[Run]] = {pk: [] for pk in connection_ids}
    for run in Run.objects.raw(_RECENT, [list(connection_ids), limit]):
        found[run.connection_id].append(run)
    return {pk: sorted(own, key=lambda run: -run.pk) for pk, own in found.items()}
