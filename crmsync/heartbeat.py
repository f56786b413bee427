"""The worker's signs of life: every task that a worker takes is one, and its supervisor sends probes when it idles."""

import os
from datetime import datetime
from typing import Any

import structlog
from django.db import DatabaseError, connection
from django.utils import timezone

from crmsync.broker import WORKER_ID_VARIABLE
from crmsync.models import Heartbeat

log = structlog.get_logger(__name__)
RESOLUTION_SECONDS = 5
_last: datetime | None = None


def connect() -> None:
    """Watches this process's tasks when it belongs to a supervised worker."""
    if not os.environ.get(WORKER_ID_VARIABLE):
        return
    from django_q.signals import post_execute_in_worker, pre_execute

    pre_execute.connect(note_task, dispatch_uid="crmsync.heartbeat.before")
    post_execute_in_worker.connect(note_task, dispatch_uid="crmsync.heartbeat.after")


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
