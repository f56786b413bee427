"""Counts every request to remote systems, in PostgreSQL, so that the numbers of all processes and hosts add up.

Requests are counted in memory and stored by a thread of its own every few seconds and when the process ends; a process
that is killed loses those few seconds and nothing else.
"""

from __future__ import annotations

import logging
import os
import threading
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from typing import Any

import orjson
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from connectors.core.metrics import Exchange, Recorder

log = logging.getLogger(__name__)

# Upper bounds of the latency histogram, in seconds; the last bucket, above them all, has none. What is stored is
# divided by them: other bounds take a migration that empties the table.
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)
OTHER = "(other)"
# An endpoint is a template, so there are few; a connector that forgot to make one must not fill the table.
MOST_ENDPOINTS = 200
LONGEST_ENDPOINT = 200

# Rows in one order for all processes: two of them never wait for each other in a circle.
_ADD = """
INSERT INTO connectors_traffic AS t
    (connection_key, endpoint, method, status, requests, seconds, buckets, retries, waits, waited, auth_errors)
SELECT connection_key, endpoint, method, status, requests, seconds, buckets, retries, waits, waited, auth_errors
FROM jsonb_to_recordset(%s::jsonb) AS r(
    connection_key text, endpoint text, method text, status int, requests bigint, seconds float8, buckets bigint[],
    retries bigint, waits bigint, waited float8, auth_errors bigint)
ORDER BY connection_key, endpoint, method, status
ON CONFLICT (connection_key, endpoint, method, status) DO UPDATE SET
    requests = t.requests + excluded.requests, seconds = t.seconds + excluded.seconds,
    buckets = ARRAY(SELECT a + b FROM unnest(t.buckets, excluded.buckets) AS x(a, b)),
    retries = t.retries + excluded.retries, waits = t.waits + excluded.waits, waited = t.waited + excluded.waited,
    auth_errors = t.auth_errors + excluded.auth_errors
"""

# (connection key, endpoint, method, HTTP status or 0 where no answer came)
Series = tuple[str, str, str, int]


@dataclass(slots=True)
class Tally:
    """The requests of one series; `buckets` count them by the bound their time did not exceed."""

    requests: int = 0
    seconds: float = 0.0
    retries: int = 0
    waits: int = 0
    waited: float = 0.0
    auth_errors: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def count(self, exchange: Exchange) -> None:
        self.requests += 1
        self.seconds += exchange.seconds
        self.retries += exchange.retry
        self.waits += exchange.waited > 0
        self.waited += exchange.waited
        self.auth_errors += exchange.auth_error
        self.buckets[bisect_left(BOUNDS, exchange.seconds)] += 1

    def add(self, other: Tally) -> None:
        self.requests += other.requests
        self.seconds += other.seconds
        self.retries += other.retries
        self.waits += other.waits
        self.waited += other.waited
        self.auth_errors += other.auth_errors
        self.buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]


class Meter:
    """The process's counts that are not stored yet. Safe to use from several threads; survives a fork."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        """In a forked child: what the parent counted is the parent's to store, and its locks may be held for ever."""
        self._endpoints: dict[str, set[str]] = {}
        self._tallies: dict[Series, Tally] = {}
        self._lock, self._storing = threading.Lock(), threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._at_exit: Any = None

    def recorder(self, key: str, also: Recorder | None = None) -> Recorder:
        """Counts under the connection's key, and passes everything on to `also`."""
        return _KeyedRecorder(self, key, also)

    def count(self, key: str, exchange: Exchange) -> None:
        """Takes a few microseconds; raises nothing."""
        with self._lock:
            series = (key, self._known(key, exchange.endpoint), exchange.method, exchange.status or 0)
            tally = self._tallies.get(series)
            if tally is None:
                tally = self._tallies[series] = Tally()
            tally.count(exchange)
            if self._thread is None and settings.TRAFFIC_FLUSH_SECONDS:
                self._thread = threading.Thread(target=self._keep_storing, name="traffic", daemon=True)
                self._thread.start()
                # Unlike those of atexit, it also runs where a process of multiprocessing ends.
                self._at_exit = Finalize(None, self.stop, exitpriority=10)

    def _known(self, key: str, endpoint: str) -> str:
        known = self._endpoints.setdefault(key, set())
        if endpoint in known:
            return endpoint
        if len(known) >= MOST_ENDPOINTS or len(endpoint) > LONGEST_ENDPOINT:
            return OTHER
        known.add(endpoint)
        return endpoint

    def flush(self) -> bool:
        """Stores what was counted, in one statement; False when the database did not take it, and it is kept."""
        with self._storing:
            with self._lock:
                taken, self._tallies = self._tallies, {}
            if not taken:
                return True
            try:
                _store(taken)
            except Exception as e:  # noqa: BLE001 - counting must never harm who is counted; logged, and tried again
                log.warning("the counts of %d kinds of requests wait: %s", len(taken), type(e).__name__)
                self._take_back(taken)
                return False
            return True

    def discard(self) -> None:
        """Forgets what is not stored yet."""
        with self._lock:
            self._tallies = {}

    def _take_back(self, taken: Mapping[Series, Tally]) -> None:
        with self._lock:
            for series, tally in taken.items():
                self._tallies.setdefault(series, Tally()).add(tally)

    def stop(self) -> None:
        """Ends the thread, and stores what is left."""
        self._over.set()
        self.flush()

    def _keep_storing(self) -> None:
        while not self._over.wait(settings.TRAFFIC_FLUSH_SECONDS):
            self.flush()


@dataclass(frozen=True, slots=True)
class _KeyedRecorder:
    meter: Meter
    key: str
    also: Recorder | None

    def record(self, exchange: Exchange) -> None:
        self.meter.count(self.key, exchange)
        if self.also is not None:
            self.also.record(exchange)


def _store(tallies: Mapping[Series, Tally]) -> None:
    """On a database session of its own: the caller's transaction may be rolled back."""
    rows = [
        {
            "connection_key": key, "endpoint": endpoint, "method": method, "status": status,
            "requests": tally.requests, "seconds": tally.seconds, "buckets": tally.buckets, "retries": tally.retries,
            "waits": tally.waits, "waited": tally.waited, "auth_errors": tally.auth_errors,
        }
        for (key, endpoint, method, status), tally in tallies.items()
    ]  # fmt: skip
    session = connections.create_connection(DEFAULT_DB_ALIAS)
    try:
        with session.cursor() as cursor:
            # Losing the last moment when the server itself crashes costs less than waiting for the disk; and a
            # process that ends must not wait for ever.
            cursor.execute("SET synchronous_commit = off; SET statement_timeout = '5s'")
            cursor.execute(_ADD, [orjson.dumps(rows).decode()])
    finally:
        session.close()


meter = Meter()
os.register_at_fork(after_in_child=meter.start_anew)
