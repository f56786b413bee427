"""Never over a limit in any window; several requests in flight, in order, drained, lazy."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from connectors.core.clock import ManualClock
from connectors.core.fanout import batched, fan_out
from connectors.core.limits import MemoryLimiter
from connectors.core.types import RateLimit


def most_in_a_window(times: list[float], seconds: float) -> int:
    times = sorted(times)
    most = start = 0
    for end in range(len(times)):
        while times[end] - times[start] >= seconds - 1e-9:
            start += 1
        most = max(most, end - start + 1)
    return most


@pytest.mark.parametrize(
    "limit", [RateLimit(10, 1.0), RateLimit(100, 10.0, burst=20), RateLimit(100, 3600.0, burst=30)]
)
def test_many_threads_never_take_more_than_the_limit_in_any_window(limit: RateLimit) -> None:
    limiter = MemoryLimiter(ManualClock())  # time stands still, so a slot is the wait that was told
    slots: list[float] = []

    def take() -> None:
        for _ in range(100):
            slots.append(max(limiter.reserve("a", limit.interval, limit.burst), 0.0))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most_in_a_window(slots, limit.seconds) <= limit.requests
    assert slots.count(0.0) >= limit.burst
    assert max(slots) <= 800 * limit.interval


def test_accounts_do_not_share_slots_and_a_pause_holds_only_its_own() -> None:
    limiter = MemoryLimiter(ManualClock())
    limiter.hold("a", 30)
    assert limiter.reserve("a", 1) == 30
    assert limiter.reserve("b", 1) == 0


def test_unused_time_is_not_saved_up() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(clock)
    limiter.reserve("a", 1.0)
    clock.sleep(1000)
    assert [limiter.reserve("a", 1.0) for _ in range(3)] == [0, 1, 2]


def test_items_are_pulled_only_when_there_is_room_and_in_this_thread() -> None:
    pulled: list[int] = []
    threads: set[int] = set()

    def items() -> Iterator[int]:
        for i in range(100):
            pulled.append(i)
            threads.add(threading.get_ident())
            yield i

    answers = fan_out(lambda i: i * 2, items(), 4)
    first = next(answers)
    assert len(pulled) <= 5
    assert sorted([first, *answers]) == list(range(0, 200, 2))
    assert threads == {threading.get_ident()}


def test_no_more_are_under_way_than_asked() -> None:
    running = most = 0
    lock = threading.Lock()

    def work(i: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.002)
        with lock:
            running -= 1
        return i

    assert sorted(fan_out(work, range(40), 3)) == list(range(40))
    assert 1 < most <= 3


def test_after_a_failure_nothing_more_is_pulled_and_what_flies_is_accounted_for() -> None:
    pulled: list[int] = []
    gate = threading.Event()

    def items() -> Iterator[int]:
        for i in range(100):
            pulled.append(i)
            yield i

    def work(i: int) -> int:
        if i == 0:
            raise ValueError("no")
        gate.wait(5)
        return i

    answers: list[int] = []
    threading.Timer(0.05, gate.set).start()
    with pytest.raises(ValueError, match="no"):
        answers.extend(fan_out(work, items(), 4))
    assert sorted([0, *answers]) == pulled
    assert len(pulled) < 100


def test_a_failing_source_is_raised_after_the_answers() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise RuntimeError("source")

    answers: list[int] = []
    with pytest.raises(RuntimeError, match="source"):
        answers.extend(fan_out(lambda i: i, items(), 4))
    assert answers == [1]


def test_a_reader_that_stops_leaves_no_threads_behind() -> None:
    answers = fan_out(lambda i: i, iter(range(100)), 4)
    next(answers)
    answers.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("fan-out")]


def test_batches_hold_so_many_and_the_rest() -> None:
    assert list(batched(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batched([], 3)) == []


def test_a_rolling_limit_lets_its_units_go_at_once_and_no_window_holds_more() -> None:
    clock = ManualClock()
    limiter = MemoryLimiter(clock)
    times: list[float] = []
    for units in (6, 1, 6, 1, 1) * 20:
        slot = clock.monotonic() + limiter.reserve_units("a", units, 15, 60.0)
        times += [slot] * units
        clock.sleep(slot - clock.monotonic())
    assert most_in_a_window(times, 60.0) == 15
    assert times.count(0.0) == 15
    limiter.hold("a", 500)
    assert limiter.reserve_units("a", 1, 15, 60.0) == 500
