"""The task queue's broker: django-q2's ORM broker with SKIP LOCKED, oldest first, and a queue of each worker's own."""

import os
from datetime import timedelta
from time import sleep

from django.db import transaction
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf

WORKER_ID_VARIABLE = "CRMSYNC_WORKER_ID"


def own_queue(worker_id: str) -> str:
    """The queue that only this one worker reads: its supervisor sends probes there."""
    return f"{Conf.CLUSTER_NAME}@{worker_id}"


class SkipLockedORM(ORM):
    """Claims a batch in one transaction, so that several workers never fight for the same rows."""

    def dequeue(self) -> list[tuple[int, str]] | None:
        queue = self.get_connection()
        keys = [self.list_key]
        if worker_id := os.environ.get(WORKER_ID_VARIABLE):
            keys.append(own_queue(worker_id))
        with transaction.atomic(using=queue.db):
            now = timezone.now()
            free = queue.select_for_update(skip_locked=True).filter(key__in=keys, lock__lt=now)
            rows = list(free.order_by("pk").values_list("pk", "payload")[: Conf.BULK])
            if rows:
                claimed = queue.filter(pk__in=[pk for pk, _ in rows])
                claimed.update(lock=now + timedelta(seconds=Conf.RETRY))
        if not rows:
            sleep(Conf.POLL)
            return None
        return rows
