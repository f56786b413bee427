"""The worker's signs of life: tasks it takes, a pulse while one lasts, and probes of its supervisor when it idles."""

import os
import threading
from datetime import datetime
from typing import Any

import structlog
from django.db import DatabaseError, connection
from django.utils import timezone

from crmsync.broker import WORKER_ID_VARIABLE
from crmsync.models import Heartbeat

log = structlog.get_logger(__name__)
RESOLUTION_SECONDS = 5
PULSE_SECONDS = 30
_over: threading.Event | None = None
_last: datetime | None = None


def connect() -> None:
    """Watches this process's tasks when it belongs to a supervised worker."""
    if not os.environ.get(WORKER_ID_VARIABLE):
        return
    from django_q.signals import post_execute_in_worker, pre_execute

    pre_execute.connect(begin_task, dispatch_uid="crmsync.heartbeat.before")
    post_execute_in_worker.connect(end_task, dispatch_uid="crmsync.heartbeat.after")


def begin_task(**_: Any) -> None:
    """A task may wait for a remote system for an hour: meanwhile a thread shows that the worker lives."""
    global _over
    note_task()
    _over = threading.Event()
    threading.Thread(target=_pulse, args=[_over], name="heartbeat", daemon=True).start()


def end_task(**_: Any) -> None:
    if _over is not None:
        _over.set()
    note_task()


def _pulse(over: threading.Event) -> None:
    while not over.wait(PULSE_SECONDS):
        note_task()
    connection.close()


def note_task(**_: Any) -> None:
    """Stores that this worker works, at most every five seconds."""
    global _last
    now = timezone.now()
    if _last is not None and (now - _last).total_seconds() < RESOLUTION_SECONDS:
        return
    try:
        Heartbeat.beat(os.environ[WORKER_ID_VARIABLE])
        _last = now
    except DatabaseError:  # an exception here would end the worker process; the task itself meets the same database
        log.warning("heartbeat not stored", exc_info=True)
        connection.close()
