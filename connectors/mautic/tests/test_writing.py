"""What becomes of each contact of a batch: blanks, zeros, choices, clashes, lost answers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.core.errors import ErrorKind
from connectors.core.sandbox import Fault, SandboxRequest
from connectors.core.types import Change, MatchKey, Op, Outcome, Result
from connectors.mautic.connector import Mautic
from connectors.mautic.marks import MARK, mark_of
from connectors.mautic.sandbox import MauticSandbox
from connectors.mautic.tests.conftest import Connect

NEW, EDIT = "/contacts/batch/new", "/contacts/batch/edit"


def upsert(ref: int, email: str, **values: Any) -> Change:
    everything = {"email": email, "firstname": f"N{ref}", **values}
    key = MatchKey("email", email)
    return Change(ref, Op.UPSERT, everything, key=key, idempotency_key=str(ref), all_values=everything)


def update(ref: int, number: str, email: str = "", **values: Any) -> Change:
    everything = {"email": email, **values} if email else values
    return Change(ref, Op.UPDATE, values, external_id=number, all_values=everything)


def written(mautic: Mautic, *changes: Change) -> dict[int, Outcome]:
    outcomes = list(mautic.write("contacts", iter(changes)))
    assert len(outcomes) == len({o.ref for o in outcomes}) == len(changes)
    return {o.ref: o for o in outcomes}


def requests(sandbox: MauticSandbox, path: str) -> int:
    return sum(seen.path.endswith(path) for seen in sandbox.seen)


def test_new_and_known_contacts_are_told_apart(mautic: Mautic, sandbox: MauticSandbox) -> None:
    number = sandbox.person_adds(email="old@example.com", firstname="Old")
    outcomes = written(mautic, upsert(1, "Old@Example.com"), upsert(2, "new@example.com"))
    assert (outcomes[1].result, outcomes[1].external_id) == (Result.UPDATED, number)
    assert outcomes[2].result is Result.CREATED
    assert len(sandbox.people()) == 2
    assert all(person[MARK] for person in sandbox.people())


@pytest.mark.parametrize("bad", [{0}, {1}, {2}, {0, 1, 2}])
def test_every_item_has_its_own_status_wherever_the_bad_ones_are(mautic: Mautic, bad: set[int]) -> None:
    changes = [upsert(n, "nonsense" if n in bad else f"p{n}@example.com") for n in range(3)]
    changes = [Change(c.ref, c.op, c.values, key=MatchKey("email", f"{c.ref}{c.values['email']}")) for c in changes]
    outcomes = written(mautic, *changes)
    assert {ref for ref, o in outcomes.items() if not o.ok} == bad
    errors = [o.error for o in outcomes.values() if o.error]
    assert {(e.kind, e.field) for e in errors} == {(ErrorKind.DATA, "email")}


def test_blanks_clear_only_what_is_asked(mautic: Mautic, sandbox: MauticSandbox) -> None:
    number = sandbox.person_adds(email="a@example.com", firstname="Ann", city="Bonn")
    written(mautic, update(1, number, firstname=None))
    (person,) = sandbox.people()
    assert (person["firstname"], person["city"]) == ("", "Bonn")
    known = {"email": "a@example.com", "city": None, "lastname": "Bell"}
    change = Change(2, Op.UPSERT, {"lastname": "Bell"}, key=MatchKey("email", "a@example.com"), all_values=known)
    written(mautic, change)
    assert sandbox.people()[0]["city"] == "Bonn"


@pytest.mark.parametrize("value", [0, 0.5, "0", "00000", False])
def test_a_zero_is_left_out_and_said(mautic: Mautic, sandbox: MauticSandbox, value: Any) -> None:
    number = sandbox.person_adds(email="a@example.com", points=7)
    (outcome,) = written(mautic, update(1, number, points=value, city="Bonn")).values()
    assert outcome.ok
    assert "points" in outcome.warning
    (person,) = sandbox.people()
    assert (person["points"], person["city"]) == (7, "Bonn")


def test_a_choice_that_mautic_does_not_have_costs_only_its_field(mautic: Mautic, sandbox: MauticSandbox) -> None:
    outcomes = written(
        mautic,
        upsert(1, "a@example.com", country="DE", state="Nowhere", city="Bonn"),
        upsert(2, "b@example.com", country="Germany"),
    )
    assert all(o.ok for o in outcomes.values())
    assert "country" in outcomes[1].warning
    assert "state" in outcomes[1].warning
    assert outcomes[2].warning == ""
    first, second = sorted(sandbox.people(), key=lambda p: str(p["email"]))
    assert (first.get("country"), first["city"], second["country"]) == (None, "Bonn", "Germany")
    assert requests(sandbox, NEW) == 2


def test_a_choice_may_be_given_by_its_label(sandbox: MauticSandbox, connect: Connect) -> None:
    options = {"list": [{"label": "Very warm", "value": "warm"}, {"label": "Cold", "value": "cold"}]}
    sandbox.site.define("heat", "select", properties=options)
    outcomes = written(connect(sandbox), upsert(1, "a@example.com", heat="very warm"))
    assert outcomes[1].warning == ""
    assert sandbox.people()[0]["heat"] == "warm"


def test_no_edit_goes_out_without_an_id(mautic: Mautic, sandbox: MauticSandbox) -> None:
    number = sandbox.person_adds(email="a@example.com", firstname="Ann")
    outcomes = written(mautic, update(1, "", firstname="Eve"), update(2, number, lastname="Bell"))
    assert outcomes[1].error is not None
    assert outcomes[1].error.kind is ErrorKind.BUG
    assert outcomes[2].ok
    assert sandbox.people()[0]["firstname"] == "Ann"


def test_a_stale_id_is_made_good_by_the_address(mautic: Mautic, sandbox: MauticSandbox) -> None:
    number = sandbox.person_adds(email="a@example.com")
    outcomes = written(
        mautic, update(1, "987654", "a@example.com", firstname="Ann"), update(2, "987655", firstname="Bob")
    )
    assert (outcomes[1].result, outcomes[1].external_id) == (Result.UPDATED, number)
    assert outcomes[2].error is not None
    assert outcomes[2].error.kind is ErrorKind.GONE


def test_an_address_of_another_contact_is_a_conflict(mautic: Mautic, sandbox: MauticSandbox) -> None:
    other = sandbox.person_adds(email="a@example.com")
    number = sandbox.person_adds(email="b@example.com")
    (outcome,) = written(mautic, Change(1, Op.UPDATE, {"email": "a@example.com"}, external_id=number)).values()
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.existing_id) == (ErrorKind.CONFLICT, other)
    assert sorted(p["email"] for p in sandbox.people()) == ["a@example.com", "b@example.com"]


def test_a_mark_of_one_contact_and_the_address_of_another(mautic: Mautic, sandbox: MauticSandbox) -> None:
    """Somebody gave our contact another address there, and made a new one with the old."""
    marked = written(mautic, upsert(1, "a@example.com"))[1].external_id
    sandbox.person_updates(marked, email="changed@example.com")
    owner = sandbox.person_adds(email="a@example.com")
    outcomes = written(mautic, upsert(1, "a@example.com", city="Bonn"))
    assert (outcomes[1].result, outcomes[1].external_id) == (Result.UPDATED, owner)
    people = {p["id"]: p for p in sandbox.people()}
    assert people[owner]["city"] == "Bonn"
    assert people[marked]["email"] == "changed@example.com"


def test_what_a_lost_answer_created_is_found_by_its_mark(mautic: Mautic, sandbox: MauticSandbox) -> None:
    sandbox.faults.append(Fault("drop", method="POST", path=NEW))
    outcomes = written(mautic, *(upsert(n, f"p{n}@example.com") for n in range(30)))
    assert {o.result for o in outcomes.values()} == {Result.CREATED}
    assert len(sandbox.people()) == 30
    # Created once; found; brought up to date by id.
    assert (requests(sandbox, NEW), requests(sandbox, EDIT)) == (1, 1)


def test_a_batch_that_the_site_may_still_work_on_is_not_sent_again_at_once(
    mautic: Mautic, sandbox: MauticSandbox
) -> None:
    sandbox.faults.append(Fault("status", method="POST", path=NEW, status=504))
    outcomes = written(mautic, *(upsert(n, f"p{n}@example.com") for n in range(30)))
    assert {o.result for o in outcomes.values()} == {Result.UNKNOWN}
    assert requests(sandbox, NEW) == 1


def test_a_site_with_a_lower_limit_is_learned(connect: Connect) -> None:
    sandbox = MauticSandbox(batch_max=20)
    mautic = connect(sandbox)
    outcomes = written(mautic, *(upsert(n, f"p{n}@example.com") for n in range(100)))
    assert all(o.ok for o in outcomes.values())
    assert len(sandbox.people()) == 100
    assert requests(sandbox, NEW) <= 20


def test_one_contact_that_breaks_the_server_costs_only_itself(mautic: Mautic, sandbox: MauticSandbox) -> None:
    handle = sandbox.handle

    def breaking(request: SandboxRequest) -> Any:
        if b"p7@" in request.body:
            sandbox.faults.append(Fault("status", method="POST", path=NEW, status=500))
        return handle(request)

    sandbox.handle = breaking  # type: ignore[method-assign]
    outcomes = written(mautic, *(upsert(n, f"p{n}@example.com") for n in range(16)))
    assert {ref for ref, o in outcomes.items() if not o.ok} == {7}


def test_batches_grow_to_two_hundred(mautic: Mautic, sandbox: MauticSandbox) -> None:
    sizes: list[int] = []
    handle = sandbox.handle

    def noting(request: SandboxRequest) -> Any:
        if request.path.endswith(NEW):
            sizes.append(len(orjson.loads(request.body)))
            assert request.headers["content-type"] == "application/json"
        return handle(request)

    sandbox.handle = noting  # type: ignore[method-assign]
    outcomes = written(mautic, *(upsert(n, f"p{n}@example.com") for n in range(4000)))
    assert all(o.ok for o in outcomes.values())
    assert max(sizes) == 200
    assert len(sizes) <= 4000 / 200 + 10


def test_deleting_says_nothing_of_those_that_are_gone_already(mautic: Mautic, sandbox: MauticSandbox) -> None:
    number = sandbox.person_adds(email="a@example.com")
    changes = [Change(n, Op.DELETE, {}, external_id=i) for n, i in enumerate((number, "987654"))]
    assert {o.result for o in written(mautic, *changes).values()} == {Result.DELETED}
    assert sandbox.people() == []


def test_a_mark_is_short_and_never_a_number() -> None:
    for number in range(500):
        mark = mark_of("https://mautic.example.com", upsert(number, f"p{number}@example.com"))
        assert len(mark) <= 64
        assert mark[0].isalpha()
    one, other = upsert(1, "a@example.com"), upsert(1, "b@example.com")
    assert mark_of("s", one) == mark_of("s", one) != mark_of("s", other)
