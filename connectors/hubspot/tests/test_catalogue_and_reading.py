"""Properties that exist, that we create, that we may not create; values both ways; many changes at one moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.sandbox import Fault
from connectors.core.testing import sandbox_context
from connectors.core.types import FieldSpec, FieldType, ReadMode, ReadQuery
from connectors.hubspot.client import Addresses
from connectors.hubspot.connector import HubSpot
from connectors.hubspot.sandbox import HubSpotSandbox
from connectors.hubspot.wire import decode, encode

OWN = ["scrapersky_domain_id", "scrapersky_page_id"]


def test_our_properties_are_created_once(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    for _ in range(2):
        prepared = HubSpot(sandbox_context(HubSpot, sandbox)).prepare("contacts", ["email", *OWN])
        assert list(prepared.fields) == ["email", *OWN]
        assert not prepared.warnings
    created = [seen for seen in sandbox.seen if seen.method == "POST" and seen.path.endswith("/properties/contacts")]
    assert len(created) == 2


def test_names_of_our_properties_are_settings(sandbox: HubSpotSandbox) -> None:
    config = {"domain_id_property": "site", "page_id_property": "page"}
    hubspot = HubSpot(sandbox_context(HubSpot, sandbox, config=config))
    assert HubSpot.facts(config) == {"custom_properties": ["site", "page"]}
    assert list(hubspot.prepare("contacts", ["site"]).fields) == ["site"]


def test_without_the_schema_scope_people_are_told_what_to_create() -> None:
    sandbox = HubSpotSandbox(ManualClock(), enforce_limits=False, scopes=())
    prepared = HubSpot(sandbox_context(HubSpot, sandbox)).prepare("contacts", ["email", *OWN])
    assert list(prepared.fields) == ["email"]
    assert len(prepared.warnings) == 1
    assert all(name in prepared.warnings[0] for name in OWN)


def test_read_only_and_unknown_properties_are_not_for_writing(hubspot: HubSpot) -> None:
    prepared = hubspot.prepare("contacts", ["email", "lastmodifieddate", "nope"])
    assert list(prepared.fields) == ["email"]
    assert "nope" in prepared.warnings[0]


def test_a_missing_scope_names_the_scopes(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    errors = [{"context": {"requiredGranularScopes": ["crm.objects.contacts.read"]}}]
    body = {"category": "MISSING_SCOPES", "errors": errors}
    sandbox.faults.append(Fault("status", status=403, body=body))
    with pytest.raises(ApiError, match=r"crm\.objects\.contacts\.read") as raised:
        hubspot.check()
    assert raised.value.kind is ErrorKind.CONFIG


def test_a_token_that_may_not_ask_for_the_account_is_still_good(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    sandbox.faults.append(Fault("status", path="/account-info", status=403, body={}))
    assert hubspot.check().account == ""


def test_the_accounts_midnight_ends_a_daily_limit(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    hubspot.check()  # at 00:00 UTC, which is 01:00 in the account's zone
    body = {"policyName": "DAILY", "message": "You have reached your daily limit."}
    sandbox.faults.append(Fault("status", status=429, body=body))
    with pytest.raises(ApiError) as raised:
        hubspot.describe()
    assert raised.value.retry_after == pytest.approx(23 * 3600, abs=2)


def test_dated_versions_have_other_paths() -> None:
    assert Addresses("v3").contacts == "/crm/v3/objects/contacts"
    assert Addresses("2026-09").contacts == "/crm/objects/2026-09/contacts"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (True, "true"), (False, "false"), (3, "3"), (2.5, "2.5"), (date(1980, 2, 3), "1980-02-03"),
        (datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), "2026-01-02T03:04:05.678Z"), (["a", "b"], "a;b"), ("Анна", "Анна"),
    ],
)  # fmt: skip
def test_values_travel_as_text(value: object, text: str) -> None:
    assert encode(value) == text


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (FieldType.NUMBER, "3", 3), (FieldType.NUMBER, "2.5", 2.5), (FieldType.NUMBER, "many", "many"),
        (FieldType.BOOLEAN, "true", True), (FieldType.BOOLEAN, "false", False),
        (FieldType.DATE, "1980-02-03", date(1980, 2, 3)), (FieldType.DATE, "318384000000", date(1980, 2, 3)),
        (FieldType.DATETIME, "2026-01-02T03:04:05.678Z", datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)),
        (FieldType.TEXT, "007", "007"), (FieldType.TEXT, None, None), (FieldType.TEXT, "", None),
    ],
)  # fmt: skip
def test_text_is_read_by_the_propertys_type(kind: FieldType, text: str | None, value: object) -> None:
    assert decode(text, FieldSpec("x", "X", kind)) == value


def test_thousands_changed_at_one_moment_are_all_read(hubspot: HubSpot, sandbox: HubSpotSandbox) -> None:
    for number in range(50):
        sandbox.add(email=f"before{number}@example.com")
        sandbox.clock.sleep(0.01)
    for number in range(1500):
        sandbox.add(email=f"import{number}@example.com")
    sandbox.clock.sleep(5)
    for number in range(50):
        sandbox.add(email=f"after{number}@example.com")
        sandbox.clock.sleep(0.01)
    since = sandbox.clock.now() - timedelta(hours=1)
    records = [r.id for page in hubspot.read(ReadQuery(mode=ReadMode.CHANGES, since=since)) for r in page.records]
    assert len(records) == len(set(records)) == 1600


def test_the_next_read_of_changes_overlaps_and_never_goes_back_further(
    hubspot: HubSpot, sandbox: HubSpotSandbox
) -> None:
    sandbox.add(email="ann@example.com")
    sandbox.clock.sleep(1)
    cursor = None
    moments = []
    for _ in range(3):
        pages = list(hubspot.read(ReadQuery(mode=ReadMode.CHANGES, cursor=cursor)))
        cursor = pages[-1].cursor
        assert cursor is not None
        assert [r.values["email"] for page in pages for r in page.records] == ["ann@example.com"]
        moments.append(cursor["moment"])
        sandbox.clock.sleep(600)
    assert len(set(moments)) == 1
