"""The stand-in's limits: the bucket of requests, and the time that each method may take in ten minutes (sheet 7)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from connectors.core.clock import Clock

BLOCKED_ABOVE, DRAIN = 50, 2.0
OPERATING_SECONDS, BUCKETS, BUCKET_SECONDS = 480.0, 10, 60


class Bucket:
    """A counter that grows with each request and drains by two a second. `most` is the highest it ever was."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._level, self._at = 0.0, clock.monotonic()
        self.most = 0.0

    def take(self) -> bool:
        """Whether one more request is let in."""
        now = self._clock.monotonic()
        self._level = max(self._level - DRAIN * (now - self._at), 0.0)
        self._at = now
        if self._level + 1 > BLOCKED_ABOVE:
            return False
        self._level += 1
        self.most = max(self.most, self._level)
        return True


class OperatingTime:
    """Seconds by method in ten buckets of a minute. `most` is the highest sum that any method had."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spent: dict[str, dict[int, float]] = defaultdict(dict)
        self.most = 0.0

    def sum(self, method: str) -> float:
        oldest = self._minute() - BUCKETS + 1
        self._spent[method] = {m: s for m, s in self._spent[method].items() if m >= oldest}
        return sum(self._spent[method].values())

    def spend(self, method: str, seconds: float) -> None:
        minute = self._minute()
        self._spent[method][minute] = self._spent[method].get(minute, 0.0) + seconds
        self.most = max(self.most, self.sum(method))

    def told(self, method: str) -> dict[str, Any]:
        """The part of `time` that tells it."""
        total = self.sum(method)
        oldest = min(self._spent[method], default=self._minute())
        return {"operating_reset_at": (oldest + BUCKETS) * BUCKET_SECONDS, "operating": round(total, 6)}

    def _minute(self) -> int:
        return int(self._clock.now().timestamp()) // BUCKET_SECONDS
