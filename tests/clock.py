"""Virtual time for several threads at once."""

from __future__ import annotations

import heapq
import itertools
import sys
import threading
import time
from datetime import UTC, datetime
from types import FrameType

LOOK_SECONDS = 0.0003
QUIET_LOOKS = 2
POOLS = ("in-order", "fan-out")


class SharedClock:
    """Sleepers wake in the order of their times, and time moves only while everybody sleeps or waits for another.

    Where ManualClock lets each sleeper move time on by itself, so that sleeps add up, sleeps at once overlap here as
    they do in earnest. Everybody: the thread that enters the clock, and those of the connectors' pools.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._sleepers: list[tuple[float, int, threading.Event]] = []
        self._over = threading.Event()
        self._owner: int | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> SharedClock:
        self._owner = threading.get_ident()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()
        while self._sleepers:
            self._wake_next()

    def now(self) -> datetime:
        return datetime.fromtimestamp(1_767_225_600 + self._now, UTC)

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        if self._over.is_set():
            return
        event = threading.Event()
        with self._lock:
            heapq.heappush(self._sleepers, (self._now + max(seconds, 0.0), next(self._numbers), event))
        event.wait()

    def _run(self) -> None:
        quiet = 0
        while not self._over.is_set():
            time.sleep(LOOK_SECONDS)
            quiet = quiet + 1 if self._everybody_waits() else 0
            if quiet >= QUIET_LOOKS:
                self._wake_next()
                quiet = 0

    def _everybody_waits(self) -> bool:
        frames = sys._current_frames()
        threads = [t for t in threading.enumerate() if t.ident == self._owner or t.name.startswith(POOLS)]
        return all(_waits(frames.get(thread.ident or 0)) for thread in threads)

    def _wake_next(self) -> None:
        with self._lock:
            if not self._sleepers:
                return
            self._now, _number, event = heapq.heappop(self._sleepers)
        event.set()


def _waits(frame: FrameType | None) -> bool:
    """Whether a thread waits for another one that has not called it yet: called, it runs as soon as it is let."""
    if frame is None:  # about to begin
        return False
    if frame.f_code.co_name == "wait" and frame.f_code.co_filename == threading.__file__:
        waiter = frame.f_locals.get("waiter")
        return waiter is not None and waiter.locked()
    idle = frame.f_locals.get("work_queue") if frame.f_code.co_name == "_worker" else None
    return idle is not None and idle.empty()
