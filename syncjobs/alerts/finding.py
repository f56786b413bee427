"""Looks for what is wrong with the connections: a fixed number of statements, and nothing is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection as database
from django.utils import timezone

from connectors import services as connections
from connectors.models import Connection, ConnectionState
from syncjobs import counts
from syncjobs.models import AlertKind

# The shortest time without any change that may be called a silence.
SHORTEST_SILENCE = timedelta(hours=2)
WEEK = timedelta(days=7)
# So many changing runs in the same hours of an ordinary week make a silence unusual.
USUALLY = 3

_CHANGED = "NOT r.dry_run AND r.created + r.updated + r.deleted > 0"

_FAILED = """
SELECT c.id, f.failed, f.tried FROM unnest(%(ids)s::bigint[]) AS c(id) CROSS JOIN LATERAL (
    SELECT sum(r.failed) AS failed, sum(r.created + r.updated + r.deleted + r.failed) AS tried FROM syncjobs_run r
    WHERE r.connection_id = c.id AND NOT r.dry_run AND r.started_at > now() - interval '1 day'
      AND r.heartbeat_at > now() - interval '1 hour') f
"""

# By the index on connection and start, and no further back than a month, however many runs there have been.
_CHANGES = f"""
SELECT c.id, last.at, first.at FROM unnest(%(ids)s::bigint[]) AS c(id) CROSS JOIN LATERAL (
    SELECT r.started_at AS at FROM syncjobs_run r WHERE r.connection_id = c.id AND {_CHANGED}
      AND r.started_at > now() - interval '30 days' ORDER BY r.started_at DESC LIMIT 1) last
CROSS JOIN LATERAL (
    SELECT r.started_at AS at FROM syncjobs_run r WHERE r.connection_id = c.id AND {_CHANGED}
      AND r.started_at > now() - interval '30 days' ORDER BY r.started_at LIMIT 1) first
"""

# How many runs changed something in the same hours one week before, and two.
_WEEKS = f"""
SELECT a.id, count(*) FILTER (WHERE r.started_at > a.since - a.week AND r.started_at < now() - a.week),
       count(*) FILTER (WHERE r.started_at > a.since - 2 * a.week AND r.started_at < now() - 2 * a.week)
FROM (SELECT *, interval '7 days' AS week FROM unnest(%(ids)s::bigint[], %(since)s::timestamptz[]) AS u(id, since)) a
JOIN syncjobs_run r ON r.connection_id = a.id AND r.started_at > now() - interval '45 days' AND {_CHANGED}
GROUP BY a.id
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a connection; `facts` are in JSON's types."""

    connection: Connection
    kind: AlertKind
    facts: dict[str, Any] = field(default_factory=dict)


def find() -> list[Finding]:
    """Everything that is wrong at this moment with the enabled connections."""
    watched = connections.usable(Connection.objects.defer("config", "secrets").filter(enabled=True))
    return [*_parked(watched), *_failing(watched), *_stuck(watched), *_silent(watched, timezone.now())]


def _parked(watched: Sequence[Connection]) -> Iterator[Finding]:
    for connection in watched:
        if connection.state == ConnectionState.NEEDS_ATTENTION:
            yield Finding(connection, AlertKind.ATTENTION, {"problem": connection.state_message})


def _failing(watched: Sequence[Connection]) -> Iterator[Finding]:
    with database.cursor() as cursor:
        cursor.execute(_FAILED, {"ids": [connection.pk for connection in watched]})
        counted = {pk: (int(failed or 0), int(tried or 0)) for pk, failed, tried in cursor.fetchall()}
    for connection in watched:
        failed, tried = counted.get(connection.pk, (0, 0))
        if failed >= settings.ALERT_FAILED_LEAST and failed * 100 >= tried * settings.ALERT_FAILED_PERCENT:
            yield Finding(connection, AlertKind.FAILURES, {"failed": failed, "tried": tried})


def _stuck(watched: Sequence[Connection]) -> Iterator[Finding]:
    """Whose queue has stood longer than allowed; a connection that is parked has its own alert."""
    oldest = counts.oldest_due()
    for connection in watched:
        waited, allowed = oldest.get(connection.pk, 0.0), 60 * settings.ALERT_QUEUE_MINUTES
        if connection.state != ConnectionState.NEEDS_ATTENTION and waited > allowed + 60 * connection.interval:
            yield Finding(connection, AlertKind.STUCK, {"minutes": int(waited // 60)})


def _silent(watched: Sequence[Connection], now: datetime) -> Iterator[Finding]:
    """Those that changed nothing for hours in which the weeks before brought changes.

    The same hours of the two weeks before are what is usual, so that nights and weekends raise nothing. Whoever has
    been watched for less than a week has no usual yet.
    """
    with database.cursor() as cursor:
        cursor.execute(_CHANGES, {"ids": [connection.pk for connection in watched]})
        found = {pk: (last, first) for pk, last, first in cursor.fetchall()}
    quiet = {
        c.pk: found[c.pk][0]
        for c in watched
        if c.pk in found and now - found[c.pk][0] >= SHORTEST_SILENCE and now - found[c.pk][1] > WEEK
    }
    if not quiet:
        return
    with database.cursor() as cursor:
        cursor.execute(_WEEKS, {"ids": list(quiet), "since": list(quiet.values())})
        weeks = {pk: (last, before) for pk, last, before in cursor.fetchall()}
    for connection in watched:
        if connection.pk not in quiet or connection.state == ConnectionState.NEEDS_ATTENTION:
            continue
        last, before = weeks.get(connection.pk, (0, 0))
        is_young = now - found[connection.pk][1] < 2 * WEEK
        if last >= USUALLY and (is_young or before >= USUALLY):
            facts = {"since": quiet[connection.pk].isoformat(), "usual": last}
            yield Finding(connection, AlertKind.SILENCE, facts)
