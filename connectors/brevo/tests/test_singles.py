"""Few contacts: one request each, the ids of known ones in one read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.brevo.client import with_version
from connectors.brevo.connector import Brevo
from connectors.brevo.sandbox import BrevoSandbox
from connectors.brevo.sandbox_records import FRENCH
from connectors.brevo.tests.changes import person, requests, update, upsert, written
from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.sandbox import Fault
from connectors.core.types import Change, MatchKey, Op, ReadQuery, Result

Connect = Callable[..., Brevo]


def test_new_and_known_contacts_are_told_apart_and_both_give_ids(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    number = sandbox.add("old@example.com")
    outcomes = written(brevo, [upsert(1, "Old@Example.com"), upsert(2, "new@example.com")])
    assert (outcomes[1].result, outcomes[1].external_id) == (Result.UPDATED, number)
    assert outcomes[2].result is Result.CREATED
    assert outcomes[2].external_ref == "new@example.com"
    assert person(sandbox, "old@example.com")["FIRSTNAME"] == "N1"


def test_ids_of_many_known_contacts_come_by_one_read(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    ids = {sandbox.add(f"p{i}@example.com") for i in range(25)}
    outcomes = written(brevo, (upsert(i) for i in range(25)))
    assert {o.external_id for o in outcomes.values()} == ids
    assert requests(sandbox, "GET", "/contacts") <= 2


def test_a_phone_of_somebody_else_is_left_out_with_a_warning(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    sandbox.add("mother@example.com", SMS="+79161234567")
    outcomes = written(brevo, [upsert(1, "son@example.com", SMS="+79161234567")])
    assert outcomes[1].result is Result.CREATED
    assert "phone" in outcomes[1].warning
    assert "SMS" not in person(sandbox, "son@example.com")


@pytest.mark.parametrize("code", ["duplicate_parameter", "invalid_parameter"])
def test_an_address_of_somebody_else_is_told_by_its_metadata(brevo: Brevo, sandbox: BrevoSandbox, code: str) -> None:
    body = {"code": code, "message": "x y@z.com", "metadata": {"duplicate_identifiers": ["email"]}}
    sandbox.faults.append(Fault("status", path="/contacts$", method="POST", status=400, body=body))
    error = written(brevo, [upsert(1)])[1].error
    assert error is not None
    assert error.kind is ErrorKind.CONFLICT
    assert "y@z.com" not in error.message


def test_a_bad_address_costs_only_itself_and_is_not_quoted(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    outcomes = written(brevo, [upsert(1, "some body@nowhere.example"), upsert(2)])
    assert outcomes[2].ok
    error = outcomes[1].error
    assert error is not None
    assert error.kind is ErrorKind.DATA
    assert "nowhere" not in error.message + error.detail


def test_a_blank_clears_only_when_asked(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    sandbox.add("ann@example.com", FIRSTNAME="Ann", LASTNAME="Bell")
    everything = {"EMAIL": "ann@example.com", "FIRSTNAME": None, "LASTNAME": None}
    change = Change(1, Op.UPSERT, {"LASTNAME": None}, key=MatchKey("email", "ann@example.com"), all_values=everything)
    written(brevo, [change])
    found = person(sandbox, "ann@example.com")
    assert found["FIRSTNAME"] == "Ann"
    assert "LASTNAME" not in found


def test_known_ids_go_by_hundreds(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    ids = [sandbox.add(f"p{i}@example.com") for i in range(250)]
    outcomes = written(brevo, (update(i, number, FIRSTNAME="Bob") for i, number in enumerate(ids)))
    assert {o.result for o in outcomes.values()} == {Result.UPDATED}
    assert requests(sandbox, "POST", "/contacts/batch") == 3
    assert {p["FIRSTNAME"] for p in sandbox.people()} == {"Bob"}


@pytest.mark.parametrize("first_index", [0, 1])
@pytest.mark.parametrize("lost", [{0}, {41}, {99}, {3, 4, 98}])
def test_unknown_ids_in_a_batch_are_found_counting_from_either(
    connect: Connect, first_index: int, lost: set[int]
) -> None:
    sandbox = BrevoSandbox(ManualClock(), enforce_limits=False, first_index=first_index)
    ids = [sandbox.add(f"p{i}@example.com") for i in range(100)]
    changes = [update(i, "9" + n if i in lost else n, f"p{i}@example.com", FIRSTNAME="Bob") for i, n in enumerate(ids)]
    outcomes = written(connect(sandbox), changes)
    assert [outcomes[i].external_id for i in range(100)] == ids
    assert {p["FIRSTNAME"] for p in sandbox.people()} == {"Bob"}
    assert requests(sandbox, "POST", "/contacts/batch") == 2


def test_one_bad_row_of_a_batch_is_halved_down_to(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    ids = [sandbox.add(f"p{i}@example.com") for i in range(100)]
    changes = [Change(i, Op.UPDATE, {"EMAIL": "bad@" if i == 66 else f"q{i}@x.org"}, n) for i, n in enumerate(ids)]
    outcomes = written(brevo, changes)
    assert [ref for ref, o in outcomes.items() if not o.ok] == [66]
    assert sum(p["email"].startswith("q") for p in sandbox.people()) == 99


@pytest.mark.parametrize("known", [True, False])
def test_a_phone_that_brevo_does_not_take_is_left_out_with_a_warning(
    brevo: Brevo, sandbox: BrevoSandbox, known: bool
) -> None:
    values = {"FIRSTNAME": "Ann", "SMS": "0612345678"}
    if known:
        change = update(1, sandbox.add("ann@example.com"), "ann@example.com", **values)
    else:
        change = upsert(1, "ann@example.com", **values)
    outcome = written(brevo, [change])[1]
    assert outcome.ok
    assert "does not accept" in outcome.warning
    assert person(sandbox, "ann@example.com")["FIRSTNAME"] == "Ann"
    assert "SMS" not in person(sandbox, "ann@example.com")


def test_a_changed_address_is_written_on_the_known_id(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    number = sandbox.add("old@example.com")
    written(brevo, [Change(1, Op.UPDATE, {"EMAIL": "new@example.com"}, external_id=number)])
    assert sandbox.people() == [{"id": int(number), "email": "new@example.com"}]


def test_a_contact_gone_without_an_address_is_reported_gone(brevo: Brevo) -> None:
    error = written(brevo, [update(1, "99999", FIRSTNAME="Bob")])[1].error
    assert error is not None
    assert error.kind is ErrorKind.GONE


def test_deleting_twice_is_done_once(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    number = sandbox.add("ann@example.com")
    for _ in range(2):
        assert written(brevo, [Change(1, Op.DELETE, {}, external_id=number)])[1].result is Result.DELETED
    assert sandbox.people() == []


def test_a_french_account_gets_its_own_names(connect: Connect) -> None:
    sandbox = BrevoSandbox(ManualClock(), enforce_limits=False, attributes=FRENCH)
    brevo = connect(sandbox)
    prepared = brevo.prepare("contacts", ["EMAIL", "FIRSTNAME", "LASTNAME", "CRMSYNC_DOMAIN_ID", "JOB"])
    assert sorted(prepared.fields) == ["CRMSYNC_DOMAIN_ID", "EMAIL", "FIRSTNAME", "LASTNAME"]
    assert len(prepared.warnings) == 1
    written(brevo, [upsert(1, "ann@example.com", LASTNAME="Bell", CRMSYNC_DOMAIN_ID="d")])
    found = person(sandbox, "ann@example.com")
    assert (found["PRENOM"], found["NOM"], found["CRMSYNC_DOMAIN_ID"]) == ("N1", "Bell", "d")
    records = [r for page in brevo.read(ReadQuery()) for r in page.records]
    assert records[0].values["FIRSTNAME"] == "N1"


def test_a_value_of_the_wrong_type_is_left_out_with_a_warning(connect: Connect) -> None:
    sandbox = BrevoSandbox(ManualClock(), enforce_limits=False, attributes={"BIRTHDAY": "date", "FIRSTNAME": "text"})
    outcomes = written(connect(sandbox), [upsert(1, BIRTHDAY="next Tuesday"), upsert(2, BIRTHDAY="1980-02-03")])
    assert "BIRTHDAY" in outcomes[1].warning
    assert not outcomes[2].warning
    assert person(sandbox, "p2@example.com")["BIRTHDAY"] == "1980-02-03"


def test_an_unknown_ip_address_is_told_from_a_wrong_key(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    body = {"message": "We have detected you are using an unrecognised IP address", "code": "unauthorized"}
    sandbox.faults.append(Fault("status", status=401, body=body))
    with pytest.raises(ApiError, match="Authorised IPs"):
        brevo.check()
    sandbox.keys.clear()
    with pytest.raises(ApiError, match="API key"):
        brevo.check()


def test_a_huge_reset_header_does_not_put_us_to_sleep(brevo: Brevo, sandbox: BrevoSandbox) -> None:
    headers = {"x-sib-ratelimit-reset": "3600000"}
    sandbox.faults.append(Fault("status", status=429, headers=headers))
    before = sandbox.clock.monotonic()
    brevo.check()
    assert sandbox.clock.monotonic() - before <= 61


@pytest.mark.parametrize("given", ["https://api.brevo.com", "https://api.brevo.com/", "https://api.brevo.com/v3/"])
def test_the_version_may_be_left_out_of_the_address(given: str) -> None:
    assert with_version(given) == "https://api.brevo.com/v3"
