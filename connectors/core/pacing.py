"""Keeps the requests of one account within its limits: claims slots, waits for them, holds everybody back when told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import RateLimit

LONGEST_WAIT = 60.0
# Somebody is waiting for the answer where nothing is to be tried twice.
LONGEST_IMPATIENT_WAIT = 3.0
MOST_MISSED_SLOTS = 5

# Names of limits, or how many units of each a request costs.
Cost = Sequence[str] | Mapping[str, int]


class Pacing:
    """The limits of one account by their names; the slots themselves are the context's limiter's."""

    def __init__(self, context: Context, account: str, limits: Iterable[RateLimit]) -> None:
        self._clock, self._limiter, self._account = context.clock, context.limiter, account
        self.limits = {limit.name: limit for limit in limits}
        self._patient = context.max_tries > 1
        self.longest_wait = LONGEST_WAIT if self._patient else LONGEST_IMPATIENT_WAIT

    def claim(self, cost: Cost) -> float:
        """Waits for a slot of every named limit that there is; answers the seconds waited.

        Raises ApiError (RATE_LIMITED) when the wait would be too long.
        """
        units = cost if isinstance(cost, Mapping) else dict.fromkeys(cost, 1)
        return sum(self._take(self.limits[name], count) for name, count in units.items() if name in self.limits)

    def _key(self, limit: RateLimit) -> str:
        return f"{self._account}:{limit.name}"

    def _take(self, limit: RateLimit, units: int) -> float:
        """A slot missed by more than the margin is given up for another: late requests would meet the next ones."""
        waited = 0.0
        for _ in range(MOST_MISSED_SLOTS):
            asked = self._clock.monotonic()
            wait = max(self._reserve(limit, units), 0.0)
            if wait > self._longest(limit):
                sentence = f"The limit of {limit.requests:g} requests in {limit.seconds:g} s is used up."
                raise ApiError(ErrorKind.RATE_LIMITED, sentence, retry_after=wait)
            if wait > 0:
                self._clock.sleep(wait)
                waited += wait
            if self._clock.monotonic() - asked - wait <= limit.margin * limit.seconds:
                break
        return waited

    def _reserve(self, limit: RateLimit, units: int) -> float:
        key = self._key(limit)
        if not limit.rolling:
            return self._limiter.reserve(key, limit.interval, limit.burst)
        most = max(int(limit.requests), 1)
        return self._limiter.reserve_units(key, min(units, most), most, limit.seconds * (1 + limit.margin))

    def _longest(self, limit: RateLimit) -> float:
        """A rolling limit that was used up at once is free again only after its whole time."""
        return max(self.longest_wait, 2 * limit.seconds) if limit.rolling and self._patient else self.longest_wait

    def hold(self, names: Cost, seconds: float) -> None:
        """Nobody sends under the first of these limits before `seconds` from now; without any, only we wait."""
        limit = next((self.limits[name] for name in names if name in self.limits), None)
        if limit is None:
            self._clock.sleep(min(seconds, self.longest_wait))
            return
        # A limiter lets a burst start that much earlier than its next slot.
        early = (limit.burst - 1) * limit.interval
        self._limiter.hold(self._key(limit), seconds + early)
