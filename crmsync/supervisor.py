"""Keeps one django-q2 cluster working.

A cluster whose idle worker is killed looks alive and never takes a task again. So the supervisor sends a probe through
the cluster's own queue every minute; a cluster that has shown no sign of life for three minutes is killed and replaced.
"""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from types import FrameType

import structlog
from django.db import DatabaseError, connection
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task

from crmsync.broker import WORKER_ID_VARIABLE, own_queue
from crmsync.models import Heartbeat
from crmsync.processes import kill_group, manage, spawn, stop

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Patience:
    """Seconds, except `restarts`: how many replacements in a row may stay without a sign of life."""

    look_every: float = 1.0
    probe_every: float = 60.0
    silence: float = 180.0
    grace: float = 120.0
    longest_pause: float = 30.0
    restarts: int = 5


class Supervisor:
    """Starts the cluster, watches it, replaces it. `run` answers the exit status of the process."""

    def __init__(self, patience: Patience, start: "Callable[[str], subprocess.Popen[bytes]] | None" = None) -> None:
        self.patience = patience
        self.worker_id = f"{socket.gethostname()[:60]}-{os.getpid()}"
        self._start = start or start_cluster
        self._stopping = threading.Event()
        self._seen: object = None
        self._seen_at = self._probed_at = 0.0
        self._failures = 0

    def run(self) -> int:
        """0 after SIGTERM or SIGINT, 1 when replacing the cluster did not help."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        while not self._stopping.is_set():
            cluster = self._start(self.worker_id)
            reason = self._watch(cluster)
            if reason is None:
                stop([cluster], self.patience.grace)
                break
            kill_group(cluster)
            self._failures += 1
            log.error("worker replaced", reason=reason, attempt=self._failures)
            if self._failures > self.patience.restarts:
                log.critical("worker given up", attempts=self._failures)
                return 1
            self._stopping.wait(min(self.patience.longest_pause, 2.0 ** (self._failures - 1)))
        return 0

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def _watch(self, cluster: "subprocess.Popen[bytes]") -> str | None:
        """Why the cluster must be replaced, or None when we were told to stop."""
        self._seen_at, self._probed_at = monotonic(), float("-inf")
        self._clean_up()
        while not self._stopping.wait(self.patience.look_every):
            if cluster.poll() is not None:
                return f"it ended with status {cluster.returncode}"
            self._look()
            if monotonic() - self._seen_at > self.patience.silence:
                return f"no sign of life for {self.patience.silence:.0f} seconds"
        return None

    def _look(self) -> None:
        """Notices a new heartbeat and sends the next probe. Without a database the worker cannot be blamed."""
        try:
            seen = Heartbeat.objects.filter(name=self.worker_id).values_list("seen_at", flat=True).first()
            if monotonic() - self._probed_at >= self.patience.probe_every:
                self._probed_at = monotonic()
                self._send_probe()
        except DatabaseError as error:
            log.warning("worker not watched: no database", error=str(error))
            connection.close()
            self._seen_at = monotonic()
            return
        # Whether the stored time changed is compared, not how old it is: clocks may jump.
        if seen is not None and seen != self._seen:
            self._seen, self._seen_at, self._failures = seen, monotonic(), 0

    def _send_probe(self) -> None:
        queue = own_queue(self.worker_id)
        if not OrmQ.objects.filter(key=queue).exists():
            async_task("crmsync.tasks.probe", cluster=queue, task_name="probe", save=False, ack_failure=True)

    def _clean_up(self) -> None:
        """Frees what the last cluster took with it into its grave: our probe, and tasks unless others may hold them."""
        try:
            OrmQ.objects.filter(key=own_queue(self.worker_id)).delete()
            if self._failures and not self._others_work():
                OrmQ.objects.filter(key=Conf.CLUSTER_NAME).update(lock=timezone.now())
        except DatabaseError as error:
            log.warning("tasks of the last worker not freed: no database", error=str(error))
            connection.close()

    def _others_work(self) -> bool:
        """Whether another worker was seen lately; the queue does not say whose a claimed task is."""
        recently = timezone.now() - timedelta(seconds=self.patience.silence)
        own = (self.worker_id, Heartbeat.SCHEDULER)
        return Heartbeat.objects.exclude(name__in=own).filter(seen_at__gt=recently).exists()


def start_cluster(worker_id: str) -> "subprocess.Popen[bytes]":
    return spawn(manage("qcluster"), {WORKER_ID_VARIABLE: worker_id})
