"""When queued work will be done: from the measured pace, the schedule and the length of the queue."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone
from django.utils.translation import ngettext

from connectors.core.types import CONTACTS
from connectors.models import Connection
from syncjobs import counts, runs
from syncjobs.models import Run, RunKind, RunStatus
from syncjobs.queue import NORMAL
from syncjobs.states import SyncStatus

_RUNS_LOOKED_AT = 5
# Per second, for a system that names no limit and has no history here.
_UNKNOWN_PACE = 50.0
_FIRST_START = timedelta(minutes=1)


def pace(connection: Connection) -> float:
    """Contacts a second: of the last finished pushes, else what the system's limit and batch allow."""
    finished = Run.objects.filter(connection=connection, kind=RunKind.PUSH, finished_at__gt=F("started_at"))
    measured = finished.filter(dry_run=False).exclude(created=0, updated=0, failed=0)
    return pace_of(connection, measured.order_by("-id")[:_RUNS_LOOKED_AT])


def pace_of(connection: Connection, recent: Iterable[Run]) -> float:
    """The same from runs at hand, the newest first."""
    pushes = [run for run in recent if run.kind == RunKind.PUSH and run.finished_at and not run.dry_run]
    measured = [run for run in pushes if _written(run)][:_RUNS_LOOKED_AT]
    seconds = sum((run.finished_at - run.started_at).total_seconds() for run in measured if run.finished_at)
    if not measured or seconds <= 0:
        return documented_pace(connection)
    return sum(map(_written, measured)) / seconds


def _written(run: Run) -> int:
    return run.created + run.updated + run.failed


def documented_pace(connection: Connection) -> float:
    limits = [limit.requests / limit.seconds for limit in connection.spec.limits if limit.name == "default"]
    return connection.spec.entities[CONTACTS].write_batch * min(limits) if limits else _UNKNOWN_PACE


def wait_for_start(connection: Connection, priority: int = NORMAL) -> timedelta:
    """How long until the next push of the connection begins."""
    if priority > NORMAL or runs.live(connection) is not None:
        return timedelta()
    last = Run.objects.filter(connection=connection, kind=RunKind.PUSH, dry_run=False).order_by("-id").first()
    if last is None:
        return _FIRST_START
    due = last.started_at + timedelta(minutes=connection.interval)
    return max(due - timezone.now(), timedelta())


def completion(connection: Connection, queued: int | None = None) -> datetime:
    """When everything queued now is likely to be done."""
    if queued is None:
        queued = counts.stats(connection).of(SyncStatus.QUEUED)
    seconds = queued / pace(connection)
    return timezone.now() + wait_for_start(connection) + timedelta(seconds=seconds)


def completion_of(connection: Connection, queued: int, recent: Sequence[Run]) -> datetime:
    """The same from runs at hand, the newest first: asks the database nothing."""
    pushes = [run for run in recent if run.kind == RunKind.PUSH and not run.dry_run]
    if not pushes:
        start = timezone.now() + _FIRST_START
    elif pushes[0].status == RunStatus.RUNNING:
        start = timezone.now()
    else:
        start = max(pushes[0].started_at + timedelta(minutes=connection.interval), timezone.now())
    return start + timedelta(seconds=queued / pace_of(connection, pushes))


def in_words(connection: Connection, priority: int = NORMAL) -> str:
    """ "Within 5 minutes": for one contact queued now; an urgent one passes the others."""
    if priority > NORMAL:
        minutes = 1
    else:
        # The next push comes within the interval whatever happened to the last one.
        wait = max(completion(connection) - timezone.now(), timedelta())
        minutes = max(math.ceil(wait.total_seconds() / 60), connection.interval)
    return ngettext("Within %(n)d minute", "Within %(n)d minutes", minutes) % {"n": minutes}
