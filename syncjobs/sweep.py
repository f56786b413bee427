"""The sweep: reads at intervals what has changed, and so repairs and counts what webhooks missed."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from connectors import services as connections
from connectors.models import Connection, ConnectionState
from syncjobs import inbox_processing, pull
from syncjobs.errors import Refused
from syncjobs.models import Run, RunStatus, Subscription, SubscriptionState
from syncjobs.sources import feeds_the_hub

log = logging.getLogger(__name__)

TRIGGER = "sweep"


def claim_due() -> list[tuple[int, bool]]:
    """(connection id, whether it was swept before) of those whose interval is over; they count as swept from now on.

    Only those that feed the hub: others have nothing to repair.
    """
    now = timezone.now()
    working = Subscription.objects.filter(state=SubscriptionState.OK, connection__enabled=True)
    working = working.exclude(connection__state=ConnectionState.NEEDS_ATTENTION)
    held = {s.connection_id: s for s in working.select_related("connection")}
    due = []
    for connection in connections.usable([s.connection for s in held.values()]):
        before = now - timedelta(minutes=connection.interval, seconds=-20)
        late = Q(swept_at=None) | Q(swept_at__lte=before)
        was_swept = held[connection.pk].swept_at is not None
        swept = Subscription.objects.filter(late, connection=connection)
        if feeds_the_hub(connection) and swept.update(swept_at=now):
            due.append((connection.pk, was_swept))
    return due


def sweep(connection: Connection, *, count: bool) -> Run | None:
    """Processes the webhooks that wait, then reads what else has changed; with `count`, that was missed.

    Before the first sweep there may have been no webhooks, so what it finds proves nothing. None while another pull of
    the connection is under way: that one repairs as well.
    """
    inbox_processing.process(connection)
    try:
        run = pull.pull(connection, trigger=TRIGGER)
    except Refused as e:
        log.info("no sweep of %s: %s", connection.key, e.code)
        return None
    missed = run.created + run.updated + run.deleted
    if count and missed and run.status in (RunStatus.DONE, RunStatus.FAILED):
        Subscription.objects.filter(connection=connection).update(missed=F("missed") + missed)
    return run
