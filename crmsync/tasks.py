"""Tasks that keep the background work itself in order."""

from datetime import timedelta

from django.utils import timezone
from django_q.models import Schedule, Task

from crmsync.models import Heartbeat

RESULTS_KEPT = timedelta(days=7)
HEARTBEATS_KEPT = timedelta(days=1)
SCHEDULES = {
    "crmsync: heartbeat": {"func": "crmsync.tasks.beat", "schedule_type": Schedule.MINUTES, "minutes": 1},
    "crmsync: purge": {"func": "crmsync.tasks.purge", "schedule_type": Schedule.DAILY},
}


def probe() -> None:
    """Does nothing: that a worker took it is the news, and crmsync.heartbeat stores it."""


def beat() -> None:
    """Shows that schedules run."""
    Heartbeat.beat(Heartbeat.SCHEDULER)


def purge() -> dict[str, int]:
    """Deletes results of finished tasks after a week, and heartbeats of workers gone for a day."""
    results, _ = Task.objects.filter(stopped__lt=timezone.now() - RESULTS_KEPT).delete()
    beats, _ = Heartbeat.objects.filter(seen_at__lt=timezone.now() - HEARTBEATS_KEPT).delete()
    return {"results": results, "heartbeats": beats}


def ensure_schedules() -> None:
    """Creates what is missing; a schedule that a person has changed stays as it is."""
    for name, wanted in SCHEDULES.items():
        Schedule.objects.get_or_create(name=name, defaults=wanted)
