"""One run over a route: read the source, look at the destination, write what differs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from django.db import connection as database
from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.models import Connection
from syncjobs import enqueue, queue, runs, strays
from syncjobs.errors import Refused
from syncjobs.models import ContactSync, Route, Run, RunKind, RunStatus
from syncjobs.pull import pull, pull_ids
from syncjobs.push import Progress, push
from syncjobs.signals import route_starts

_LEASE = 0x726F7574 << 32
COUNTERS = ("created", "updated", "skipped", "failed", "conflicts")
TRAFFIC = ("requests", "retries", "rate_limit_hits")


@dataclass
class RouteRun:
    """The runs that a route's run consisted of, in their order. `reverse`: against the route's direction.

    `origins` are the ids in `start` of the contacts that a rehearsal touched, which may be gone with it, and `pages`
    those of `end` that it read.
    """

    route: Route
    runs: list[Run] = field(default_factory=list)
    reverse: bool = False
    origins: dict[UUID, str] = field(default_factory=dict)
    pages: int = 0

    @property
    def start(self) -> Connection:
        return self.route.destination if self.reverse else self.route.source

    @property
    def end(self) -> Connection:
        return self.route.source if self.reverse else self.route.destination

    @property
    def stopped(self) -> Run | None:
        """The step that could not end its work, if any."""
        return next((run for run in self.runs if run.status in (RunStatus.STOPPED, RunStatus.CANCELLED)), None)

    def counters(self) -> dict[str, int]:
        """What happened at the ends that were written to; `unchanged` are records that needed nothing."""
        pushes = [run for run in self.runs if run.kind == "push"]
        source = [run for run in self.runs if run.kind == "pull" and run.connection_id == self.start.pk]
        told = {name: sum(getattr(run, name) for run in pushes) for name in COUNTERS}
        told["conflicts"] += sum(run.conflicts for run in self.runs if run.kind == "pull")
        told["unchanged"] = sum(run.unchanged for run in [*source, *pushes])
        return told | {name: sum(getattr(run, name) for run in self.runs) for name in TRAFFIC}

    @property
    def deleted(self) -> int:
        """How many records were deleted at the ends, because the other one had lost its own."""
        return sum(run.deleted for run in self.runs if run.kind == "push")

    def add(self, run: Run) -> bool:
        """Notes a step. True when it did its work, so that the next may follow."""
        run.refresh_from_db()
        self.runs.append(run)
        return run.status not in (RunStatus.STOPPED, RunStatus.CANCELLED)


class Steps(Protocol):
    """What a route's run consists of: carried out, or only rehearsed."""

    def pull(self, connection: Connection, *, full: bool) -> Run: ...

    def pull_ids(self, connection: Connection, ids: Sequence[str], *, explicit: bool) -> Run: ...

    def push(self, connection: Connection, only: Sequence[UUID] | None = None) -> Run: ...


@dataclass(frozen=True, slots=True)
class RealSteps:
    """Reads, stores and writes."""

    trigger: str
    progress: Progress | None = None

    def pull(self, connection: Connection, *, full: bool) -> Run:
        return pull(connection, trigger=self.trigger, full=full, progress=self.progress)

    def pull_ids(self, connection: Connection, ids: Sequence[str], *, explicit: bool) -> Run:
        return pull_ids(connection, ids, trigger=self.trigger, explicit=explicit)

    def push(self, connection: Connection, only: Sequence[UUID] | None = None) -> Run:
        return push(connection, trigger=self.trigger, progress=self.progress, only=only)


def run_route(route: Route, *, trigger: str, full: bool = False, progress: Progress | None = None) -> RouteRun:
    """Carries out a route once. `full`: both sides are read whole, deletions and foreign edits are noticed.

    What a step could not do stays queued for the next run. Raises Refused when the route is being run already.
    """
    with lease(route):
        done = RouteRun(route)
        if not _is_ready(done, trigger):
            return done
        first = route.full_started_at is None
        _note_start(route, full=full or first)
        carry_out(done, RealSteps(trigger, progress), full=full, first=first)
        return done


def run_records(route: Route, ids: Sequence[str], *, trigger: str, reverse: bool = False) -> RouteRun:
    """Carries out a route for some records alone: of its source, or `reverse`. Raises Refused as `run_route`."""
    with lease(route):
        done = RouteRun(route, reverse=reverse)
        if _is_ready(done, trigger):
            carry_out_records(done, RealSteps(trigger), ids)
        return done


def _is_ready(done: RouteRun, trigger: str) -> bool:
    """Whether nobody objects to the run; an objection is noted as a run that stopped at once."""
    route = done.route
    try:
        route_starts.send(Route, route=route)
    except Refused as e:
        run = runs.start(route.destination, RunKind.PUSH, trigger=trigger)
        runs.finish(run, RunStatus.STOPPED, e.message)
        return done.add(run)
    return True


def contacts_of(connection: Connection, ids: Sequence[str]) -> list[UUID]:
    """The contacts linked to these records."""
    links = ContactSync.objects.filter(connection=connection, external_id__in=list(ids))
    return list(links.values_list("contact_id", flat=True))


def carry_out(done: RouteRun, steps: Steps, *, full: bool, first: bool) -> None:
    route = done.route
    source, destination = route.source, route.destination
    if not done.add(steps.pull(source, full=full)):
        return
    if first or full:
        enqueue.enqueue_linked(source, destination)
        if route.two_way:
            enqueue.enqueue_linked(destination, source)
    look = full or not strays.indexed(destination) or queue.has_new(destination)
    if (route.two_way or look) and not done.add(steps.pull(destination, full=full)):
        return
    for end in (destination, source) if route.two_way else (destination,):
        # A long push to the other end may lie between the look at this one and the push to it.
        outdated = route.two_way and not strays.fresh(end) and queue.has_new(end)
        if outdated and not done.add(steps.pull(end, full=False)):
            return
        if queue.due_count(end) and not done.add(steps.push(end)):
            return


def carry_out_records(done: RouteRun, steps: Steps, ids: Sequence[str]) -> None:
    # Against the direction of a one-way route only where a person has asked for it.
    if not done.add(steps.pull_ids(done.start, ids, explicit=done.reverse)):
        return
    contacts = contacts_of(done.start, ids)
    enqueue.enqueue_ids(done.end, contacts)
    if done.add(steps.pull(done.end, full=False)):
        done.add(steps.push(done.end, contacts))


def _note_start(route: Route, *, full: bool) -> None:
    route.started_at = timezone.now()
    if full:
        route.full_started_at = route.started_at
    route.save(update_fields=["started_at", "full_started_at"])


@contextlib.contextmanager
def lease(route: Route) -> Iterator[None]:
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
