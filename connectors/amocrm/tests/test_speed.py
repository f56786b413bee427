"""How many requests amoCRM's connector makes, and how long they take at the documented limit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.amocrm.connector import AmoCRM
from connectors.amocrm.entities import LEADS
from connectors.amocrm.sandbox import AmoSandbox
from connectors.core.clock import ManualClock
from connectors.core.fanout import batched
from connectors.core.sandbox import Fault
from connectors.core.testing import sandbox_context
from connectors.core.types import CONTACTS, Change, MatchKey, Op, Page, ReadQuery
from tests.clock import SharedClock

READS = "GET"


def fill(sandbox: AmoSandbox, count: int, entity: str = CONTACTS) -> None:
    for number in range(count):
        email = {"field_code": "EMAIL", "values": [{"value": f"old{number}@example.com"}]}
        custom = {"custom_fields_values": [email]} if entity == CONTACTS else {}
        sandbox.account.create({"name": f"Old {number}", **custom}, entity)


def connect(sandbox: AmoSandbox, **config: Any) -> AmoCRM:
    return AmoCRM(sandbox_context(AmoCRM, sandbox, config=config))


def lists_read(sandbox: AmoSandbox, entity: str = CONTACTS) -> int:
    return sum((seen.method, seen.path) == (READS, f"/api/v4/{entity}") for seen in sandbox.seen)


@pytest.mark.parametrize("entity", [CONTACTS, LEADS])
@pytest.mark.parametrize("count", [0, 1, 250, 251, 2500])
@pytest.mark.parametrize("config", [{}, {"rps": 0}])
def test_a_full_read_asks_for_each_page_once(entity: str, count: int, config: dict[str, Any]) -> None:
    sandbox = AmoSandbox(ManualClock())
    sandbox.enforce_limits = not config
    fill(sandbox, count, entity)
    pages = list(connect(sandbox, **config).read(ReadQuery(entity=entity)))
    ids = [record.id for page in pages for record in page.records]
    assert len(set(ids)) == len(ids) == count
    assert lists_read(sandbox, entity) == max(math.ceil(count / 250), 1)


def test_slow_answers_are_overlapped_up_to_the_limit() -> None:
    """400 pages at a second each: the limit is what it takes, not 400 seconds."""
    with SharedClock() as clock:
        sandbox = AmoSandbox(clock)
        fill(sandbox, 4000)
        sandbox.faults.append(Fault("slow", seconds=1.0, times=10_000))
        connector = connect(sandbox)
        connector.describe(CONTACTS)  # as every run does first; how long answers take is known from then on
        before = lists_read(sandbox)
        started = clock.monotonic()
        pages = read_pages(connector, limit=10)
        took = clock.monotonic() - started
        assert [page.cursor for page in pages[:3]] == [{"page": 2}, {"page": 3}, {"page": 4}]
        assert [int(r.id) for page in pages for r in page.records] == sorted(sandbox.account.contacts)
        assert len(pages) == 400
        # What was under way when the last page came cannot be called back.
        assert lists_read(sandbox) - before <= 400 + 8
        assert took <= 1.05 * 400 / 7
        assert not [seen for seen in sandbox.seen if seen.status == 429]


def read_pages(connector: AmoCRM, limit: int) -> list[Page]:
    return list(connector.read(ReadQuery(limit=limit)))


def test_pages_kept_for_their_turn_are_few() -> None:
    """Page 1 comes last of those under way: the others wait, and no more than the connector may keep."""
    with SharedClock() as clock:
        sandbox = AmoSandbox(clock)
        fill(sandbox, 300)
        connector = connect(sandbox)
        sandbox.faults.append(Fault("slow", seconds=1.0, times=1))
        connector.describe(CONTACTS)
        sandbox.faults.append(Fault("slow", seconds=60.0, times=1))
        pages = connector.read(ReadQuery(limit=10))
        first = next(pages)
        assert first.cursor == {"page": 2}
        assert lists_read(sandbox) <= 1 + 2 * 8
        assert [page.cursor for page in itertools.islice(pages, 2)] == [{"page": 3}, {"page": 4}]


def test_a_page_that_cannot_be_read_ends_the_read_after_those_before_it() -> None:
    sandbox = AmoSandbox(ManualClock(), enforce_limits=False)
    fill(sandbox, 100)
    sandbox.faults.append(Fault("status", path="contacts$", status=403, skip=3))
    seen: list[Page] = []
    with pytest.raises(Exception, match="403"):
        seen.extend(page for page in connect(sandbox, rps=0).read(ReadQuery(limit=10)))
    assert lists_read(sandbox) == 4


def test_a_first_load_reads_the_account_once_and_writes_each_batch_once() -> None:
    """As a push does it: find a page of new contacts, write them, find the next."""
    sandbox = AmoSandbox(ManualClock(), enforce_limits=False)
    fill(sandbox, 5000)
    connector = connect(sandbox, rps=0)

    def changes() -> Iterator[Change]:
        for numbers in batched(range(5000), 1000):
            keys = {n: MatchKey("email", f"new{n}@example.com") for n in numbers}
            assert not any(connector.find(CONTACTS, list(keys.values())).values())
            yield from (Change(n, Op.CREATE, {"EMAIL": key.value}, key=key) for n, key in keys.items())

    assert all(outcome.ok for outcome in connector.write(CONTACTS, changes()))
    writes = sum(seen.method == "POST" for seen in sandbox.seen)
    assert (writes, lists_read(sandbox)) == (20, 20)
    twice = connector.find(CONTACTS, [MatchKey("email", "NEW4711@example.com")])
    assert [len(records) for records in twice.values()] == [1]


def test_changed_contacts_are_written_250_at_a_time_at_the_pace_of_the_limit() -> None:
    with SharedClock() as clock:
        sandbox = AmoSandbox(clock)
        fill(sandbox, 10_000)
        connector = connect(sandbox)
        connector.prepare(CONTACTS, ["first_name"])
        changes = [
            Change(ref, Op.UPDATE, {"first_name": "Ann"}, external_id=str(number))
            for ref, number in enumerate(sandbox.account.contacts)
        ]
        sandbox.seen.clear()
        started = clock.monotonic()
        assert all(outcome.ok for outcome in connector.write(CONTACTS, changes))
        took = clock.monotonic() - started
    assert [seen.method for seen in sandbox.seen] == ["PATCH"] * 40
    assert took <= 1.05 * 40 / 7


def test_what_a_lost_answer_may_have_created_is_found() -> None:
    """The index was told nothing of them, and newer records that it knows lie above them."""
    sandbox = AmoSandbox(ManualClock(), enforce_limits=False)
    connector = connect(sandbox, rps=0)
    keys = [MatchKey("email", f"new{n}@example.com") for n in range(800)]
    connector.find(CONTACTS, keys)
    sandbox.faults.append(Fault("drop", method="POST"))
    changes = [Change(n, Op.CREATE, {"EMAIL": key.value}, key=key) for n, key in enumerate(keys)]
    lost = {outcome.ref for outcome in connector.write(CONTACTS, changes) if not outcome.ok}
    assert len(lost) == 250
    found = connector.find(CONTACTS, keys)
    assert all(len(found[keys[n]]) == 1 for n in range(800))
