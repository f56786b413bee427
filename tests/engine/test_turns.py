"""Turns in PostgreSQL: one inside at a time, other accounts beside it."""

from __future__ import annotations

import threading
import time

import pytest

from connectors.turns import PostgresTurns

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_is_inside_at_a_time_and_accounts_do_not_wait_for_each_other() -> None:
    turns, log = PostgresTurns(), list[str]()

    def work(key: str, name: str) -> None:
        with turns.taken(key):
            log.append(f"{name} in")
            time.sleep(0.2)
            log.append(f"{name} out")

    with turns.taken("other"):
        threads = [threading.Thread(target=work, args=("one", name)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert [entry[-3:].strip() for entry in log] == ["in", "out"] * 3
    assert all(log[i][0] == log[i + 1][0] for i in range(0, 6, 2))


def test_a_turn_ends_with_an_error() -> None:
    turns, log = PostgresTurns(), list[str]()
    with pytest.raises(RuntimeError), turns.taken("one"):
        raise RuntimeError("broken")
    with turns.taken("one"):
        log.append("in")
    assert log == ["in"]
