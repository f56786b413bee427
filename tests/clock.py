"""Virtual time for several threads at once."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from datetime import UTC, datetime

QUIET_SECONDS = 0.001
QUIET_TICKS = 2


class SharedClock:
    """Sleepers wake in the order of their times, and time moves only while everybody sleeps or waits for another.

    Where ManualClock lets each sleeper move time on by itself, so that sleeps add up, sleeps at once overlap here as
    they do in earnest. Use it as a context manager.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._busy = itertools.count()
        self._lock = threading.Lock()
        self._sleepers: list[tuple[float, int, threading.Event]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> SharedClock:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()
        for _wake, _number, event in self._sleepers:
            event.set()

    def now(self) -> datetime:
        return datetime.fromtimestamp(1_767_225_600 + self.monotonic(), UTC)

    def monotonic(self) -> float:
        next(self._busy)
        return self._now

    def sleep(self, seconds: float) -> None:
        event = threading.Event()
        with self._lock:
            heapq.heappush(self._sleepers, (self._now + max(seconds, 0.0), next(self._busy), event))
        event.wait()
        next(self._busy)

    def _run(self) -> None:
        quiet, seen = 0, -1
        while not self._over.is_set():
            time.sleep(QUIET_SECONDS)
            # Whoever looks at the clock is at work; the look of this thread itself counts for one.
            count = next(self._busy)
            quiet = quiet + 1 if count == seen + 1 else 0
            seen = count
            if quiet >= QUIET_TICKS:
                self._wake_next()
                quiet = 0

    def _wake_next(self) -> None:
        with self._lock:
            if not self._sleepers:
                return
            self._now, _number, event = heapq.heappop(self._sleepers)
        event.set()
