"""The dry run of a route: the run itself in a transaction that is given up. Remote systems are only read.

What the run would read is read before the transaction begins, so that nothing is locked while a remote system answers.
Only its runs and their items are kept, marked as a dry run's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from connectors import services as connections
from connectors.core.base import Connector
from connectors.models import Connection
from syncjobs import dryrun, routes, strays
from syncjobs.models import ContactSync, Route, Run, RunItem
from syncjobs.pull import Opener, pull, pull_ids
from syncjobs.push import Progress
from syncjobs.route_runs import RouteRun, carry_out, carry_out_records, lease
from syncjobs.signals import route_starts
from syncjobs.spools import Replayed, Spool, spooled

ITEMS_AT_ONCE = 2000


def rehearse(
    route: Route, *, trigger: str, full: bool = False, limit: int | None = None, progress: Progress | None = None
) -> RouteRun:
    """What `run_route` would do now, as runs marked `dry_run` with an item for every record it would touch.

    A route that is not stored yet, or not as it is given, is rehearsed as it is given, and is not stored afterwards.
    With `limit`, only so many records are read at each end. Raises Refused.
    """
    with lease(route) if route.pk else nullcontext(), ExitStack() as stack:
        route_starts.send(Route, route=route)
        first = route.full_started_at is None
        whole = {route.source.pk: full or first, route.destination.pk: full}
        ends = [route.source]
        if full or route.two_way or not strays.indexed(route.destination):
            ends.append(route.destination)
        spools: dict[int, Spool] = {}
        for end in ends:
            takes = route.two_way or end == route.source or routes.terms_of(end).takes
            spool = spooled(end, full=whole[end.pk], takes=takes, limit=limit)
            spools[end.pk] = stack.enter_context(closing(spool))
        steps = RehearsedSteps(trigger, spools, progress)

        def work(done: RouteRun) -> None:
            route.save()
            carry_out(done, steps, full=full, first=first)

        return _given_up(RouteRun(route), work)


def rehearse_records(
    route: Route, ids: Sequence[str], *, trigger: str, reverse: bool = False, hasty: bool = False
) -> RouteRun:
    """What `run_records` would do now. Raises Refused.

    `hasty`: no more than one page of the other end is read, so that somebody known there may be taken for new.
    """
    with lease(route), ExitStack() as stack:
        route_starts.send(Route, route=route)
        done = RouteRun(route, reverse=reverse)
        takes, most_pages = routes.terms_of(done.end).takes, 1 if hasty else None
        spool = stack.enter_context(closing(spooled(done.end, full=False, takes=takes, most_pages=most_pages)))
        done.pages = spool.page_count
        steps = RehearsedSteps(trigger, {done.end.pk: spool}, hasty=hasty)
        return _given_up(done, partial(carry_out_records, steps=steps, ids=ids))


@dataclass(frozen=True, slots=True)
class RehearsedSteps:
    """Pulls out of spools, and pushes that end after the plan. A connection without a spool is read on the way."""

    trigger: str
    spools: Mapping[int, Spool]
    progress: Progress | None = None
    hasty: bool = False

    def pull(self, connection: Connection, *, full: bool) -> Run:
        spool, opened = self.spools.get(connection.pk), self._opener(connection)
        run = pull(connection, trigger=self.trigger, full=full, progress=self.progress, opened=opened)
        if spool is not None:
            spool.count_in(run)
        return run

    def pull_ids(self, connection: Connection, ids: Sequence[str], *, explicit: bool) -> Run:
        return pull_ids(connection, ids, trigger=self.trigger, explicit=explicit)

    def push(self, connection: Connection, only: Sequence[UUID] | None = None) -> Run:
        opened = self._opener(connection)
        return dryrun.plan(connection, trigger=self.trigger, progress=self.progress, only=only, opened=opened)

    def _opener(self, connection: Connection) -> Opener:
        spool = self.spools.get(connection.pk)
        if spool is None:
            return connections.open_connector

        def opened(connection: Connection, **options: Any) -> Connector:
            connector = connections.open_connector(connection, **options)
            return Replayed(connector, spool, hasty=self.hasty)  # type: ignore[return-value]

        return opened


def _given_up(done: RouteRun, work: Any) -> RouteRun:
    """Does the work, takes everything back, and stores the runs and their items anew."""
    with transaction.atomic():
        work(done)
        for run in done.runs:
            run.refresh_from_db()
        items = list(RunItem.objects.filter(run__in=[run.pk for run in done.runs]))
        met = ContactSync.objects.filter(connection=done.start, contact_id__in={item.contact_id for item in items})
        done.origins = dict(met.exclude(external_id="").values_list("contact_id", "external_id"))
        transaction.set_rollback(True)
    with transaction.atomic():
        for run in done.runs:
            run.dry_run = True
            run.save(force_insert=True)
        RunItem.objects.bulk_create(items, batch_size=ITEMS_AT_ONCE)
    return done
