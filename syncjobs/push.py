"""Pushes due links of a connection: claim → plan → write → store, as one stream.

The connector pulls changes while its requests are in flight, so claiming and planning the next page costs no time on
the wire, and memory holds a few pages however many contacts are due.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from connectors import services as connections
from connectors.core.base import Connector
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.metrics import Totals
from connectors.core.types import CONTACTS, Change, Outcome, Result
from connectors.models import Connection
from contacts.garbage import rare_collection
from syncjobs import queue, runs
from syncjobs.models import Run, RunKind, RunStatus
from syncjobs.outcomes import Settled, store
from syncjobs.pages import PagePlanner
from syncjobs.planitems import Pending

log = logging.getLogger(__name__)

STORE_AT_LEAST = 1000
STORE_AFTER_SECONDS = 0.25
SLICE_SECONDS = 60.0
# Of a slice whose connector has read the whole account in order to find records: the next one would read it again.
KNOWING_SLICE_SECONDS = 1800.0
OWN_ERROR_PAUSE_SECONDS = 300.0
OWN_ERROR = "An error of crmsync itself stopped the run; its log has the details. It is tried again by itself."

Progress = Callable[[Run, int], None]


@dataclass
class Push:
    """One slice of a push run: everything it needs between the claim and the stored outcome."""

    connection: Connection
    run: Run
    limit: int | None = None
    seconds: float | None = None
    progress: Progress | None = None
    only: Sequence[UUID] | None = None
    _flying: dict[int, Pending] = field(default_factory=dict)
    _settled: list[Settled] = field(default_factory=list)
    _stored_at: float = 0.0
    _claimed: int = 0
    _stopping: bool = False
    more: bool = False

    def carry_out(self, connector: Connector) -> None:
        """Works until nothing is due, the slice is over or the run is stopped. Raises ApiError for the whole run."""
        self._stored_at = time.monotonic()
        planner = PagePlanner(self.connection, connector)
        if planner.warnings:
            Run.objects.filter(pk=self.run.pk).update(message="\n".join(planner.warnings))
        try:
            for outcome in connector.write(CONTACTS, self._changes(planner)):
                self._take(outcome)
                self._store_when_due()
        finally:
            self._store()
            self._tell_of_cuts(planner.rules.cut)

    def _tell_of_cuts(self, cut: Mapping[str, int]) -> None:
        told = [f"Texts for {name} were cut to the {most} characters that it takes." for name, most in cut.items()]
        if told:
            self.run.refresh_from_db(fields=["message"])
            lines = dict.fromkeys(filter(None, [*self.run.message.split("\n"), *told]))
            Run.objects.filter(pk=self.run.pk).update(message="\n".join(lines))

    def _changes(self, planner: PagePlanner) -> Iterator[Change]:
        started = time.monotonic()
        while not self._stopping:
            # Never before the first page: however short a slice, it gets something done.
            if self._claimed and time.monotonic() - started > self._longest(planner.connector):
                self.more = True
                return
            size = planner.page_size
            if self.limit is not None:
                size = min(size, self.limit - self._claimed)
            links = queue.claim(self.connection, self.run, size, self.only) if size > 0 else []
            if not links:
                return
            items = planner.plan(links)
            if not self._claimed:
                # The first plan may have to read their whole list: a slice is worth that only if it then can write.
                started = time.monotonic()
            self._claimed += len(links)
            for item in items:
                if item.change is None:
                    self._settled.append(Settled.planned(item))
                else:
                    self._flying[item.link.id] = item.pending()
                    yield item.change
            self._store_when_due()

    def _longest(self, connector: Connector) -> float:
        """Seconds that the slice may last."""
        if self.seconds is None:
            return math.inf
        return max(self.seconds, KNOWING_SLICE_SECONDS) if connector.knows_account else self.seconds

    def _take(self, outcome: Outcome) -> None:
        item = self._flying.pop(outcome.ref)
        error = outcome.error
        if error is not None and error.recovery.stops_run:
            return  # stays claimed, and goes back to the queue with the rest when the run stops
        if outcome.result is Result.UNKNOWN and error is None:
            outcome = Outcome(outcome.ref, Result.UNKNOWN, error=ApiError(ErrorKind.UNKNOWN, runs.LOST_ANSWER))
        self._settled.append(Settled.answered(item, outcome))

    def _store_when_due(self) -> None:
        if len(self._settled) >= STORE_AT_LEAST or time.monotonic() - self._stored_at > STORE_AFTER_SECONDS:
            self._store()

    def _store(self) -> None:
        self._stored_at = time.monotonic()
        if not self._settled:
            return
        done, self._settled = self._settled, []
        self._stopping = store(self.run, self.connection, done) or self._stopping
        if self.progress is not None:
            self.progress(self.run, len(done))


def push(
    connection: Connection,
    *,
    trigger: str,
    run: Run | None = None,
    limit: int | None = None,
    seconds: float | None = None,
    progress: Progress | None = None,
    only: Sequence[UUID] | None = None,
) -> Run:
    """Sends what is due on a connection and answers the run, which says how it went; raises nothing for the remote.

    `only` narrows it to some contacts. With `seconds`, it stops claiming after that long, or later where the connector
    has learnt what the next one would have to ask for again, and leaves the run `running`: call again with it to go on.
    """
    runs.reap(connection)
    _let_settle(connection)
    run = run or runs.start(connection, RunKind.PUSH, trigger=trigger, total=queue.due_count(connection))
    totals = Totals()
    work = Push(connection, run, limit, seconds, progress, only)
    with runs.held(run), rare_collection():
        try:
            stopped = _carry_out(work, totals)
        finally:
            runs.add_traffic(run, totals)
            queue.release(run)
        run.refresh_from_db()
        if stopped is not None:
            runs.finish(run, RunStatus.STOPPED, stopped)
        elif run.cancel_requested:
            runs.finish(run, RunStatus.CANCELLED)
        elif not work.more:
            runs.finish(run, RunStatus.FAILED if run.failed else RunStatus.DONE)
    return run


def _let_settle(connection: Connection) -> None:
    """Waits for what a process that died shortly before may still have under way."""
    seconds = min(queue.seconds_to_wait(connection, runs.LOST_ANSWER), settings.SYNC_SETTLE_SECONDS)
    if seconds > 0:
        log.info("push %s waits %.1f s for what a dead process had sent", connection.key, seconds)
        time.sleep(seconds)


def _carry_out(work: Push, totals: Totals) -> str | None:
    """None when the slice ended by itself, else the sentence why the run has to stop."""
    connection, run = work.connection, work.run
    try:
        connector = connections.open_connector(connection, recorder=totals)
        try:
            work.carry_out(connector)
        finally:
            connector.close()
    except ApiError as e:
        log.warning("push %s stopped: %s", connection.key, e.kind, extra={"run": run.pk, "detail": e.detail})
        if e.recovery.parks_connection:
            connections.park(connection, e.message)
            queue.release(run, message=e.message, kind=e.kind)
        else:
            queue.release(run, seconds=e.retry_after or 60.0, message=e.message, kind=e.kind)
        return e.message
    except Exception:
        log.exception("push %s failed by an error of our own", connection.key, extra={"run": run.pk})
        queue.release(run, seconds=OWN_ERROR_PAUSE_SECONDS, message=OWN_ERROR, kind=ErrorKind.UNKNOWN)
        return OWN_ERROR
    if run.created or run.updated or totals.requests:
        connections.unpark(connection)
    return None
