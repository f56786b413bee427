"""Many contacts: import jobs, what they leave out, and the ids they do not give."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from connectors.brevo.connector import Brevo
from connectors.brevo.results import reported_rows
from connectors.brevo.rows import Row
from connectors.brevo.sandbox import BrevoSandbox
from connectors.brevo.sandbox_records import ENGLISH
from connectors.brevo.tests.changes import person, requests, upsert, written
from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.sandbox import Fault, SandboxRequest
from connectors.core.testing import SandboxServer, sandbox_context
from connectors.core.types import Change, MatchKey, Op, Result

Connect = Callable[..., Brevo]
IMPORT = "/contacts/import"


def test_many_new_contacts_go_by_import_and_come_back_with_ids(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    known = sandbox.add("p7@example.com", FIRSTNAME="Old")
    sandbox.clock.sleep(60)
    outcomes = written(brevo, (upsert(i) for i in range(1200)))
    ids = {p["email"]: str(p["id"]) for p in sandbox.people()}
    assert {o.external_ref: o.external_id for o in outcomes.values()} == ids
    assert (outcomes[7].result, outcomes[7].external_id) == (Result.UPDATED, known)
    assert sum(o.result is Result.CREATED for o in outcomes.values()) == 1199
    assert requests(sandbox, "POST", IMPORT) == 1
    assert requests(sandbox, "POST", "/contacts") == 0


def test_the_threshold_decides(connect: Connect, sandbox: BrevoSandbox) -> None:
    written(connect(sandbox, import_threshold=30), (upsert(i) for i in range(29)))
    assert (requests(sandbox, "POST", IMPORT), requests(sandbox, "POST", "/contacts")) == (0, 29)
    written(connect(sandbox, import_threshold=30), (upsert(i) for i in range(100, 130)))
    assert (requests(sandbox, "POST", IMPORT), requests(sandbox, "POST", "/contacts")) == (1, 29)


def test_bodies_stay_below_the_limit_in_encoded_bytes(connect: Connect, sandbox: BrevoSandbox) -> None:
    sizes: list[int] = []
    handle = sandbox.handle

    def measured(request: SandboxRequest):  # type: ignore[no-untyped-def]
        if request.path.endswith("/import"):
            sizes.append(len(request.body))
        return handle(request)

    sandbox.handle = measured  # type: ignore[method-assign]
    brevo = connect(sandbox, import_bytes=40_000, import_threshold=10)
    outcomes = written(brevo, (upsert(i, LASTNAME="Ж" * 60) for i in range(1000)))
    assert all(o.ok for o in outcomes.values())
    assert len(sizes) > 4
    assert max(sizes) <= 40_000
    assert min(sizes[:-1]) > 35_000


def test_two_bad_rows_fail_and_the_rest_arrives(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    bad = {3: "bad@", 400: "worse"}
    outcomes = written(brevo, (upsert(i, bad.get(i, "")) for i in range(600)))
    assert {ref for ref, o in outcomes.items() if not o.ok} == set(bad)
    assert {o.error.kind for o in outcomes.values() if o.error} == {ErrorKind.DATA}
    assert len(sandbox.people()) == 598


def test_a_number_that_hundreds_share_costs_one_import_more(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    outcomes = written(brevo, (upsert(i, SMS="+79160000001") for i in range(700)))
    assert all(o.result is Result.CREATED for o in outcomes.values())
    assert sum("phone" in o.warning for o in outcomes.values()) == 699
    assert (requests(sandbox, "POST", IMPORT), requests(sandbox, "POST", "/contacts")) == (2, 0)


def test_shared_phones_are_sent_again_without_the_phone(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    phones = {1: "+79160000001", 2: "+79160000001", 3: "+79160000003"}
    sandbox.add("other@example.com", SMS="+79160000003")
    outcomes = written(brevo, (upsert(i, SMS=phones.get(i)) for i in range(600)))
    assert all(o.ok for o in outcomes.values())
    assert {ref for ref, o in outcomes.items() if o.warning} == {2, 3}
    assert person(sandbox, "p1@example.com")["SMS"] == "79160000001"


def test_reports_are_read_whatever_their_columns_are() -> None:
    rows = [
        Row(upsert(i), f"p{i}@example.com", b'{"email":"p","attributes":{"SMS":"+7916000000%d"}}' % i) for i in range(4)
    ]

    def found(text: str) -> set[int]:
        return {row.change.ref for row in reported_rows(text, rows)}

    assert found("id,contact e-mail,why\n1,P2@Example.com ,x\n") == {2}
    assert found("\ufeffphone;reason\n0079160000003;taken\n") == {3}
    assert found('a\tb\n"p1@example.com"\tx\np0@example.com\ty\n') == {0, 1}
    assert found("") == set()


def test_a_report_that_cannot_be_fetched_does_not_lose_anybody(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    sandbox.faults.append(Fault("status", path="^/files/", status=403, times=9))
    outcomes = written(brevo, (upsert(i, "bad@" if i == 3 else "") for i in range(600)))
    assert {ref for ref, o in outcomes.items() if not o.ok} == {3}


def test_the_key_is_not_sent_to_the_host_of_a_report(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    asked: list[SandboxRequest] = []
    handle = sandbox.handle

    def noted(request: SandboxRequest):  # type: ignore[no-untyped-def]
        asked.append(request)
        return handle(request)

    sandbox.handle = noted  # type: ignore[method-assign]
    sandbox.base_url = "https://elsewhere.invalid"
    written(brevo, (upsert(i, "bad@" if i == 3 else "") for i in range(600)))
    reports = [request for request in asked if request.path.startswith("/files/")]
    assert reports
    assert not any("api-key" in request.headers for request in reports)


def test_clearing_is_asked_for_only_where_something_is_cleared(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    sandbox.add("p1@example.com", LASTNAME="Old")
    sandbox.add("p2@example.com", LASTNAME="Kept")
    written(brevo, (upsert(i) for i in range(600)))
    assert person(sandbox, "p1@example.com")["LASTNAME"] == "Old"
    cleared = {"EMAIL": "p1@example.com", "LASTNAME": None}
    change = Change(1, Op.UPSERT, cleared, key=MatchKey("email", "p1@example.com"))
    written(brevo, [change, *(upsert(i) for i in range(2, 600))])
    assert "LASTNAME" not in person(sandbox, "p1@example.com")
    assert person(sandbox, "p2@example.com")["LASTNAME"] == "Kept"


@pytest.mark.parametrize("drops", [True, False])
def test_booleans_that_imports_drop_are_set_afterwards(connect: Connect, drops: bool) -> None:
    sandbox = BrevoSandbox(
        ManualClock(), enforce_limits=False, attributes={**ENGLISH, "VIP": "boolean"}, drops_booleans=drops
    )
    written(connect(sandbox), (upsert(i, VIP=i % 2 == 0) for i in range(600)))
    assert {p["email"]: p["VIP"] for p in sandbox.people()} == {f"p{i}@example.com": i % 2 == 0 for i in range(600)}
    assert requests(sandbox, "POST", "/contacts/batch") == (6 if drops else 0)


def test_imports_run_one_at_a_time_and_look_rarely(connect: Connect) -> None:
    sandbox = BrevoSandbox(ManualClock(), import_seconds=200)
    outcomes = written(connect(sandbox, import_rows=500), (upsert(i) for i in range(2000)))
    assert all(o.ok for o in outcomes.values())
    looks = sum(seen.path.startswith("/v3/processes/") for seen in sandbox.seen)
    assert requests(sandbox, "POST", IMPORT) == 4
    assert looks <= 4 * 11
    assert not [seen for seen in sandbox.seen if seen.status in (400, 429)]


def test_a_busy_account_is_waited_for(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    body = {"code": "account_in_process", "message": "busy"}
    sandbox.faults.append(Fault("status", path=IMPORT, status=400, body=body, times=2))
    assert all(o.ok for o in written(brevo, (upsert(i) for i in range(600))).values())


def test_a_failed_import_fails_its_contacts_for_a_later_run(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    sandbox.faults.append(Fault("status", path="/processes/", status=200, body={"id": 78, "status": "failed"}))
    outcomes = written(brevo, (upsert(i) for i in range(600)))
    assert {o.error.kind for o in outcomes.values() if o.error} == {ErrorKind.TRANSIENT}


def test_an_import_refused_for_one_row_is_halved(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    body = {"code": "invalid_parameter", "message": "Invalid body"}
    sandbox.faults.append(Fault("status", path=IMPORT, status=400, body=body, times=3))
    assert all(o.ok for o in written(brevo, (upsert(i) for i in range(600))).values())


def test_a_list_that_is_gone_stops_the_run(connect: Connect, sandbox: BrevoSandbox) -> None:
    outcomes = []
    with pytest.raises(ApiError, match="list") as raised:
        outcomes.extend(connect(sandbox, list_id=999).write("contacts", (upsert(i) for i in range(600))))
    assert raised.value.kind is ErrorKind.CONFIG
    assert len(outcomes) == 600


def test_our_list_is_made_once_and_found_again(connect: Connect, sandbox: BrevoSandbox) -> None:
    for start in (0, 1000):
        written(connect(sandbox), (upsert(i) for i in range(start, start + 500)))
    assert list(sandbox.account.lists.values()) == ["crmsync"]


def test_contacts_are_pulled_no_further_ahead_than_two_imports(connect: Connect, sandbox: BrevoSandbox) -> None:
    pulled = settled = ahead = 0

    def changes() -> Iterator[Change]:
        nonlocal pulled, ahead
        for i in range(3000):
            pulled += 1
            ahead = max(ahead, pulled - settled)
            yield upsert(i)

    for _outcome in connect(sandbox, import_rows=500).write("contacts", changes()):
        settled += 1
    assert settled == 3000
    assert ahead <= 3 * 500 + 1


def test_reports_are_fetched_over_real_sockets_too() -> None:
    sandbox = BrevoSandbox(enforce_limits=False, import_seconds=0)
    with SandboxServer(sandbox) as server:
        brevo = Brevo(sandbox_context(Brevo, sandbox, server.url, config={"rps": 0}))
        outcomes = written(brevo, (upsert(i, "bad@" if i == 3 else "") for i in range(600)))
        brevo.close()
    assert {ref for ref, o in outcomes.items() if not o.ok} == {3}
    assert outcomes[3].error is not None
    assert "e-mail" in outcomes[3].error.message
    assert any(seen.path.startswith("/files/") and seen.status == 200 for seen in sandbox.seen)
