"""Webhooks in: stored before they are answered, handed to the worker, replayed, and forgotten after some weeks."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterable
from datetime import timedelta

from django.db import DatabaseError, transaction
from django.db import connection as database
from django.db.models import F, QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from connectors.models import ConnectionState
from syncjobs.models import EventStatus, InboundEvent

log = logging.getLogger(__name__)

# The event type in the address of a subscription: one destination receives all events.
ALL_EVENTS = "all"
KEEP_DAYS = 14
# A process asks for a worker no oftener; shorter than a worker collects, so that whoever does not ask is still served.
ASK_SECONDS = 0.5
COLLECT_SECONDS = 1.5
# A task that has waited this long in the queue may be lost.
_ASKED_MINUTES = 10

_STORE = """
INSERT INTO syncjobs_inboundevent AS held (connection_id, event_type, content_type, body, digest)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (connection_id, digest) WHERE status = 'new' AND NOT taken DO UPDATE SET repeats = held.repeats + 1
"""

_ASK = f"""
UPDATE syncjobs_subscription SET wake_asked_at = clock_timestamp() WHERE connection_id = %s
    AND (wake_asked_at IS NULL OR wake_asked_at < clock_timestamp() - interval '{_ASKED_MINUTES} minutes')
"""

_asked: dict[int, float] = {}
_asking = threading.Lock()


def accept(connection_id: int, event_type: str, content_type: str, body: bytes) -> None:
    """Stores a webhook by one statement and sees to it that a worker looks at it soon. Raises DatabaseError."""
    mark = hashlib.blake2b(body, digest_size=16).digest()
    with database.cursor() as cursor:
        cursor.execute(_STORE, [connection_id, event_type[:100], content_type[:100], body, mark])
    if _may_ask(connection_id):
        try:
            wake(connection_id)
        except DatabaseError as e:
            # It is stored, and the worker looks every minute by itself.
            log.warning("no worker could be asked to process the inbox: %s", type(e).__name__)


def wake(connection_id: int) -> bool:
    """Asks a worker to process a connection's inbox, unless one has been asked already. True when it was asked now."""
    with transaction.atomic():
        with database.cursor() as cursor:
            cursor.execute(_ASK, [connection_id])
            if not cursor.rowcount:
                return False
        async_task("syncjobs.inbox_tasks.process_inbox", connection_id, group=f"inbox {connection_id}")
    return True


def replay(events: QuerySet[InboundEvent]) -> int:
    """Has events processed once more; answers how many. Those that wait already are left alone."""
    over = events.exclude(status=EventStatus.NEW)
    connection_ids = list(over.order_by().values_list("connection_id", flat=True).distinct())
    count = over.update(
        status=EventStatus.NEW,
        taken=True,
        attempts=0,
        replays=F("replays") + 1,
        message="",
        due_at=timezone.now(),
        processed_at=None,
    )
    wake_all(connection_ids)
    return count


def wake_all(connection_ids: Iterable[int]) -> None:
    for connection_id in connection_ids:
        wake(connection_id)


def waiting_connections() -> list[int]:
    """Connections with events whose time has come. Those of a connection that waits for a person wait with it."""
    due = InboundEvent.objects.filter(status=EventStatus.NEW, due_at__lte=timezone.now(), connection__enabled=True)
    due = due.exclude(connection__state=ConnectionState.NEEDS_ATTENTION)
    return list(due.order_by().values_list("connection_id", flat=True).distinct())


def purge() -> int:
    """Deletes what was received some weeks ago and is not waiting."""
    before = timezone.now() - timedelta(days=KEEP_DAYS)
    return InboundEvent.objects.filter(received_at__lt=before).exclude(status=EventStatus.NEW)._raw_delete("default")


def _may_ask(connection_id: int) -> bool:
    now = time.monotonic()
    with _asking:
        if now < _asked.get(connection_id, float("-inf")) + ASK_SECONDS:
            return False
        _asked[connection_id] = now
        return True
