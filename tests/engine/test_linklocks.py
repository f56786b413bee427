"""A pull and a push that store at the same moment: real transactions in threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.db import OperationalError, transaction
from django.db import connections as databases
from psycopg.errors import DeadlockDetected, LockNotAvailable

from connectors.models import Connection
from syncjobs import linklocks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def connection() -> Connection:
    return Connection.objects.create(key="one", connector="none")


@pytest.fixture
def beside() -> Iterator[Callable[[Callable[[], None]], Future[None]]]:
    """Carries a function out beside the test, and its database connection to the grave."""
    with ThreadPoolExecutor(2) as pool:

        def run(work: Callable[[], None]) -> Future[None]:
            def carry_out() -> None:
                try:
                    work()
                finally:
                    databases.close_all()

            return pool.submit(carry_out)

        yield run


def in_transaction(lock: Callable[[Connection], None], connection: Connection) -> None:
    with transaction.atomic():
        lock(connection)


@pytest.mark.parametrize(
    ("held", "wanted", "waits"),
    [
        (linklocks.together, linklocks.together, False),
        (linklocks.together, linklocks.alone, True),
        (linklocks.alone, linklocks.together, True),
        (linklocks.alone, linklocks.alone, True),
    ],
)
def test_pushes_go_together_and_a_pull_alone(
    connection: Connection, beside: Callable[..., Future[None]],
    held: Callable[[Connection], None], wanted: Callable[[Connection], None], waits: bool,
) -> None:  # fmt: skip
    with transaction.atomic():
        held(connection)
        other = beside(lambda: in_transaction(wanted, connection))
        if waits:
            with pytest.raises(TimeoutError):
                other.result(0.3)
        else:
            other.result(10)
    other.result(10)


def test_two_that_wait_for_each_other_both_come_to_an_end(
    connection: Connection, beside: Callable[..., Future[None]]
) -> None:
    other = Connection.objects.create(key="other", connector="none")
    both_hold_one = threading.Barrier(2, timeout=10)
    attempts: list[int] = []

    def rename(first: Connection, second: Connection) -> Callable[[], None]:
        def store() -> None:
            attempts.append(first.pk)
            Connection.objects.filter(pk=first.pk).update(label="taken")
            if len(attempts) <= 2:
                both_hold_one.wait()
            Connection.objects.filter(pk=second.pk).update(label="taken")

        return lambda: linklocks.stored(store)

    results = [beside(rename(connection, other)), beside(rename(other, connection))]
    for result in results:
        result.result(20)
    assert len(attempts) == 3


def test_other_errors_are_not_tried_again() -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise OperationalError("no") from LockNotAvailable()

    with pytest.raises(OperationalError):
        linklocks.stored(fail)
    assert len(calls) == 1


def test_what_deadlocks_for_ever_is_raised() -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise OperationalError("no") from DeadlockDetected()

    with pytest.raises(OperationalError):
        linklocks.stored(fail)
    assert len(calls) == linklocks.ATTEMPTS
