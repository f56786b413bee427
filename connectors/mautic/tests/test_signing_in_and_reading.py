"""Ways in, our own field, and what the lists are like."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connectors.core.base import Context
from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.sandbox import Fault
from connectors.core.testing import SandboxAdapter, sandbox_context
from connectors.core.types import FieldSpec, FieldType, MatchKey, ReadMode, ReadQuery, Secret
from connectors.mautic.client import site_of
from connectors.mautic.connector import Mautic
from connectors.mautic.marks import MARK
from connectors.mautic.sandbox import CLIENT_ID, CLIENT_SECRET, TOKEN, MauticSandbox
from connectors.mautic.tests.conftest import Connect
from connectors.mautic.wire import by_index, decode, encode, field_spec, is_zero, members

SITE = "https://mautic.example.com"


def oauth(sandbox: MauticSandbox, secret: str = CLIENT_SECRET) -> Mautic:
    config = {"base_url": SITE, "client_id": CLIENT_ID}
    secrets = {"client_secret": Secret(secret)}
    return Mautic(Context(config, secrets, clock=sandbox.clock, adapter=SandboxAdapter(sandbox)))


def tokens_asked(sandbox: MauticSandbox) -> int:
    return sum(seen.path == TOKEN for seen in sandbox.seen)


def test_a_client_fetches_its_token_once_and_again_when_it_ends(sandbox: MauticSandbox) -> None:
    mautic = oauth(sandbox)
    for _ in range(3):
        assert mautic.check().message
    assert tokens_asked(sandbox) == 1
    sandbox.clock.sleep(3600)
    mautic.check()
    assert tokens_asked(sandbox) == 2


def test_a_token_that_is_withdrawn_early_is_replaced(sandbox: MauticSandbox) -> None:
    mautic = oauth(sandbox)
    mautic.check()
    sandbox.tokens.clear()
    assert mautic.check().message
    assert tokens_asked(sandbox) == 2


@pytest.mark.parametrize(
    ("kind", "words"), [("invalid_client", "id and secret"), ("unauthorized_client", "administrator's role")]
)
def test_a_client_that_is_refused_asks_a_person(sandbox: MauticSandbox, kind: str, words: str) -> None:
    body = {"errors": [{"code": 400, "message": "x", "type": kind}]}
    sandbox.faults.append(Fault("status", path=TOKEN, status=400, body=body))
    with pytest.raises(ApiError) as raised:
        oauth(sandbox).check()
    assert raised.value.kind is ErrorKind.AUTH
    assert words in raised.value.message


def test_a_wrong_secret_is_not_shown(sandbox: MauticSandbox) -> None:
    with pytest.raises(ApiError) as raised:
        oauth(sandbox, "not-the-secret").check()
    assert raised.value.kind is ErrorKind.AUTH
    assert "not-the-secret" not in raised.value.message + raised.value.detail


def test_an_address_without_the_api_is_told(sandbox: MauticSandbox) -> None:
    sandbox.faults.append(Fault("status", status=404, body=b"<html>no</html>"))
    with pytest.raises(ApiError) as raised:
        Mautic(sandbox_context(Mautic, sandbox)).check()
    assert raised.value.kind is ErrorKind.CONFIG
    assert "address" in raised.value.message


@pytest.mark.parametrize("typed", [SITE, f"{SITE}/", f"{SITE}/api", f" {SITE}/api/ "])
def test_the_address_of_the_api_is_as_good_as_that_of_the_site(typed: str) -> None:
    assert site_of(typed) == SITE


def test_the_hour_of_a_limit_is_waited_for(connect: Connect) -> None:
    sandbox = MauticSandbox(ManualClock(), per_hour=5)
    mautic = connect(sandbox)
    mautic.check()
    with pytest.raises(ApiError) as raised:
        mautic.check()
    assert raised.value.kind is ErrorKind.RATE_LIMITED
    assert 3000 < (raised.value.retry_after or 0) <= 3601


def test_our_field_is_made_once(sandbox: MauticSandbox, connect: Connect) -> None:
    assert connect(sandbox).prepare("contacts", ["email"]).warnings == ()
    assert sandbox.site.fields[MARK]["isUniqueIdentifier"] is True
    connect(sandbox)
    assert sum(seen.path.endswith("/fields/contact/new") for seen in sandbox.seen) == 1


def test_without_the_right_to_make_fields_contacts_go_by_their_address(connect: Connect) -> None:
    sandbox = MauticSandbox(ManualClock(), rights=("contacts",))
    mautic = connect(sandbox)
    (warning,) = mautic.prepare("contacts", ["email"]).warnings
    assert MARK in warning
    assert MARK not in {spec.key for spec in mautic.describe()}


def test_a_field_that_waits_for_its_column_is_not_used(connect: Connect) -> None:
    sandbox = MauticSandbox(ManualClock(), columns_later=True)
    (warning,) = Mautic(sandbox_context(Mautic, sandbox)).prepare("contacts", ["email"]).warnings
    assert "schedule" in warning
    assert MARK not in {spec.key for spec in connect(sandbox).describe()}


def test_a_field_of_ours_that_is_not_unique_is_told(sandbox: MauticSandbox, connect: Connect) -> None:
    sandbox.site.define(MARK, "text")
    (warning,) = connect(sandbox).prepare("contacts", ["email"]).warnings
    assert "unique" in warning


def test_who_changes_while_pages_are_read_is_met_by_the_next_read(mautic: Mautic, sandbox: MauticSandbox) -> None:
    ids = [sandbox.person_adds(email=f"p{n}@example.com") for n in range(5)]
    since = sandbox.clock.now() - timedelta(minutes=1)
    pages = mautic.read(ReadQuery(mode=ReadMode.CHANGES, since=since, limit=2))
    first = next(pages)
    sandbox.clock.sleep(60)
    sandbox.person_updates(ids[0], city="Bonn")
    rest = list(pages)
    assert [r.id for page in (first, *rest) for r in page.records] == ids
    sandbox.clock.sleep(600)
    again = list(mautic.read(ReadQuery(mode=ReadMode.CHANGES, cursor=rest[-1].cursor, fields=["city"])))
    assert [(r.id, r.values["city"]) for page in again for r in page.records if r.values["city"]] == [(ids[0], "Bonn")]


def test_several_contacts_may_have_one_address(mautic: Mautic, sandbox: MauticSandbox) -> None:
    one = sandbox.person_adds(email="a@example.com")
    other = sandbox.person_adds(email="b@example.com")
    sandbox.site.contacts[int(other)].values["email"] = "A@example.com"
    key, strange = MatchKey("email", "a@example.com"), MatchKey("email", "x,y@example.com")
    found = mautic.find("contacts", [key, strange])
    assert {key.value: [r.id for r in records] for key, records in found.items()} == {
        "a@example.com": [one, other],
        "x,y@example.com": [],
    }


def test_an_ignored_filter_lists_nobody(mautic: Mautic, sandbox: MauticSandbox, monkeypatch: Any) -> None:
    sandbox.person_adds(email="a@example.com")
    monkeypatch.setattr("connectors.mautic.sandbox_query._tests", lambda *args: [])
    key = MatchKey("email", "nobody@example.com")
    assert mautic.find("contacts", [key]) == {key: []}


def test_many_addresses_fit_into_addresses(mautic: Mautic, sandbox: MauticSandbox) -> None:
    keys = [MatchKey("email", f"{'long' * 12}{n}@example.com") for n in range(250)]
    before = len(sandbox.seen)
    assert all(found == [] for found in mautic.find("contacts", keys).values())
    assert 3 < len(sandbox.seen) - before <= 6


@pytest.mark.parametrize(
    ("array", "found"),
    [([], {}), ({}, {}), (["a", "b"], {0: "a", 1: "b"}), ({"0": "a", "2": "b"}, {0: "a", 2: "b"}), (None, {})],
)
def test_arrays_come_as_lists_and_as_objects(array: Any, found: dict[int, Any]) -> None:
    assert by_index(array) == found


def test_members_of_both() -> None:
    assert members([{"id": 1}]) == members({"47": {"id": 1}}) == [{"id": 1}]
    assert members(None) == []


@pytest.mark.parametrize(
    ("kind", "sent", "answered", "value"),
    [
        (FieldType.BOOLEAN, 1, "1", True),
        (FieldType.BOOLEAN, 1, 1, True),
        (FieldType.NUMBER, 7, 7, 7),
        (FieldType.DATE, "2024-05-01", "2024-05-01", date(2024, 5, 1)),
        (
            FieldType.DATETIME,
            "2024-05-01T10:00:00+00:00",
            "2024-05-01 10:00:00",
            datetime(2024, 5, 1, 10, tzinfo=UTC),
        ),
        (FieldType.CHOICES, "a|b", "a|b", ["a", "b"]),
        (FieldType.TEXT, "", None, None),
    ],
)
def test_values_both_ways(kind: FieldType, sent: Any, answered: Any, value: Any) -> None:
    spec = FieldSpec("x", "X", kind)
    assert encode(value, spec) == sent
    assert decode(answered, spec) == value


@pytest.mark.parametrize("listed", ["a|b", ["a", "b"], [{"value": "a"}, {"value": "b"}], {"a": "a", "b": "b"}])
def test_choices_are_read_however_they_are_declared(listed: Any) -> None:
    spec = field_spec({"alias": "x", "type": "select", "properties": {"list": listed}})
    assert spec.options == (("a", "a"), ("b", "b"))


@pytest.mark.parametrize(("value", "zero"), [(0, True), ("0.5", True), ("", False), (1, False), ("0e5", True)])
def test_zeros_are_what_php_takes_for_them(value: Any, zero: bool) -> None:
    assert is_zero(value) is zero
