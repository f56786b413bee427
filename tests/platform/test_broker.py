"""The queue: oldest first, each task to one worker, and probes to their own worker alone."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone
from django_q.models import OrmQ

from crmsync.broker import WORKER_ID_VARIABLE, SkipLockedORM, own_queue


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> SkipLockedORM:
    monkeypatch.setattr("crmsync.broker.sleep", lambda seconds: None)
    monkeypatch.setattr("crmsync.broker.Conf.BULK", 1)
    return SkipLockedORM(list_key="crmsync")


def add(count: int, key: str = "crmsync") -> list[int]:
    past = timezone.now() - timedelta(seconds=1)
    return [OrmQ.objects.create(key=key, payload=str(number), lock=past).pk for number in range(count)]


@pytest.mark.django_db
def test_the_oldest_comes_first_and_is_hidden_until_retry(broker: SkipLockedORM) -> None:
    first, second = add(2)
    assert broker.dequeue() == [(first, "0")]
    assert broker.dequeue() == [(second, "1")]
    assert broker.dequeue() is None
    OrmQ.objects.update(lock=timezone.now() - timedelta(seconds=1))
    assert broker.dequeue() == [(first, "0")]


@pytest.mark.django_db
def test_a_probe_reaches_its_own_worker_alone(broker: SkipLockedORM, monkeypatch: pytest.MonkeyPatch) -> None:
    (probe,) = add(1, own_queue("host-1"))
    assert broker.dequeue() is None
    monkeypatch.setenv(WORKER_ID_VARIABLE, "host-2")
    assert broker.dequeue() is None
    monkeypatch.setenv(WORKER_ID_VARIABLE, "host-1")
    assert broker.dequeue() == [(probe, "0")]


@pytest.mark.django_db
def test_a_claim_costs_the_same_statements_for_any_batch(
    broker: SkipLockedORM, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    add(30)
    for batch in (1, 20):
        monkeypatch.setattr("crmsync.broker.Conf.BULK", batch)
        with django_assert_num_queries(4):  # savepoint, select, update, release
            assert len(broker.dequeue() or []) == batch


@pytest.mark.django_db(transaction=True)
def test_rows_that_another_worker_is_claiming_are_skipped(broker: SkipLockedORM) -> None:
    first, second = add(2)
    other = connections.create_connection("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT id FROM django_q_ormq WHERE id = %s FOR UPDATE", [first])
            with transaction.atomic():
                assert broker.dequeue() == [(second, "1")]
    finally:
        other.rollback()
        other.close()


def test_a_task_cannot_be_taken_twice_while_it_waits(settings: Any) -> None:
    cluster = settings.Q_CLUSTER
    longest_wait = cluster["timeout"] * (1 + cluster["queue_limit"] / cluster["workers"])
    assert cluster["retry"] > longest_wait
    assert cluster["save_limit"] >= 0
    assert cluster["max_attempts"] > 0
    assert cluster["catch_up"] is False
