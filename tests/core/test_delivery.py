"""One outcome for every change pulled, whatever happens to its batch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from connectors.core.batches import Batcher, Place
from connectors.core.delivery import GIVE_UP_AFTER, Delivery, Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Change, Op, Outcome, Result

LOG = logging.getLogger("connectors")


def place(change: Change) -> Place:
    if change.values.get("bad"):
        raise ApiError(ErrorKind.DATA, "Bad.")
    return Place("lane", (str(change.values.get("key", change.ref)),))


def settle_all(ledger: Ledger) -> None:
    for change in ledger.open:
        ledger.settle(Outcome(change.ref, Result.CREATED))


def deliver(
    values: list[dict[str, object]], send: Callable[[Ledger], None], size: int = 10
) -> tuple[list[Outcome], BaseException | None, int]:
    """The outcomes, what was raised, and how many changes were pulled."""
    pulled = 0

    def changes() -> Iterator[Change]:
        nonlocal pulled
        for ref, each in enumerate(values):
            pulled += 1
            yield Change(ref, Op.UPSERT, each)

    outcomes: list[Outcome] = []
    try:
        outcomes.extend(Delivery(changes(), Batcher(place, size), send, in_flight=2, log=LOG).run())
    except (ApiError, RuntimeError) as e:
        return outcomes, e, pulled
    return outcomes, None, pulled


def refs(outcomes: list[Outcome]) -> list[int]:
    return sorted(o.ref for o in outcomes)


def test_every_change_has_one_outcome() -> None:
    values: list[dict[str, object]] = [{"bad": i % 7 == 0} for i in range(95)]
    outcomes, raised, _pulled = deliver(values, settle_all)
    assert raised is None
    assert refs(outcomes) == list(range(95))
    assert sum(not o.ok for o in outcomes) == 14


def test_only_refused_changes_are_handed_back_as_they_come() -> None:
    outcomes, _raised, _pulled = deliver([{"bad": True}] * 95, settle_all)
    assert refs(outcomes) == list(range(95))


def test_one_identity_is_never_twice_under_way() -> None:
    outcomes, _raised, _pulled = deliver([{"key": "a"}, {"key": "a"}, {"key": "b"}], settle_all)
    assert [(o.ref, o.ok) for o in sorted(outcomes, key=lambda o: o.ref)] == [(0, True), (1, False), (2, True)]


def test_an_identity_is_free_again_afterwards() -> None:
    outcomes, _raised, _pulled = deliver([{"key": str(i % 100)} for i in range(1000)], settle_all)
    assert sum(o.ok for o in outcomes) == 1000


@pytest.mark.parametrize("kind", [ErrorKind.AUTH, ErrorKind.CONFIG, ErrorKind.RATE_LIMITED])
def test_a_run_level_error_ends_the_pulling_and_is_raised_last(kind: ErrorKind) -> None:
    def send(ledger: Ledger) -> None:
        if ledger.open[0].ref >= 20:
            raise ApiError(kind, "Stop.")
        settle_all(ledger)

    outcomes, raised, pulled = deliver([{}] * 1000, send)
    assert isinstance(raised, ApiError)
    assert raised.kind is kind
    assert refs(outcomes) == list(range(pulled))
    assert pulled < 100
    assert {o.error.kind for o in outcomes if o.error} == {kind}


def test_what_a_batch_had_settled_before_it_broke_stays_settled() -> None:
    def send(ledger: Ledger) -> None:
        ledger.settle(Outcome(ledger.open[0].ref, Result.CREATED))
        raise ApiError(ErrorKind.UNKNOWN, "No answer.")

    outcomes, raised, _pulled = deliver([{}] * 10, send)
    assert raised is None
    assert [o.result for o in outcomes].count(Result.UNKNOWN) == 9


def test_a_server_that_is_down_is_not_asked_for_ever() -> None:
    sent = []

    def send(ledger: Ledger) -> None:
        sent.append(1)
        raise ApiError(ErrorKind.TRANSIENT, "Down.")

    outcomes, raised, pulled = deliver([{}] * 1000, send)
    assert isinstance(raised, ApiError)
    assert raised.kind is ErrorKind.TRANSIENT
    assert refs(outcomes) == list(range(pulled))
    assert len(sent) <= GIVE_UP_AFTER + 1


def test_a_bug_costs_one_batch_and_its_log_line_quotes_nobody(caplog: pytest.LogCaptureFixture) -> None:
    address = "@".join(["ann", "example.com"])

    def send(ledger: Ledger) -> None:
        if ledger.open[0].ref == 0:
            raise KeyError(address)
        settle_all(ledger)

    outcomes, raised, _pulled = deliver([{}] * 30, send)
    assert raised is None
    assert [o.error.kind for o in outcomes if o.error] == [ErrorKind.BUG] * 10
    assert "KeyError" in caplog.text
    assert address not in caplog.text


def test_a_forgotten_change_is_a_bug_not_a_loss() -> None:
    outcomes, _raised, _pulled = deliver([{}] * 5, lambda ledger: None)
    assert [o.error.kind for o in outcomes if o.error] == [ErrorKind.BUG] * 5


def test_a_source_that_breaks_is_raised_after_everything_pulled_is_settled() -> None:
    def changes() -> Iterator[Change]:
        yield Change(1, Op.UPSERT, {})
        raise RuntimeError("database")

    outcomes: list[Outcome] = []
    with pytest.raises(RuntimeError, match="database"):
        outcomes.extend(Delivery(changes(), Batcher(place, 10), settle_all, in_flight=2, log=LOG).run())
    assert refs(outcomes) == [1]
