"""What django-q2 calls for the inbox: thin, and given ids only."""

from __future__ import annotations

import time

from django_q.tasks import async_task

from connectors import services as connections
from connectors.models import Connection, ConnectionState
from syncjobs import inbox, inbox_processing, subscriptions, sweep
from syncjobs.models import Subscription


def process_inbox(connection_id: int) -> None:
    """Collects for a moment, as changes come in bursts, and processes what is there then."""
    # Whatever arrives from now on asks for a task of its own, so nothing stays behind.
    Subscription.objects.filter(connection_id=connection_id).update(wake_asked_at=None)
    time.sleep(inbox.COLLECT_SECONDS)
    for connection in _working(connection_id):
        inbox_processing.process(connection)


def tick() -> None:
    """Every minute: processes what waits for its next attempt, and sweeps where it is time to."""
    inbox.wake_all(inbox.waiting_connections())
    for connection_id, was_swept in sweep.claim_due():
        async_task("syncjobs.inbox_tasks.sweep_one", connection_id, was_swept, group="sweep")


def sweep_one(connection_id: int, was_swept: bool) -> None:
    for connection in _working(connection_id):
        sweep.sweep(connection, count=was_swept)


def check_subscription(connection_id: int) -> None:
    for connection in connections.usable(Connection.objects.filter(pk=connection_id)):
        if subscriptions.has_webhooks(connection):
            subscriptions.ensure(connection)


def check_subscriptions() -> None:
    """Hourly: what is missing, changed or disabled is saved again."""
    subscriptions.check_all()


def purge() -> None:
    """Daily: forgets what was received weeks ago."""
    inbox.purge()


def _working(connection_id: int) -> list[Connection]:
    """The connection, unless it is disabled or waits for a person."""
    found = Connection.objects.filter(pk=connection_id, enabled=True)
    return connections.usable(found.exclude(state=ConnectionState.NEEDS_ATTENTION))
