"""When queued work will be done: from the measured pace, the schedule and the length of the queue."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.db.models import Avg, F, Sum
from django.utils import timezone
from django.utils.translation import ngettext

from connectors.core.types import CONTACTS
from connectors.models import Connection
from syncjobs import counts, runs
from syncjobs.models import Run, RunKind
from syncjobs.queue import NORMAL
from syncjobs.states import SyncStatus

_RUNS_LOOKED_AT = 5
# Per second, for a system that names no limit and has no history here.
_UNKNOWN_PACE = 50.0


def pace(connection: Connection) -> float:
    """Contacts a second: of the last finished pushes, else what the system's limit and batch allow."""
    recent = (
        Run.objects.filter(connection=connection, kind=RunKind.PUSH, finished_at__isnull=False, dry_run=False)
        .filter(finished_at__gt=F("started_at"))
        .annotate(took=F("finished_at") - F("started_at"), done=F("created") + F("updated") + F("failed"))
        .filter(done__gt=0)
        .order_by("-id")[:_RUNS_LOOKED_AT]
    )
    sums = Run.objects.filter(pk__in=[run.pk for run in recent]).aggregate(
        done=Sum(F("created") + F("updated") + F("failed")), took=Avg(F("finished_at") - F("started_at"))
    )
    if sums["done"] and sums["took"]:
        return float(sums["done"]) / max(sums["took"].total_seconds() * len(recent), 0.001)
    return documented_pace(connection)


def documented_pace(connection: Connection) -> float:
    limits = [limit.requests / limit.seconds for limit in connection.spec.limits if limit.name == "default"]
    return connection.spec.entities[CONTACTS].write_batch * min(limits) if limits else _UNKNOWN_PACE


def wait_for_start(connection: Connection, priority: int = NORMAL) -> timedelta:
    """How long until the next push of the connection begins."""
    if priority > NORMAL or runs.live(connection) is not None:
        return timedelta()
    last = Run.objects.filter(connection=connection, kind=RunKind.PUSH, dry_run=False).order_by("-id").first()
    if last is None:
        return timedelta(minutes=1)
    due = last.started_at + timedelta(minutes=connection.interval)
    return max(due - timezone.now(), timedelta())


def completion(connection: Connection, queued: int | None = None) -> datetime:
    """When everything queued now is likely to be done."""
    if queued is None:
        queued = counts.stats(connection).of(SyncStatus.QUEUED)
    seconds = queued / pace(connection)
    return timezone.now() + wait_for_start(connection) + timedelta(seconds=seconds)


def in_words(connection: Connection, priority: int = NORMAL) -> str:
    """ "Within 5 minutes": for one contact queued now; an urgent one passes the others."""
    if priority > NORMAL:
        minutes = 1
    else:
        # The next push comes within the interval whatever happened to the last one.
        wait = max(completion(connection) - timezone.now(), timedelta())
        minutes = max(math.ceil(wait.total_seconds() / 60), connection.interval)
    return ngettext("Within %(n)d minute", "Within %(n)d minutes", minutes) % {"n": minutes}
