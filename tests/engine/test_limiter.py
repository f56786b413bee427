"""Rate limits in PostgreSQL: kept by all threads and processes together, whatever they do."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection as database
from django.db import transaction

from connectors.core.sandbox import WindowLimit
from connectors.core.types import RateLimit
from connectors.limits import PostgresLimiter
from tests.engine.test_processes import environment_of_processes

pytestmark = pytest.mark.django_db(transaction=True)

# A process of its own: takes slots, waits for each, and prints the moment it would send.
TAKER = """
import sys, time, django
django.setup()
from connectors.limits import limiter
key, interval, slots = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
for _ in range(slots):
    wait = limiter.reserve(key, interval)
    if wait > 0:
        time.sleep(wait)
    print(time.time(), flush=True)
"""


@pytest.fixture
def limiter() -> Iterator[PostgresLimiter]:
    made = PostgresLimiter()
    yield made
    made.close()


def never_over(moments: list[float], limit: RateLimit) -> bool:
    window = WindowLimit(int(limit.requests), limit.seconds)
    return all(window.take(moment) == 0 for moment in sorted(moments))


def test_slots_follow_each_other(limiter: PostgresLimiter) -> None:
    waits = [limiter.reserve("one", 10.0) for _ in range(4)]
    assert waits[0] <= 0
    assert [round(wait) for wait in waits[1:]] == [10, 20, 30]


def test_accounts_do_not_wait_for_each_other(limiter: PostgresLimiter) -> None:
    limiter.reserve("one", 100.0)
    assert limiter.reserve("other", 100.0) <= 0


def test_a_burst_goes_at_once_and_the_next_waits(limiter: PostgresLimiter) -> None:
    waits = [limiter.reserve("burst", 10.0, burst=3) for _ in range(5)]
    assert [wait > 0.5 for wait in waits] == [False, False, False, True, True]


def test_a_pause_that_was_asked_for_holds_everybody(limiter: PostgresLimiter) -> None:
    limiter.reserve("held", 0.01)
    limiter.hold("held", 30.0)
    assert 29 < PostgresLimiter().reserve("held", 0.01) <= 30


def test_a_shorter_pause_does_not_end_a_longer_one(limiter: PostgresLimiter) -> None:
    limiter.hold("held", 30.0)
    limiter.hold("held", 1.0)
    assert limiter.reserve("held", 0.01) > 25


def test_a_slot_is_taken_outside_the_caller_s_transaction(limiter: PostgresLimiter) -> None:
    with transaction.atomic():
        limiter.reserve("kept", 50.0)
        transaction.set_rollback(True)
    assert limiter.reserve("kept", 50.0) > 40


def test_a_broken_connection_is_replaced(limiter: PostgresLimiter) -> None:
    limiter.reserve("again", 0.01)
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND query LIKE '%%connectors_rateslot%%'",
            [],
        )
    assert limiter.reserve("again", 0.01) < 1


def test_threads_keep_the_limit_together(limiter: PostgresLimiter) -> None:
    limit = RateLimit(20, 0.5, margin=0.2)
    moments: list[float] = []

    def take() -> None:
        for _ in range(8):
            wait = limiter.reserve("threads", limit.interval)
            if wait > 0:
                time.sleep(wait)
            moments.append(time.monotonic())

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(moments) == 64
    assert never_over(moments, limit)


@pytest.mark.slow
def test_processes_keep_the_limit_together() -> None:
    limit = RateLimit(20, 1.0, margin=0.2)
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, "processes", str(limit.interval), "20"],
            cwd=Path(settings.BASE_DIR),
            env=environment_of_processes(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    moments = [float(line) for taker in takers for line in taker.communicate(timeout=60)[0].split()]
    assert len(moments) == 60
    assert never_over(moments, limit)


UNITS, MOST, WINDOW = 2, 6, 0.5
UNIT_TAKER = """
import sys, time, django
django.setup()
from connectors.limits import limiter
key, units, most, seconds, claims = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4]), int(sys.argv[5])
for _ in range(claims):
    wait = limiter.reserve_units(key, units, most, seconds)
    if wait > 0:
        time.sleep(wait)
    print(time.time(), flush=True)
"""


def test_units_of_a_rolling_limit_go_at_once_and_then_as_the_oldest_grow_old(limiter: PostgresLimiter) -> None:
    waits = [limiter.reserve_units("rolling", 2, 6, 60.0) for _ in range(4)]
    assert [round(max(wait, 0.0)) for wait in waits] == [0, 0, 0, 60]
    assert round(limiter.reserve_units("rolling", 1, 6, 60.0)) == 60
    limiter.hold("rolling", 200.0)
    assert round(limiter.reserve_units("rolling", 1, 6, 60.0)) == 200


def test_a_pause_before_the_first_claim_of_a_rolling_limit_is_kept(limiter: PostgresLimiter) -> None:
    limiter.hold("held", 30.0)
    assert round(limiter.reserve_units("held", 6, 6, 60.0)) == 30


def test_processes_together_never_take_more_units_than_a_window_holds() -> None:
    arguments = ["window", str(UNITS), str(MOST), str(WINDOW * 1.1), "6"]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", UNIT_TAKER, *arguments],
            cwd=Path(settings.BASE_DIR),
            env=environment_of_processes(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    moments = [float(line) for worker in workers for line in worker.communicate(timeout=60)[0].split()]
    assert len(moments) == 12
    assert never_over([moment for moment in moments for _ in range(UNITS)], RateLimit(MOST, WINDOW))
