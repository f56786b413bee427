"""The portal's two limits are never met, and where others have used them up, waiting is all that happens (sheet 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors.bitrix24.connector import Bitrix24
from connectors.bitrix24.sandbox import BitrixSandbox
from connectors.core.clock import ManualClock
from connectors.core.sandbox import Fault
from connectors.core.types import CONTACTS, Change, MatchKey, Op, ReadMode, ReadQuery
from tests.clock import SharedClock

Connect = Callable[..., Bitrix24]


def creates(sandbox: BitrixSandbox, count: int) -> Any:
    for n in range(count):
        values = sandbox.sample_values(n)
        yield Change(n, Op.CREATE, values, key=MatchKey("email", values["EMAIL"]), idempotency_key=str(n))


def statuses(sandbox: BitrixSandbox) -> set[int | None]:
    return {seen.status for seen in sandbox.seen}


def test_a_hundred_reads_keep_the_bucket_and_use_it(connect: Connect) -> None:
    sandbox = BitrixSandbox(ManualClock())
    connector = connect(sandbox, rps=None)
    for _ in range(100):
        connector.check()
    assert statuses(sandbox) == {200}
    assert 35 <= sandbox.bucket.most <= 50
    assert sandbox.clock.monotonic() <= 1.1 * (100 - 40) / 2


def test_a_method_s_time_is_never_used_up_by_reads(connect: Connect) -> None:
    """100,000 records at half a second a page: 1,000 seconds of a method that may take 480 in ten minutes."""
    with SharedClock() as clock:
        sandbox = BitrixSandbox(clock, people=100_000, list_seconds=0.5)
        connector = connect(sandbox, rps=None)
        met = sum(len(page.records) for page in connector.read(ReadQuery()))
        assert met == 100_000
        assert statuses(sandbox) == {200}
        assert sandbox.operating.most <= 480
        # On a busy machine the clock moves on while a thread has not got its turn yet.
        assert clock.monotonic() <= 2.5 * (1_000 / 480) * 600


def test_a_method_s_time_is_never_used_up_by_writes(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = BitrixSandbox(ManualClock(), write_seconds=1.0)
    connector = connect(sandbox, rps=None)
    # One request at a time: threads that sleep at once would each move the manual clock on.
    one = replace(connector.capabilities(), max_in_flight=1)
    monkeypatch.setattr(connector, "capabilities", lambda entity=CONTACTS: one)
    assert all(outcome.ok for outcome in connector.write(CONTACTS, creates(sandbox, 1500)))
    assert statuses(sandbox) == {200}
    assert 300 <= sandbox.operating.most <= 480


@pytest.mark.parametrize("used", [420.0, 481.0])
def test_time_that_others_have_used_is_waited_for(connect: Connect, used: float) -> None:
    sandbox = BitrixSandbox(ManualClock(), people=10_000)
    sandbox.operating.spend("crm.contact.list", used)
    connector = connect(sandbox, rps=None)
    met = sum(len(page.records) for page in connector.read(ReadQuery()))
    assert met == 10_000
    # Of a batch, those commands are refused whose method has no time left; the request itself is not.
    assert statuses(sandbox) == {200}
    assert sandbox.clock.monotonic() >= 400


def test_changes_wait_for_a_method_s_time_too(connect: Connect) -> None:
    sandbox = BitrixSandbox(ManualClock(), people=10)
    since = sandbox.clock.now()
    sandbox.person_updates("3", NAME="Renamed")
    sandbox.operating.spend("crm.contact.list", 481.0)
    pages = connect(sandbox, rps=None).read(ReadQuery(mode=ReadMode.CHANGES, since=since))
    assert [record.id for page in pages for record in page.records] == ["3"]
    assert sandbox.clock.monotonic() >= 400


def test_a_full_bucket_is_waited_for(connect: Connect) -> None:
    sandbox = BitrixSandbox(ManualClock())
    for _ in range(50):
        sandbox.bucket.take()
    connector = connect(sandbox, rps=None)
    assert connector.check().account
    assert [seen.status for seen in sandbox.seen] == [503, 200]


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_of_the_limits_spends_no_try(connect: Connect, status: int) -> None:
    error = {429: "OPERATION_TIME_LIMIT", 503: "QUERY_LIMIT_EXCEEDED"}[status]
    sandbox = BitrixSandbox(ManualClock(), enforce_limits=False, people=100)
    sandbox.faults.append(Fault("status", status=status, body={"error": error, "error_description": "x"}, times=8))
    connector = connect(sandbox, rps=None)
    assert sum(len(page.records) for page in connector.read(ReadQuery())) == 100
    assert [seen.status for seen in sandbox.seen].count(status) == 8
    assert sandbox.clock.monotonic() >= (8 * 60 if status == 429 else 8 * 1.5)


def test_limits_are_those_of_the_portal(connect: Connect) -> None:
    """Two webhooks of one portal share its bucket; another portal has its own."""
    sandbox = BitrixSandbox(ManualClock())
    one, other = connect(sandbox), connect(sandbox)
    assert one.account_key() == other.account_key()
    assert one.client.pacing._account == one.account_key()
