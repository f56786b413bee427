"""Keeps the requests of one account within its limits: claims slots, waits for them, holds everybody back when told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import RateLimit

LONGEST_WAIT = 60.0
# Somebody is waiting for the answer where nothing is to be tried twice.
LONGEST_IMPATIENT_WAIT = 3.0
MOST_MISSED_SLOTS = 5


class Pacing:
    """The limits of one account by their names; the slots themselves are the context's limiter's."""

    def __init__(self, context: Context, account: str, limits: Iterable[RateLimit]) -> None:
        self._clock, self._limiter, self._account = context.clock, context.limiter, account
        self.limits = {limit.name: limit for limit in limits}
        self.longest_wait = LONGEST_WAIT if context.max_tries > 1 else LONGEST_IMPATIENT_WAIT

    def claim(self, names: Sequence[str]) -> float:
        """Waits for a slot of every named limit that there is; answers the seconds waited.

        Raises ApiError (RATE_LIMITED) when the wait would be too long.
        """
        return sum(self._take(self.limits[name]) for name in names if name in self.limits)

    def _key(self, limit: RateLimit) -> str:
        return f"{self._account}:{limit.name}"

    def _take(self, limit: RateLimit) -> float:
        """A slot missed by more than the margin is given up for another: late requests would meet the next ones."""
        waited = 0.0
        for _ in range(MOST_MISSED_SLOTS):
            asked = self._clock.monotonic()
            wait = max(self._limiter.reserve(self._key(limit), limit.interval, limit.burst), 0.0)
            if wait > self.longest_wait:
                sentence = f"The limit of {limit.requests:g} requests in {limit.seconds:g} s is used up."
                raise ApiError(ErrorKind.RATE_LIMITED, sentence, retry_after=wait)
            if wait > 0:
                self._clock.sleep(wait)
                waited += wait
            if self._clock.monotonic() - asked - wait <= limit.margin * limit.seconds:
                break
        return waited

    def hold(self, names: Sequence[str], seconds: float) -> None:
        """Nobody sends under the first of these limits before `seconds` from now; without any, only we wait."""
        limit = next((self.limits[name] for name in names if name in self.limits), None)
        if limit is None:
            self._clock.sleep(min(seconds, self.longest_wait))
            return
        # A limiter lets a burst start that much earlier than its next slot.
        early = (limit.burst - 1) * limit.interval
        self._limiter.hold(self._key(limit), seconds + early)
