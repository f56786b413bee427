"""What becomes of each row of a batch: good, bad, double, stale, somebody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.sandbox import Fault
from connectors.core.testing import sandbox_context
from connectors.core.types import Change, MatchKey, Op, Outcome, Result
from connectors.hubspot.connector import HubSpot
from connectors.hubspot.sandbox import HubSpotSandbox

BATCH_UPSERT = "/batch/upsert"


def upsert(ref: int, email: str, **values: Any) -> Change:
    everything = {"email": email, "firstname": f"N{ref}", **values}
    return Change(ref, Op.UPSERT, everything, key=MatchKey("email", email), all_values=everything)


def update(ref: int, number: str, email: str = "", **values: Any) -> Change:
    everything = {"email": email, **values} if email else values
    return Change(ref, Op.UPDATE, values, external_id=number, all_values=everything)


def written(hubspot: HubSpot, *changes: Change) -> dict[int, Outcome]:
    outcomes = list(hubspot.write("contacts", iter(changes)))
    assert len(outcomes) == len({o.ref for o in outcomes}) == len(changes)
    return {o.ref: o for o in outcomes}


def requests(sandbox: HubSpotSandbox, path: str) -> int:
    return sum(1 for seen in sandbox.seen if seen.path.endswith(path))


def test_new_and_known_contacts_are_told_apart(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    number = sandbox.add(email="old@example.com", firstname="Old")
    outcomes = written(hubspot, upsert(1, "Old@Example.com"), upsert(2, " new@example.com "))
    assert outcomes[1].result is Result.UPDATED
    assert outcomes[1].external_id == outcomes[1].external_ref == number
    assert outcomes[2].result is Result.CREATED
    assert sorted(p["email"] for p in sandbox.people()) == ["new@example.com", "old@example.com"]


def test_one_bad_row_of_a_hundred_costs_only_itself(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    changes = [upsert(i, f"p{i}@example.com") for i in range(99)]
    outcomes = written(hubspot, *changes, upsert(99, "nonsense"))
    assert outcomes[99].error is not None
    assert outcomes[99].error.kind is ErrorKind.DATA
    assert "e-mail" in outcomes[99].error.message
    assert sum(o.ok for o in outcomes.values()) == 99
    assert requests(sandbox, BATCH_UPSERT) == 1


def test_without_trace_ids_a_refused_batch_is_halved_down_to_the_culprit() -> None:
    sandbox = HubSpotSandbox(ManualClock(), traces=False, enforce_limits=False)
    hubspot = HubSpot(sandbox_context(HubSpot, sandbox))
    changes = [upsert(i, "nonsense" if i == 37 else f"p{i}@example.com") for i in range(100)]
    outcomes = written(hubspot, *changes)
    assert [ref for ref, o in outcomes.items() if not o.ok] == [37]
    assert len(sandbox.people()) == 99
    assert requests(sandbox, BATCH_UPSERT) <= 15


def test_two_contacts_with_one_address_never_share_a_batch(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    outcomes = written(hubspot, upsert(1, "ann@example.com"), upsert(2, "ANN@example.com"), upsert(3, "b@example.com"))
    assert outcomes[1].ok
    assert outcomes[3].ok
    assert outcomes[2].error is not None
    assert "merge" in outcomes[2].error.message
    assert "ann" not in outcomes[2].error.message.lower().replace("another", "")
    assert len(sandbox.people()) == 2


def test_a_contact_without_an_address_is_refused_unsent(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    outcomes = written(hubspot, Change(1, Op.UPSERT, {"firstname": "Ann"}))
    assert outcomes[1].error is not None
    assert outcomes[1].error.kind is ErrorKind.DATA
    assert not sandbox.seen


def test_a_stale_id_falls_back_to_the_address(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    number = sandbox.add(email="ann@example.com")
    outcomes = written(hubspot, update(1, "999", "ann@example.com", firstname="Ann"), update(2, number, firstname="X"))
    assert outcomes[1].external_id == number
    assert outcomes[1].result is Result.UPDATED
    outcomes = written(hubspot, update(1, "999", firstname="Ann"))
    assert outcomes[1].error is not None
    assert outcomes[1].error.kind is ErrorKind.GONE


def test_ids_missing_from_an_answer_without_errors_count_as_stale(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    empty = {"status": "COMPLETE", "results": []}
    sandbox.faults.append(Fault("status", path="/batch/update", status=200, body=empty))
    outcomes = written(hubspot, update(1, "999", "ann@example.com", firstname="Ann"))
    assert outcomes[1].result is Result.CREATED


def test_somebodys_additional_address_updates_that_record(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    number = sandbox.add(email="main@example.com")
    refusal = {"status": "error", "category": "CONFLICT", "message": f"Contact already exists. Existing ID: {number}"}
    sandbox.faults.append(Fault("status", path=BATCH_UPSERT, status=409, body=refusal))
    outcomes = written(hubspot, upsert(1, "second@example.com"))
    assert outcomes[1].external_id == number
    assert outcomes[1].warning
    assert sandbox.people() == [{"id": number, "email": "main@example.com", "firstname": "N1"}]


def test_a_changed_address_that_belongs_to_another_is_a_conflict(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    mine, theirs = sandbox.add(email="a@example.com"), sandbox.add(email="b@example.com")
    change = Change(1, Op.UPDATE, {"email": "b@example.com"}, external_id=mine)
    error = written(hubspot, change)[1].error
    assert error is not None
    assert (error.kind, error.existing_id) == (ErrorKind.CONFLICT, theirs)


def test_a_property_missing_in_the_account_stops_the_run_at_once(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    changes = [upsert(i, f"p{i}@example.com", nope="x") for i in range(250)]
    outcomes = []
    sandbox.traces = False
    with pytest.raises(ApiError, match="no property nope") as raised:
        outcomes.extend(hubspot.write("contacts", changes))
    assert raised.value.kind is ErrorKind.CONFIG
    assert requests(sandbox, BATCH_UPSERT) <= 3


def test_the_days_limit_ends_the_run_and_accounts_for_what_was_pulled() -> None:
    sandbox = HubSpotSandbox(ManualClock(), per_day=2)
    hubspot = HubSpot(sandbox_context(HubSpot, sandbox))
    pulled: list[int] = []
    outcomes: list[Outcome] = []

    def changes() -> Any:
        for i in range(5000):
            pulled.append(i)
            yield upsert(i, f"p{i}@example.com")

    with pytest.raises(ApiError) as raised:
        outcomes.extend(hubspot.write("contacts", changes()))
    assert raised.value.kind is ErrorKind.RATE_LIMITED
    assert raised.value.retry_after == 3600
    assert sorted(o.ref for o in outcomes) == pulled
    assert sum(o.ok for o in outcomes) == 200
    assert len(pulled) < 5000


def test_an_empty_value_clears_only_when_asked(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    sandbox.add(email="ann@example.com", phone="123", company="Acme")
    everything = {"email": "ann@example.com", "phone": None, "company": None}
    change = Change(1, Op.UPSERT, {"company": None}, key=MatchKey("email", "ann@example.com"), all_values=everything)
    written(hubspot, change)
    person = sandbox.people()[0]
    assert (person["phone"], person["company"]) == ("123", "")


def test_a_locked_record_is_waited_for(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    sandbox.faults.append(Fault("status", path=BATCH_UPSERT, status=423))
    before = sandbox.clock.monotonic()
    assert written(hubspot, upsert(1, "ann@example.com"))[1].ok
    assert sandbox.clock.monotonic() - before >= 2


def test_the_plans_limit_is_learned_from_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = HubSpotSandbox(ManualClock(), requests=190)
    hubspot = HubSpot(sandbox_context(HubSpot, sandbox))
    # Threads that sleep at once would each move the manual clock on.
    one = replace(hubspot.capabilities(), max_in_flight=1)
    monkeypatch.setattr(hubspot, "capabilities", lambda entity: one)
    list(hubspot.write("contacts", (upsert(i, f"p{i}@example.com") for i in range(20_000))))
    assert hubspot.client.limit().requests == 190  # type: ignore[union-attr]
    assert sandbox.clock.monotonic() <= 1.05 * 200 / 19
    assert not [seen for seen in sandbox.seen if seen.status == 429]


def test_deleting_twice_is_done_once(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    number = sandbox.add(email="ann@example.com")
    for _ in range(2):
        assert written(hubspot, Change(1, Op.DELETE, {}, external_id=number))[1].result is Result.DELETED
    assert sandbox.people() == []
