"""The counts of requests: exact over processes and threads, kept over failures, forks and rolled back transactions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, transaction

from connectors import traffic
from connectors.core.metrics import Exchange, Totals
from connectors.models import Traffic
from connectors.traffic import BOUNDS, MOST_ENDPOINTS, OTHER, Meter
from tests.engine.test_processes import environment_of_processes, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

PROCESSES, THREADS, REQUESTS = 3, 4, 500
# Counts from several threads; the endpoints of all processes are the same, met in another order by each.
COUNTER = f"""
import random, sys, threading, django
django.setup()
from django.conf import settings
from connectors.core.metrics import Exchange
from connectors.traffic import meter
settings.TRAFFIC_FLUSH_SECONDS = 0.05
def work():
    names = [f"/things/{{i}}" for i in range(10)] * {REQUESTS // 10}
    random.shuffle(names)
    for name in names:
        meter.count("toy", Exchange("GET", name, 200, 0.2, 0.1, False))
threads = [threading.Thread(target=work) for _ in range({THREADS})]
for t in threads: t.start()
for t in threads: t.join()
"""
LASTING = """
import sys, time, django
django.setup()
from django.conf import settings
from connectors.core.metrics import Exchange
from connectors.traffic import meter
settings.TRAFFIC_FLUSH_SECONDS = 0.2
for i in range(100):
    meter.count("toy", Exchange("GET", "/early", 200, 0.2, 0.0, False))
sys.stdin.readline()
settings.TRAFFIC_FLUSH_SECONDS = 3600
time.sleep(0.5)
meter.count("toy", Exchange("GET", "/late", 200, 0.2, 0.0, False))
print("counted", flush=True)
time.sleep(60)
"""
CHILDREN = """
import multiprocessing, os, django
django.setup()
from django.conf import settings
from connectors.core.metrics import Exchange
from connectors.traffic import meter
settings.TRAFFIC_FLUSH_SECONDS = 3600
def work():
    meter.count("toy", Exchange("GET", "/child", 200, 0.2, 0.0, False))
work()
children = [multiprocessing.get_context("fork").Process(target=work) for _ in range(2)]
for child in children: child.start()
for child in children: child.join()
"""


def start(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=Path(settings.BASE_DIR),
        env=environment_of_processes(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def exchange(**given: Any) -> Exchange:
    values = {"method": "GET", "endpoint": "/a", "status": 200, "seconds": 0.3, "waited": 0.0, "retry": False}
    return Exchange(**(values | given))


def stored(endpoint: str) -> int:
    return sum(Traffic.objects.filter(endpoint=endpoint).values_list("requests", flat=True))


@pytest.mark.slow
def test_three_processes_at_once_add_up_exactly() -> None:
    counters = [start(COUNTER) for _ in range(PROCESSES)]
    assert [counter.wait(60) for counter in counters] == [0] * PROCESSES
    rows = list(Traffic.objects.all())
    each = PROCESSES * THREADS * REQUESTS // 10
    assert len(rows) == 10
    for row in rows:
        assert (row.requests, row.waits, sum(row.buckets)) == (each, each, each)
        assert row.buckets[BOUNDS.index(0.25)] == each
        assert (row.seconds, row.waited) == (pytest.approx(0.2 * each), pytest.approx(0.1 * each))


@pytest.mark.slow
def test_a_killed_process_loses_only_what_was_not_stored_yet() -> None:
    process = start(LASTING)
    wait_until(lambda: stored("/early") == 100)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "counted\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    assert (stored("/early"), stored("/late")) == (100, 0)


@pytest.mark.slow
def test_forked_children_store_their_own_counts_at_their_end_and_no_one_else_s() -> None:
    assert start(CHILDREN).wait(60) == 0
    assert stored("/child") == 3


def test_everything_about_a_request_is_counted() -> None:
    meter, totals = Meter(), Totals()
    recorder = meter.recorder("toy", totals)
    recorder.record(exchange())
    recorder.record(exchange(seconds=500.0, waited=2.0, retry=True))
    recorder.record(exchange(status=401, auth_error=True))
    recorder.record(exchange(status=None))
    assert meter.flush()
    assert totals.requests == 4
    rows = {row.status: row for row in Traffic.objects.all()}
    assert {status: row.requests for status, row in rows.items()} == {200: 2, 401: 1, 0: 1}
    good = rows[200]
    assert (good.retries, good.waits, good.waited, good.auth_errors) == (1, 1, 2.0, 0)
    assert (good.buckets[BOUNDS.index(0.5)], good.buckets[-1]) == (1, 1)
    assert rows[401].auth_errors == 1


def test_what_the_database_did_not_take_is_kept_for_the_next_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(tallies: Any) -> None:
        raise OperationalError("gone")

    meter = Meter()
    meter.count("toy", exchange())
    with monkeypatch.context() as broken:
        broken.setattr(traffic, "_store", fails)
        assert not meter.flush()
    assert "wait" in caplog.text
    meter.count("toy", exchange())
    assert meter.flush()
    assert stored("/a") == 2


def test_a_transaction_that_is_rolled_back_loses_no_counts() -> None:
    meter = Meter()
    with transaction.atomic():
        meter.count("toy", exchange())
        assert meter.flush()
        transaction.set_rollback(True)
    assert stored("/a") == 1


def test_a_connector_without_templates_does_not_fill_the_table() -> None:
    meter = Meter()
    for number in range(MOST_ENDPOINTS + 50):
        meter.count("toy", exchange(endpoint=f"/people/ann{number}"))
    meter.count("toy", exchange(endpoint="/" + "x" * 500))
    meter.count("other", exchange(endpoint="/a"))
    assert meter.flush()
    assert Traffic.objects.count() == MOST_ENDPOINTS + 2
    assert stored(OTHER) == 51


def test_the_thread_stores_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "TRAFFIC_FLUSH_SECONDS", 0.05)
    meter = Meter()
    threads = [threading.Thread(target=meter.count, args=["toy", exchange()]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: stored("/a") == 8)
    assert sum(thread.name == "traffic" for thread in threading.enumerate()) == 1
    meter.stop()
    before = time.monotonic()
    wait_until(lambda: not any(thread.name == "traffic" for thread in threading.enumerate()))
    assert time.monotonic() - before < 5
