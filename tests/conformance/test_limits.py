"""The documented rate limits, with several requests in flight, and no more requests than the work needs."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping

import pytest

from connectors.core.pacing import Cost
from connectors.core.types import RateLimit, ReadQuery
from tests.clock import SharedClock
from tests.conformance.bench import Bench

REQUESTS_BESIDES = 12
# A claim waits for its slot, and a moment of the clock's own arithmetic may be lost.
EPSILON = 1e-6


@pytest.fixture(autouse=True)
def speaks_http(bench: Bench) -> None:
    if not bench.sandbox.speaks_http:
        pytest.skip("speaks no HTTP: it has no rate limit")


class Ledger:
    """When requests went out, by the name of each limit that they count for."""

    def __init__(self, bench: Bench) -> None:
        self.pacing = bench.connector.client.pacing  # type: ignore[attr-defined]
        self.taken: dict[str, list[float]] = {}
        self._clock, self._claim, self._lock = bench.sandbox.clock, self.pacing.claim, threading.Lock()
        self.pacing.claim = self.claim

    def claim(self, cost: Cost) -> float:
        waited = self._claim(cost)
        units = cost if isinstance(cost, Mapping) else dict.fromkeys(cost, 1)
        with self._lock:
            for name, count in units.items():
                self.taken.setdefault(name, []).extend([self._clock.monotonic()] * count)
        return waited

    def broken(self) -> dict[str, float]:
        """The limits of which some window held too much, with the start of that window."""
        found = {}
        for name, limit in self.pacing.limits.items():
            start = crowded(sorted(self.taken.get(name, [])), limit)
            if start is not None:
                found[name] = start
        return found


def crowded(times: list[float], limit: RateLimit) -> float | None:
    """The start of a window in which more went out than may, None where there is none."""
    most = int(limit.requests)
    for first, last in zip(times, times[most:], strict=False):
        if last - first < limit.seconds - EPSILON:
            return first
    return None


@pytest.fixture
def limited(bench: Bench) -> Iterator[Bench]:
    """Its limits are enforced, and time passes for all requests in flight together."""
    with SharedClock() as clock:
        bench.start(clock, enforce_limits=True)
        bench.prepare()
        yield bench


def test_no_window_holds_more_than_the_limit(limited: Bench) -> None:
    if not limited.capabilities.write:
        pytest.skip("declares no write")
    ledger = Ledger(limited)
    count = max(12 * min(limited.capabilities.write_batch, 100), 300)
    outcomes, _pulled, raised = limited.write(limited.changes(count))
    assert raised is None
    assert all(outcome.ok for outcome in outcomes.values())
    if limited.capabilities.read:
        assert len(limited.read_all(ReadQuery(limit=max(count // 150, 1)))) == count
    assert ledger.taken
    assert ledger.broken() == {}
    assert not [seen for seen in limited.sandbox.seen if seen.status == 429]


def test_a_crowded_window_is_seen() -> None:
    limit = RateLimit(3, 1.0)
    assert crowded([0.0, 0.4, 0.8, 1.0, 1.4], limit) is None
    assert crowded([0.0, 0.4, 0.8, 0.9], limit) == 0.0
    assert crowded([0.0, 1.0, 1.1, 1.2, 1.9], limit) == 1.0


def test_a_read_asks_for_each_page_once(bench: Bench) -> None:
    if not bench.capabilities.read:
        pytest.skip("declares no read")
    bench.prepare()
    size = bench.capabilities.page_size
    count = 2 * size + 1
    bench.fill(range(count))
    bench.connector = bench.connect()
    before = len(bench.sandbox.seen)
    assert len(bench.read_all(ReadQuery(fields=list(bench.sample(0))))) == count
    assert len(bench.sandbox.seen) - before <= math.ceil(count / size) + REQUESTS_BESIDES
