"""The stand-in's quotas: units in any minute."""

from __future__ import annotations

from collections import deque

from connectors.core.clock import Clock
from connectors.google import sandbox_refusals as refusals

Quota = tuple[str, str]

READS = ("critical_read_requests", "Critical read requests (Contact and Profile Reads)")
WRITES = ("critical_write_requests", "Critical write requests (Contact Creates and Updates)")
DELETES = ("write_requests", "Write requests (Contact Deletes and Contact Group Writes)")


class Quotas:
    """`per_minute` is the size of each; one that is over costs nothing."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock, self.per_minute = clock, per_minute
        self._spent: dict[Quota, deque[float]] = {}

    def charge(self, quota: Quota, units: int) -> None:
        """Raises Refused (429) when the units do not fit."""
        now = self._clock.monotonic()
        spent = self._spent.setdefault(quota, deque())
        while spent and spent[0] <= now - 60.0:
            spent.popleft()
        if len(spent) + units > self.per_minute:
            raise refusals.over_quota(*quota, self.per_minute)
        spent.extend([now] * units)
