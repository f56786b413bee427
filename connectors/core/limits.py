"""Rate limits as reserved slots: every request claims the next free moment of its account and waits for it."""

from __future__ import annotations

import threading
from typing import Protocol

from connectors.core.clock import Clock, SystemClock


class Limiter(Protocol):
    """Shared by everything that calls one remote account."""

    def reserve(self, key: str, interval: float, burst: int = 1) -> float:
        """Claims the next slot; answers how many seconds to wait for it, 0 or less meaning now.

        Slots are `interval` seconds apart; `burst` of them may be taken at once after a pause.
        """

    def reserve_units(self, key: str, units: int, most: int, seconds: float) -> float:
        """Claims `units` of the `most` that any `seconds` may hold, not before earlier claims; answers the wait."""

    def hold(self, key: str, seconds: float) -> None:
        """No slot before `seconds` from now: the remote system asked for a pause."""


class MemoryLimiter:
    """Slots of one process: for tests and single-process tools. The hub keeps them in PostgreSQL."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._next: dict[str, float] = {}
        self._spent: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def reserve(self, key: str, interval: float, burst: int = 1) -> float:
        with self._lock:
            now = self._clock.monotonic()
            slot = max(self._next.get(key, now), now)
            self._next[key] = slot + interval
            return slot - now - (burst - 1) * interval

    def reserve_units(self, key: str, units: int, most: int, seconds: float) -> float:
        with self._lock:
            now = self._clock.monotonic()
            spent = self._spent.get(key, [])
            oldest = len(spent) - (most - units) - 1
            free = spent[oldest] + seconds if oldest >= 0 else now
            slot = max(now, free, self._next.get(key, now), *spent[-1:])
            self._spent[key] = [*spent, *[slot] * units][-most:]
            return slot - now

    def hold(self, key: str, seconds: float) -> None:
        with self._lock:
            free = self._clock.monotonic() + seconds
            self._next[key] = max(self._next.get(key, free), free)
