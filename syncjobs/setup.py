"""The part of `setup` that is ours: connections from the environment, and the schedules. May be repeated."""

from __future__ import annotations

import math
from typing import Any

from django.conf import settings
from django.utils import timezone
from django_q.models import Schedule

from connectors import oauth
from connectors import services as connections
from connectors.models import Connection
from syncjobs import subscriptions
from syncjobs.compat import seed_002, seed_003

RENEWAL_MINUTES = math.ceil(settings.TOKEN_REFRESH_INTERVAL / 60)
SCHEDULES = (
    ("Push what is due", "syncjobs.tasks.tick", Schedule.MINUTES, 1),
    ("Renew access ahead of its end", "syncjobs.tasks.renew_access", Schedule.MINUTES, RENEWAL_MINUTES),
    ("Forget old outcomes", "syncjobs.tasks.purge", Schedule.DAILY, None),
    ("Process the inbox and sweep", "syncjobs.inbox_tasks.tick", Schedule.MINUTES, 1),
    ("Check webhook subscriptions", "syncjobs.inbox_tasks.check_subscriptions", Schedule.HOURLY, None),
    ("Look for duplicates", "contacts.duplicates.find", Schedule.DAILY, None),
    ("Look for trouble and tell of it", "syncjobs.alerts.tasks.tick", Schedule.MINUTES, 1),
    ("Forget old webhooks", "syncjobs.inbox_tasks.purge", Schedule.DAILY, None),
)


def run() -> list[str]:
    """Makes what is missing; answers a line for everything that was made."""
    lines = [
        f"Connected {connection.label} from the environment." for connection in connections.connect_from_environment()
    ]
    lines += oauth.use_codes()
    lines += seed_002.prepare()
    lines += seed_003.prepare()
    for name, func, kind, minutes in SCHEDULES:
        if _schedule(name, {"func": func, "schedule_type": kind, "minutes": minutes, "repeats": -1}):
            lines.append(f"Scheduled: {name}.")
    for connection in connections.usable(Connection.objects.filter(enabled=True)):
        # SITE_URL may have changed since; the worker asks the remote systems once it has started.
        subscriptions.check_soon(connection)
    return lines


def _schedule(name: str, wanted: dict[str, Any]) -> bool:
    """Whether it was made now; one that was to be otherwise until now runs at once, and then as it is to be."""
    # Saving rows like this skips the checks of Schedule: one bad row would stop every schedule, so only constants.
    found = Schedule.objects.filter(name=name)
    if not found:
        Schedule.objects.create(name=name, next_run=timezone.now(), **wanted)
        return True
    found.exclude(**wanted).update(**wanted, next_run=timezone.now())
    return False
