"""A run's life: started, kept alive, ended; and the clearing up after runs whose process died.

A running process holds an advisory lock of the database on its run. The lock goes with the process, however it dies,
so a run without one is dead at once, and what it claimed can be given back without waiting for a timeout.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import connection as database
from django.db.models import F
from django.utils import timezone

from connectors.core.errors import ErrorKind
from connectors.core.metrics import Totals
from connectors.models import Connection
from syncjobs import queue
from syncjobs.models import Run, RunKind, RunStatus

# The upper half of the lock's number: keeps clear of other users of advisory locks in the same database.
_LOCK_SPACE = 0x63726D73 << 32
# Between two slices a run has no process for a moment.
_PATIENCE = timedelta(minutes=1)

LOST_ANSWER = (
    "The worker stopped before the answer was stored; what arrived is looked up before anything is sent again."
)

ENDED_SILENTLY = "The process that ran it ended without a word."


def start(connection: Connection, kind: RunKind, *, trigger: str, dry_run: bool = False, total: int = 0) -> Run:
    return Run.objects.create(connection=connection, kind=kind, trigger=trigger, dry_run=dry_run, total=total)


@contextlib.contextmanager
def held(run: Run) -> Iterator[None]:
    """The run's process is alive as long as this lasts."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK_SPACE + run.pk])
    try:
        yield
    finally:
        # A connection that broke has dropped its locks by itself.
        if database.is_usable():
            with database.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK_SPACE + run.pk])


def is_alive(run_id: int) -> bool:
    """Whether a process holds the run."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK_SPACE + run_id])
        if not cursor.fetchone()[0]:
            return True
        cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK_SPACE + run_id])
        return False


def reap(connection: Connection | None = None) -> int:
    """Gives back the links that dead runs had claimed, and closes those runs. Answers how many links.

    They are due again once what the dead process had sent has arrived or never will: looked up before that, a record
    that is just being made would be made once more.
    """
    runs = Run.objects.filter(status=RunStatus.RUNNING)
    if connection is not None:
        runs = runs.filter(connection=connection)
    released = 0
    for run in runs:
        if is_alive(run.pk):
            continue
        settle = settings.SYNC_SETTLE_SECONDS
        released += queue.release(run, seconds=settle, message=LOST_ANSWER, kind=ErrorKind.UNKNOWN)
        if run.heartbeat_at < timezone.now() - _PATIENCE:
            finish(run, RunStatus.STOPPED, ENDED_SILENTLY)
    return released


def live(connection: Connection, kind: RunKind = RunKind.PUSH, *, entity: str = "") -> Run | None:
    """The connection's run that is under way, if any; `entity` tells apart those of one kind."""
    running = Run.objects.filter(connection=connection, kind=kind, status=RunStatus.RUNNING, dry_run=False)
    for run in running.filter(entity=entity):
        if is_alive(run.pk) or run.heartbeat_at > timezone.now() - _PATIENCE:
            return run
    return None


def finish(run: Run, status: RunStatus, message: str = "") -> None:
    """Closes the run; `message` joins what it already says."""
    run.refresh_from_db()
    run.status, run.finished_at = status, timezone.now()
    run.message = "\n".join(filter(None, [run.message, message]))
    run.save(update_fields=["status", "finished_at", "message"])


def add_traffic(run: Run, totals: Totals) -> None:
    """Adds what a slice's requests cost to the run."""
    Run.objects.filter(pk=run.pk).update(
        requests=F("requests") + totals.requests,
        retries=F("retries") + totals.retries,
        rate_limit_hits=F("rate_limit_hits") + totals.rate_limit_hits,
        heartbeat_at=timezone.now(),
    )


def request_cancel(run: Run) -> bool:
    """Asks a running run to stop after what is in flight. False when it is over already."""
    return bool(Run.objects.filter(pk=run.pk, status=RunStatus.RUNNING).update(cancel_requested=True))
