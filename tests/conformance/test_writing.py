"""write of every connector: one outcome each, nothing lost, nobody twice, within the limits."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.sandbox import Fault
from connectors.core.types import CONTACTS, Change, Op
from tests.conformance.bench import Bench

FEW = 30
# More than any connector's threshold between single writes and bulk, under its short settings.
MANY = 700
REQUESTS_BESIDES = 25
PERSONAL = re.compile(r"\S+@\S+|\+?\d{7,}")


@pytest.fixture(autouse=True)
def writes(bench: Bench) -> None:
    if not bench.capabilities.write:
        pytest.skip("declares no write")
    bench.prepare()


def test_a_mixed_batch_gives_one_outcome_each(bench: Bench) -> None:
    bad = {4, 17}
    outcomes, _pulled, raised = bench.write(
        bench.change(n, bench.sandbox.bad_values(n) if n in bad else None) for n in range(FEW)
    )
    assert raised is None
    assert {ref for ref, o in outcomes.items() if not o.ok} == bad
    for ref in bad:
        error = outcomes[ref].error
        assert error is not None
        assert error.kind in (ErrorKind.DATA, ErrorKind.CONFLICT)
        assert len(error.message) > 15
        assert not PERSONAL.search(error.message + error.detail)
    assert len(bench.sandbox.people()) == FEW - len(bad)
    assert all(o.external_id for ref, o in outcomes.items() if ref not in bad)


def test_ids_are_those_of_the_remote_records(bench: Bench) -> None:
    outcomes, _pulled, _raised = bench.write(bench.changes(FEW))
    assert sorted(o.external_id for o in outcomes.values()) == sorted(str(p["id"]) for p in bench.sandbox.people())


def test_known_records_are_updated_by_id(bench: Bench) -> None:
    outcomes, _pulled, _raised = bench.write(bench.changes(FEW))
    field = next(name for name in bench.sandbox.sample_values(0) if name != bench.sandbox.key_field)
    changes = []
    for n in range(FEW):
        everything = {**bench.sandbox.sample_values(n), field: "Renamed"}
        known = outcomes[n].external_id
        changes.append(Change(n, Op.UPDATE, {field: "Renamed"}, external_id=known, all_values=everything))
    updated, _pulled, _raised = bench.write(changes)
    assert [updated[n].external_id for n in range(FEW)] == [outcomes[n].external_id for n in range(FEW)]
    assert {p.get(field) for p in bench.sandbox.people()} == {"Renamed"}
    assert bench.stored_keys() == bench.expected_keys(FEW)


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize("times", [1, 20])
@pytest.mark.parametrize("skip", [0, 2])
@pytest.mark.parametrize("kind", ["drop", "half", "html", "refuse", "status"])
def test_whatever_happens_to_answers_nobody_is_lost_or_doubled(
    bench: Bench, kind: str, skip: int, times: int, count: int
) -> None:
    bench.sandbox.faults.append(Fault(kind, status=503, skip=skip, times=times))
    outcomes, _pulled, _raised = bench.write(bench.changes(count))
    bench.sandbox.faults.clear()
    stored = set(bench.stored_keys())
    for ref, outcome in outcomes.items():
        if outcome.ok:
            assert str(bench.sandbox.sample_values(ref)[bench.sandbox.key_field]).lower() in stored
    bench.sandbox.clock.sleep(600)
    again, _pulled, raised = bench.write(bench.again(count, outcomes))
    assert raised is None
    assert all(o.ok for o in again.values())
    assert bench.stored_keys() == bench.expected_keys(count)
    ids = {**{r: o.external_id for r, o in outcomes.items() if o.ok}, **{r: o.external_id for r, o in again.items()}}
    assert sorted(ids.values()) == sorted(str(p["id"]) for p in bench.sandbox.people())


@pytest.mark.parametrize("headers", [{"Retry-After": "3"}, {}])
def test_a_429_is_waited_out(bench: Bench, headers: dict[str, str]) -> None:
    bench.sandbox.faults.append(Fault("status", status=429, headers=headers, skip=1, times=3))
    before = bench.sandbox.clock.monotonic()
    # Enough for a second request also where a batch is large.
    outcomes, _pulled, raised = bench.write(bench.changes(max(FEW * 5, 2 * min(bench.capabilities.write_batch, 500))))
    assert raised is None
    assert all(o.ok for o in outcomes.values())
    assert bench.sandbox.clock.monotonic() - before >= (3 if headers else 0.5)


def test_a_401_in_mid_run_ends_it_after_everything_is_accounted_for(bench: Bench) -> None:
    bench.sandbox.faults.append(Fault("status", status=401, skip=3, times=10_000))
    outcomes, pulled, raised = bench.write(bench.changes(50 * MANY))
    assert raised is not None
    assert raised.kind is ErrorKind.AUTH
    assert len(pulled) < 50 * MANY
    assert {o.error.kind for o in outcomes.values() if o.error} == {ErrorKind.AUTH}
    bench.sandbox.clock.sleep(600)  # for jobs that were under way
    stored = set(bench.stored_keys())
    assert {bench.expected_keys(ref + 1)[-1] for ref, o in outcomes.items() if o.ok and ref == 0} <= stored


def test_neither_secrets_nor_people_reach_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench.sandbox.faults += [
        Fault("status", status=500),
        Fault("status", status=400, body={"message": "person1@example.com +79161234567"}, skip=1),
        Fault("html"),
    ]
    bench.write([*bench.changes(FEW), bench.change(FEW, bench.sandbox.bad_values(FEW))])
    bench.sandbox.faults.clear()  # large batches may have left some
    bench.connector.check()
    logged = caplog.text
    assert logged
    for number in range(FEW):
        for value in bench.sandbox.sample_values(number).values():
            if "@" in str(value):
                assert str(value) not in logged
    for secret in bench.connector.context.secrets.values():
        assert secret.reveal() not in logged


def test_requests_are_few(bench: Bench) -> None:
    count = max(MANY, 3 * bench.capabilities.write_batch + 1)
    before = len(bench.sandbox.seen)
    outcomes, _pulled, _raised = bench.write(bench.changes(count))
    assert all(o.ok for o in outcomes.values())
    batches = math.ceil(count / bench.capabilities.write_batch)
    assert len(bench.sandbox.seen) - before <= batches + REQUESTS_BESIDES


@pytest.mark.parametrize("count", [FEW * 3, 20 * MANY])
def test_documented_limits_are_kept_and_used(bench: Bench, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.start(enforce_limits=True)
    # One request at a time: threads that sleep at once would each move the manual clock on.
    one = replace(bench.capabilities, max_in_flight=1)
    monkeypatch.setattr(bench.connector, "capabilities", lambda entity=CONTACTS: one)
    bench.prepare()
    outcomes, _pulled, raised = bench.write(bench.changes(count))
    assert raised is None
    assert all(o.ok for o in outcomes.values())
    assert not [seen for seen in bench.sandbox.seen if seen.status == 429]


def test_changes_are_pulled_only_as_they_are_needed(bench: Bench) -> None:
    pulled = settled = ahead = 0

    def endless() -> Iterator[Change]:
        nonlocal pulled, ahead
        for change in bench.changes(1_000_000):
            pulled += 1
            ahead = max(ahead, pulled - settled)
            yield change

    outcomes = bench.connector.write(CONTACTS, endless())
    for _ in range(3 * bench.sandbox.most_held(bench.capabilities)):
        next(outcomes)
        settled += 1
    outcomes.close()  # type: ignore[attr-defined]
    assert ahead <= bench.sandbox.most_held(bench.capabilities)
