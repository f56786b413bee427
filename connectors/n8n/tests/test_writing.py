"""What becomes of contacts on their way to a workflow: sizes, repeats, failures, halving."""

from __future__ import annotations

import gzip
from datetime import date, datetime, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest

from connectors.core.errors import ErrorKind
from connectors.core.sandbox import Fault, SandboxRequest
from connectors.core.types import Change, MatchKey, MultiValue, Op, Outcome, Result
from connectors.n8n.connector import N8n
from connectors.n8n.packing import LARGEST_INTEGER, pack
from connectors.n8n.refusals import TOO_LARGE
from connectors.n8n.sandbox import PATH, N8nSandbox
from connectors.n8n.tests.conftest import Connect

WEBHOOK = f"/webhook/{PATH}"


def upsert(ref: int, **values: Any) -> Change:
    everything = {"email": f"p{ref}@example.com", "firstName": f"N{ref}", **values}
    key = MatchKey("id", f"c-{ref}")
    return Change(ref, Op.UPSERT, everything, key=key, idempotency_key=str(ref), all_values=everything)


def update(ref: int, version: str, **values: Any) -> Change:
    return Change(ref, Op.UPDATE, values, external_id=f"c-{ref}", version=version, all_values=values)


def written(n8n: N8n, *changes: Change) -> dict[int, Outcome]:
    outcomes = list(n8n.write("contacts", iter(changes)))
    assert len(outcomes) == len({o.ref for o in outcomes}) == len(changes)
    return {o.ref: o for o in outcomes}


def told(change: Change) -> dict[str, Any]:
    return orjson.loads(pack(change).body)


def asked(sandbox: N8nSandbox) -> list[SandboxRequest]:
    """Every request from now on, as it arrives."""
    requests: list[SandboxRequest] = []
    handle = sandbox.handle
    sandbox.handle = lambda request: (requests.append(request), handle(request))[1]  # type: ignore[method-assign]
    return requests


def test_a_contact_as_a_workflow_sees_it() -> None:
    change = upsert(
        1,
        phone=None,
        birthDate=date(1990, 5, 1),
        emails=(MultiValue("a@example.com", "work", primary=True),),
        city="Bonn",
        page=2**60,
        seen=datetime(2024, 5, 1, 10, tzinfo=timezone.utc),  # noqa: UP017 - as drivers give it
    )
    contact = told(change)
    assert contact.pop("hash").startswith("sha256:")
    assert UUID(contact.pop("delivery_id"))
    assert contact == {
        "crmsync_id": "c-1",
        "event": "upsert",
        "email": "p1@example.com",
        "firstName": "N1",
        "phone": None,
        "birthDate": "1990-05-01",
        "emails": [{"value": "a@example.com", "label": "work", "primary": True}],
        "fields": {"city": "Bonn", "page": str(2**60), "seen": "2024-05-01T10:00:00Z"},
    }
    assert told(upsert(1, page=LARGEST_INTEGER))["fields"]["page"] == LARGEST_INTEGER


def test_what_json_does_not_have_costs_only_its_contact(n8n: N8n) -> None:
    outcomes = written(n8n, upsert(1, strange=object()), upsert(2))
    assert outcomes[1].error is not None
    assert outcomes[1].error.kind is ErrorKind.DATA
    assert outcomes[2].ok


def test_the_whole_contact_goes_out_with_null_for_what_was_cleared() -> None:
    everything = {"email": "a@example.com", "company": "Acorn"}
    contact = told(Change(1, Op.UPDATE, {"phone": None}, external_id="c-1", all_values=everything))
    assert (contact["email"], contact["company"], contact["phone"]) == ("a@example.com", "Acorn", None)


def test_one_state_is_one_delivery_and_an_earlier_state_is_a_new_one(n8n: N8n, sandbox: N8nSandbox) -> None:
    first = written(n8n, upsert(1, firstName="A"))[1]
    again = written(n8n, upsert(1, firstName="A"))[1]
    assert first.version == again.version
    assert (sandbox.repeats, len(sandbox.worked)) == (1, 1)
    second = written(n8n, update(1, first.version, firstName="B"))[1]
    third = written(n8n, update(1, second.version, firstName="A"))[1]
    assert len({first.version, second.version, third.version}) == 3
    assert sandbox.people()[0]["firstName"] == "A"
    assert (first.result, third.result, third.external_id) == (Result.CREATED, Result.UPDATED, "c-1")


@pytest.mark.parametrize("kind", ["drop", "half"])
def test_a_lost_answer_brings_the_same_request_again(n8n: N8n, sandbox: N8nSandbox, kind: str) -> None:
    requests = asked(sandbox)
    sandbox.faults.append(Fault(kind, path=WEBHOOK))
    outcomes = written(n8n, *(upsert(n) for n in range(20)))
    assert all(o.ok for o in outcomes.values())
    assert len({(r.body, r.headers["x-crmsync-delivery"]) for r in requests}) == 1
    assert set(sandbox.worked.values()) == {1}
    assert sandbox.repeats == (20 if kind == "drop" else 0)


def test_what_may_have_arrived_is_unknown_and_what_cannot_have_is_not(n8n: N8n, sandbox: N8nSandbox) -> None:
    sandbox.faults.append(Fault("status", status=504, times=9))
    assert written(n8n, upsert(1))[1].result is Result.UNKNOWN
    sandbox.faults.clear()
    sandbox.starting = True
    outcome = written(n8n, upsert(1))[1]
    assert outcome.error is not None
    assert (outcome.result, outcome.error.kind) == (Result.FAILED, ErrorKind.TRANSIENT)
    assert "starting" in outcome.error.message


def test_a_start_is_waited_for(n8n: N8n, sandbox: N8nSandbox) -> None:
    sandbox.faults.append(Fault("status", status=404, body=b"<!DOCTYPE html>Cannot POST", times=2))
    assert written(n8n, upsert(1))[1].ok


def test_batches_are_limited_in_contacts_and_in_bytes(sandbox: N8nSandbox, connect: Connect) -> None:
    requests = asked(sandbox)
    outcomes = written(connect(sandbox, batch_size=50, batch_bytes=5000, gzip=False), *(upsert(n) for n in range(120)))
    assert all(o.ok for o in outcomes.values())
    assert all(len(r.body) <= 5000 for r in requests)
    assert max(len(orjson.loads(r.body)) for r in requests) > 10
    few = asked(sandbox)
    written(connect(sandbox, batch_size=50), *(upsert(n, city="x") for n in range(120)))
    assert sorted(len(orjson.loads(gzip.decompress(r.body))) for r in few) == [20, 50, 50]


def test_a_contact_over_the_size_of_a_batch_goes_alone(sandbox: N8nSandbox, connect: Connect) -> None:
    outcomes = written(connect(sandbox, batch_bytes=1000), upsert(1), upsert(2, about="x" * 2000), upsert(3))
    assert all(o.ok for o in outcomes.values())
    assert sandbox.executions == 3


def test_where_packed_bodies_are_not_understood_plain_ones_are_sent(sandbox: N8nSandbox, connect: Connect) -> None:
    sandbox = N8nSandbox(sandbox.clock, unpacks=False)
    requests = asked(sandbox)
    outcomes = written(connect(sandbox, batch_size=30), *(upsert(n) for n in range(300)))
    assert all(o.ok for o in outcomes.values())
    assert sum("content-encoding" in r.headers for r in requests) <= 4


@pytest.mark.parametrize("limit", [{"payload_max": 4000}, {"proxy_max": 4000}])
def test_too_large_a_batch_is_halved_and_later_ones_are_smaller(connect: Connect, limit: dict[str, int]) -> None:
    sandbox = N8nSandbox(**limit)  # type: ignore[arg-type]
    huge = {"about": "y" * 5000}
    changes = [upsert(n, **(huge if n == 70 else {})) for n in range(200)]
    outcomes = written(connect(sandbox, gzip=False), *changes)
    assert {ref for ref, o in outcomes.items() if not o.ok} == {70}
    error = outcomes[70].error
    assert error is not None
    assert (error.kind, error.message) == (ErrorKind.DATA, TOO_LARGE)
    assert len(sandbox.people()) == 199
    assert len(sandbox.seen) < 40


def test_a_limit_that_was_met_is_kept_by_later_batches(connect: Connect) -> None:
    sandbox = N8nSandbox(payload_max=20_000)
    outcomes = written(connect(sandbox, batch_size=100, batch_bytes=40_000), *(upsert(n) for n in range(2000)))
    assert all(o.ok for o in outcomes.values())
    refused = sum(seen.status == 500 for seen in sandbox.seen)
    # Those that were on their way when the first one came back.
    assert 1 <= refused <= 6


@pytest.mark.parametrize("responds", ["responseNode", "lastNode"])
@pytest.mark.parametrize("bad", [{0}, {9}, {3, 4}, set(range(0, 40, 4))])
def test_contacts_over_which_the_workflow_stumbles_cost_only_themselves(
    n8n: N8n, sandbox: N8nSandbox, bad: set[int], responds: str
) -> None:
    sandbox.responds = responds
    outcomes = written(n8n, *(upsert(n, **({"email": f"nobody{n}"} if n in bad else {})) for n in range(40)))
    assert {ref for ref, o in outcomes.items() if not o.ok} == bad
    assert {o.error.kind for o in outcomes.values() if o.error} == {ErrorKind.DATA}
    assert set(sandbox.worked.values()) == {1}


def test_a_workflow_that_fails_with_everybody_is_no_contacts_fault(n8n: N8n, sandbox: N8nSandbox) -> None:
    outcomes = written(n8n, *(upsert(n, email=f"nobody{n}") for n in range(300)))
    assert {o.result for o in outcomes.values()} == {Result.UNKNOWN}
    assert all("executions" in o.error.message for o in outcomes.values() if o.error)
    assert len(sandbox.seen) < 60


def test_one_that_fails_alone_where_nothing_else_was_sent_is_tried_again_later(n8n: N8n) -> None:
    assert written(n8n, upsert(1, email="nobody"))[1].result is Result.UNKNOWN


def test_without_its_response_node_the_workflow_says_so(n8n: N8n, sandbox: N8nSandbox) -> None:
    body = {"code": 0, "message": "No Respond to Webhook node found in the workflow"}
    sandbox.faults.append(Fault("status", status=500, body=body, times=2))
    (outcome,) = written(n8n, upsert(1)).values()
    assert outcome.error is not None
    assert "Respond to Webhook" in outcome.error.message


def test_a_login_page_is_no_answer_and_an_odd_answer_is_one(n8n: N8n, sandbox: N8nSandbox) -> None:
    sandbox.faults.append(Fault("html", times=4))
    outcome = written(n8n, upsert(1))[1]
    assert outcome.result is Result.UNKNOWN
    assert sandbox.people() == []
    for body in (b"thank you", b"[1,", {"results": "none"}, b"<p>done</p>"):
        sandbox.faults.append(Fault("status", status=201, body=body))
        assert written(n8n, upsert(1))[1].ok


def test_an_empty_answer_is_a_failure_of_a_workflow_that_otherwise_answers(
    sandbox: N8nSandbox, connect: Connect
) -> None:
    for status, setting, good in ((200, None, False), (200, True, True), (204, None, True), (202, None, True)):
        sandbox.faults = [Fault("status", status=status, body=None), Fault("status", skip=1, status=status, body=None)]
        outcome = written(connect(sandbox, empty_is_good=setting), upsert(1))[1]
        assert outcome.ok is good
        assert good or (outcome.result is Result.UNKNOWN)


def test_a_workflow_that_answers_nothing_at_all_is_judged_by_the_status_alone(
    sandbox: N8nSandbox, connect: Connect
) -> None:
    sandbox.responds = "nothing"
    n8n = connect(sandbox)
    for start in (0, 20):
        assert all(outcome.ok for outcome in written(n8n, *map(upsert, range(start, start + 20))).values())
    assert len(sandbox.people()) == 40
    assert sandbox.repeats == 0
    # Once in the life of the client it is asked with no contacts.
    assert [seen.status for seen in sandbox.seen] == [200] * 3


@pytest.mark.parametrize("status", [400, 500])
def test_a_workflow_that_cannot_do_with_no_contacts_is_judged_by_the_status_too(
    sandbox: N8nSandbox, connect: Connect, status: int
) -> None:
    sandbox.responds = "nothing"
    sandbox.faults = [Fault("status", skip=1, times=9, status=status, body={"message": "Nothing to do"})]
    assert written(connect(sandbox), upsert(1))[1].ok


def test_ids_that_a_workflow_tells_are_shown(n8n: N8n, sandbox: N8nSandbox) -> None:
    results = [{"crmsync_id": "c-1", "id": 77, "status": "ok"}, {"crmsync_id": "c-2"}, "strange", {"id": True}]
    sandbox.faults.append(Fault("status", status=200, body={"ok": True, "results": results}))
    outcomes = written(n8n, upsert(1), upsert(2))
    assert [(o.external_id, o.external_ref) for o in outcomes.values()] == [("c-1", "77"), ("c-2", "c-2")]


def test_the_same_contact_is_not_twice_on_its_way(n8n: N8n) -> None:
    one, other = upsert(1), Change(2, Op.UPDATE, {"email": "a@example.com"}, external_id="c-1")
    outcomes = written(n8n, one, other)
    assert outcomes[1].ok
    assert outcomes[2].error is not None
