"""Creations: the own mark, lost answers, refused batches, a full account, deletions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.sandbox import Fault
from connectors.core.types import CONTACTS, Change, Op, Result
from connectors.google.fields import CLIENT_DATA
from connectors.google.quotas import SINGLES
from connectors.google.tests.conftest import Account


def addresses(account: Account) -> Counter[str]:
    return Counter(person["email"] for person in account.sandbox.people())


def test_few_are_sent_singly_and_more_in_a_batch(account: Account) -> None:
    account.create(SINGLES)
    assert (account.asked(":createContact"), account.asked("batchCreate")) == (SINGLES, 0)
    other = Account()
    other.create(SINGLES + 1)
    assert (other.asked(":createContact"), other.asked("batchCreate")) == (0, 1)


@pytest.mark.parametrize("count", [3, 30])
def test_what_a_lost_answer_created_is_found_by_the_mark(account: Account, count: int) -> None:
    account.sandbox.faults.append(Fault("drop", path="reateContact"))
    outcomes = account.create(count)
    assert {o.result for o in outcomes} == {Result.CREATED}
    assert addresses(account) == {f"person{n}@example.com": 1 for n in range(count)}
    assert len({o.external_id for o in outcomes}) == count


def test_a_creation_that_is_sent_again_becomes_an_update(account: Account) -> None:
    (first,) = account.create(1)
    again = account.new(0)
    # As after the death of the process that sent it first.
    account.connector = account.connect()
    values = {**again.values, "familyName": "Bellamy"}
    (second,) = account.write([replace(again, values=values)])
    assert (second.result, second.external_id) == (Result.UPDATED, first.external_id)
    assert account.held(first.external_id, "names", "familyName") == ["Bellamy"]
    assert len(account.sandbox.people()) == 1


def test_a_mark_on_two_contacts_is_a_persons_to_decide(account: Account) -> None:
    (first,) = account.create(1)
    copied = account.sandbox.book.everybody[first.external_id].lists[CLIENT_DATA]
    account.add(names=[{"givenName": "Copy"}], clientData=copied)
    account.connector = account.connect()
    (outcome,) = account.write([account.new(0)])
    assert outcome.error is not None
    assert "Several contacts" in outcome.error.message
    assert len(account.sandbox.people()) == 2


@pytest.mark.parametrize("options", [{}, {"names_errors": False}, {"writes_in_part": True}], ids=str)
def test_bad_contacts_cost_only_themselves_whatever_a_refused_batch_did(options: dict[str, Any]) -> None:
    account = Account(**options)
    outcomes = account.create(60, bad=(7, 41))
    assert [o.ref for o in outcomes if not o.ok] == [7, 41]
    assert addresses(account) == {f"person{n}@example.com": 1 for n in range(60) if n not in (7, 41)}


def test_a_full_account_is_told_and_not_asked_again() -> None:
    account = Account(capacity=210)
    outcomes = account.create(900)
    failed = [o.error for o in outcomes if o.error is not None]
    assert len(failed) == 700
    assert {(e.kind, "25,000" in e.message) for e in failed} == {(ErrorKind.DATA, True)}
    assert account.asked("batchCreate") <= 4
    name = account.sandbox.people()[0]["id"]
    assert account.update(name, {"familyName": "Bellamy"}).ok


def test_the_quota_is_learned_from_a_refusal_and_spent_whole() -> None:
    account = Account(enforce_limits=True, per_minute=30)
    outcomes = account.create(3000)
    assert all(o.ok for o in outcomes)
    assert sum(seen.status == 429 for seen in account.sandbox.seen) <= 2


def test_a_first_load_takes_the_time_that_the_quota_allows() -> None:
    account = Account(enforce_limits=True)
    started = account.sandbox.clock.monotonic()
    # One after the other: threads that sleep at once would each move the manual clock on.
    one = replace(account.connector.capabilities(), max_in_flight=1)
    account.connector.capabilities = lambda entity=CONTACTS: one  # type: ignore[method-assign]
    assert all(o.ok for o in account.create(25_000))
    # 125 batches, 15 a minute: the ninth minute's go at once.
    assert account.sandbox.clock.monotonic() - started <= 1.05 * 480
    assert 429 not in {seen.status for seen in account.sandbox.seen}


def test_one_write_at_a_time_and_every_one_of_them_in_turn(account: Account) -> None:
    inside: list[int] = [0, 0, 0]

    class Turns:
        @contextmanager
        def taken(self, key: str) -> Iterator[None]:
            inside[0] += 1
            inside[2] += 1
            inside[1] = max(inside[:2])
            yield
            inside[0] -= 1

    connector = account.connect(turns=Turns())
    account.connector = connector
    outcomes = account.create(1)
    account.write([Change(1, Op.UPDATE, {"familyName": "B"}, external_id=outcomes[0].external_id)])
    account.write([Change(1, Op.DELETE, {}, external_id=outcomes[0].external_id)])
    assert inside == [0, 1, 3]


def test_deletions_of_which_some_are_gone_already(account: Account) -> None:
    names = [account.add(names=[{"givenName": f"Ann {n}"}]) for n in range(600)]
    account.sandbox.person_deletes(names[3])
    outcomes = account.write([Change(n, Op.DELETE, {}, external_id=name) for n, name in enumerate(names)])
    assert {o.result for o in outcomes} == {Result.DELETED}
    assert account.sandbox.people() == []
    assert account.asked("batchDelete") == 3
