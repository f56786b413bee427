"""One run over a route: read the source, look at the destination, write what differs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection as database
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.models import Connection
from syncjobs import enqueue, queue, strays
from syncjobs.errors import Refused
from syncjobs.models import ContactSync, Route, Run, RunStatus
from syncjobs.pull import pull, pull_ids
from syncjobs.push import Progress, push

_LEASE = 0x726F7574 << 32
COUNTERS = ("created", "updated", "skipped", "failed", "conflicts")
TRAFFIC = ("requests", "retries", "rate_limit_hits")


@dataclass
class RouteRun:
    """The runs that a route's run consisted of, in their order."""

    route: Route
    runs: list[Run] = field(default_factory=list)

    @property
    def stopped(self) -> Run | None:
        """The step that could not end its work, if any."""
        return next((run for run in self.runs if run.status in (RunStatus.STOPPED, RunStatus.CANCELLED)), None)

    def counters(self) -> dict[str, int]:
        """What happened at the ends that were written to; `unchanged` are records that needed nothing."""
        pushes = [run for run in self.runs if run.kind == "push"]
        source = [run for run in self.runs if run.kind == "pull" and run.connection_id == self.route.source_id]
        told = {name: sum(getattr(run, name) for run in pushes) for name in COUNTERS}
        told["conflicts"] += sum(run.conflicts for run in self.runs if run.kind == "pull")
        told["unchanged"] = sum(run.unchanged for run in [*source, *pushes])
        return told | {name: sum(getattr(run, name) for run in self.runs) for name in TRAFFIC}

    def add(self, run: Run) -> bool:
        """Notes a step. True when it did its work, so that the next may follow."""
        run.refresh_from_db()
        self.runs.append(run)
        return run.status not in (RunStatus.STOPPED, RunStatus.CANCELLED)


def run_route(route: Route, *, trigger: str, full: bool = False, progress: Progress | None = None) -> RouteRun:
    """Carries out a route once. `full`: both sides are read whole, deletions and foreign edits are noticed.

    What a step could not do stays queued for the next run. Raises Refused when the route is being run already.
    """
    with _lease(route):
        done = RouteRun(route)
        first = route.full_started_at is None
        _note_start(route, full=full or first)
        _carry_out(done, trigger, full=full, first=first, progress=progress)
        return done


def run_records(route: Route, ids: Sequence[str], *, trigger: str) -> RouteRun:
    """Carries out a route for some records of the source alone."""
    with _lease(route):
        done = RouteRun(route)
        if not done.add(pull_ids(route.source, ids, trigger=trigger)):
            return done
        contacts = contacts_of(route.source, ids)
        enqueue.enqueue_ids(route.destination, contacts)
        if done.add(pull(route.destination, trigger=trigger)):
            done.add(push(route.destination, trigger=trigger, only=contacts))
        return done


def contacts_of(connection: Connection, ids: Sequence[str]) -> list[UUID]:
    """The contacts linked to these records."""
    links = ContactSync.objects.filter(connection=connection, external_id__in=list(ids))
    return list(links.values_list("contact_id", flat=True))


def _carry_out(done: RouteRun, trigger: str, *, full: bool, first: bool, progress: Progress | None) -> None:
    route = done.route
    source, destination = route.source, route.destination
    if not done.add(pull(source, trigger=trigger, full=full, progress=progress)):
        return
    if first or full:
        enqueue.enqueue_linked(source, destination)
        if route.two_way:
            enqueue.enqueue_linked(destination, source)
    look = full or not strays.indexed(destination) or queue.has_new(destination)
    if (route.two_way or look) and not done.add(pull(destination, trigger=trigger, full=full, progress=progress)):
        return
    for end in (destination, source) if route.two_way else (destination,):
        if queue.due_count(end) and not done.add(push(end, trigger=trigger, progress=progress)):
            return


def _note_start(route: Route, *, full: bool) -> None:
    route.started_at = timezone.now()
    if full:
        route.full_started_at = route.started_at
    route.save(update_fields=["started_at", "full_started_at"])


@contextlib.contextmanager
def _lease(route: Route) -> Iterator[None]:
    """One run of a route at a time, over all processes; it goes with the process, however that dies."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LEASE + route.pk])
        if not cursor.fetchone()[0]:
            raise Refused(_("The route %(route)s is being run already.") % {"route": route}, "already_running", 409)
    try:
        yield
    finally:
        if database.is_usable():
            with database.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LEASE + route.pk])


def line(done: RouteRun) -> dict[str, Any]:
    """The counters in their public names and order."""
    told = done.counters()
    begun = min(run.started_at for run in done.runs)
    ended = max(run.finished_at or run.heartbeat_at for run in done.runs)
    names = ("created", "updated", "unchanged", "skipped", "failed", "conflicts", *TRAFFIC)
    duration = int((ended - begun).total_seconds() * 1000)
    return {"run": done.runs[-1].pk, **{name: told[name] for name in names}, "duration_ms": duration}
