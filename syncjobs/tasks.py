"""What django-q2 calls: thin, and given ids only."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from connectors import oauth
from connectors import services as connections
from connectors.models import Connection
from contacts import history
from syncjobs import counts, decisions, route_runs, routes, runs, services, undo
from syncjobs.errors import Refused
from syncjobs.mirror import schedule
from syncjobs.models import ContactSync, Route, Run, RunItem, RunKind, RunStatus
from syncjobs.pull import pull
from syncjobs.push import SLICE_SECONDS, push

KEEP_ITEMS_DAYS = 30


def tick() -> None:
    """Every minute: clears up after dead runs, starts what is due, keeps counts small."""
    runs.reap()
    counts.fold()
    due = ContactSync.objects.filter(connection=OuterRef("pk"), due_at__lte=timezone.now())
    waiting = Connection.objects.filter(Exists(due), enabled=True)
    for connection in connections.usable(waiting):
        if _time_has_come(connection):
            services.start_push(connection)
    for route, full in routes.due(timezone.now()):
        services.start_route(route, full=full)
    schedule.start_due(timezone.now())


def push_now(connection_id: int, run_id: int | None = None) -> None:
    """One slice of a push; goes on in a task of its own until nothing is due, so that no task lasts long."""
    connection = Connection.objects.filter(pk=connection_id, enabled=True).first()
    if connection is None:
        return
    live = runs.live(connection)
    if live is not None and (live.pk != run_id or runs.is_alive(live.pk)):
        return  # another worker is at it and claims what is due, the most urgent first
    run = Run.objects.filter(pk=run_id, status=RunStatus.RUNNING).first() if run_id else None
    run = push(connection, trigger="schedule", run=run, seconds=SLICE_SECONDS)
    if run.status == RunStatus.RUNNING:
        services.start_push(connection, run)


def pull_now(connection_id: int) -> None:
    """Reads into the hub as a person asked; nothing where it is being read already, or was switched off meanwhile."""
    connection = Connection.objects.filter(pk=connection_id, enabled=True).first()
    if connection is None:
        return
    with contextlib.suppress(Refused):
        pull(connection, trigger="command", explicit=True)


def run_route(route_id: int, full: bool = False) -> None:
    """One run of a route; nothing where it is being run already, or was switched off meanwhile."""
    route = Route.objects.filter(pk=route_id, enabled=True).select_related("source", "destination").first()
    if route is None:
        return
    with contextlib.suppress(Refused):
        route_runs.run_route(route, trigger="schedule", full=full)


def carry_out_decisions(connection_id: int) -> None:
    """What people have decided about the connection's records; nothing where it was switched off meanwhile."""
    connection = Connection.objects.filter(pk=connection_id, enabled=True).first()
    if connection is not None:
        with contextlib.suppress(Refused):
            decisions.carry_out(connection)


def undo_run(run_id: int, made_id: int) -> None:
    """Takes a run back; nothing where that was begun before, as half of it would be found changed since."""
    run = Run.objects.select_related("connection").filter(pk=run_id).first()
    made = Run.objects.filter(pk=made_id, status=RunStatus.RUNNING).first()
    if run is not None and made is not None and not runs.is_alive(made.pk):
        undo.undo(run, made)


def renew_access() -> None:
    """Every TOKEN_REFRESH_INTERVAL: renews OAuth2 tokens before they expire, also where nothing is being synced."""
    oauth.renew_ahead()


def purge() -> None:
    """Daily: forgets outcomes of single records after some weeks, and people's changes; the runs' own counts stay."""
    before = timezone.now() - timedelta(days=KEEP_ITEMS_DAYS)
    old = Run.objects.filter(started_at__lt=before).values("pk")
    RunItem.objects.filter(run__in=old)._raw_delete("default")
    history.purge()


def _time_has_come(connection: Connection) -> bool:
    last = Run.objects.filter(connection=connection, kind=RunKind.PUSH, dry_run=False).order_by("-id").first()
    if last is None:
        return True
    if last.status == RunStatus.RUNNING:
        return runs.live(connection) is None
    # The tick itself comes a little early or late.
    return timezone.now() >= last.started_at + timedelta(minutes=connection.interval, seconds=-20)
