"""The seed's dry run and apply over two address books, and its diagnostic pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from connectors.core.clock import ManualClock
from connectors.core.sandbox import Fault
from connectors.models import Connection, OAuthGrant
from contacts.models import Contact
from syncjobs.models import ContactSync, Plan, Route, Run
from tests.engine.pair import Pair

pytestmark = pytest.mark.django_db

SECRET = "a-debug-secret"
DRY_RUN, APPLY = "/sync/contacts/dry-run", "/sync/contacts/apply"
COUNTERS = {
    "duration_ms", "google_requests", "amo_requests", "retries", "rate_limit_hits", "pages_google", "pages_amo",
    "limit_clamped", "mode",
}  # fmt: skip


@pytest.fixture
def pair(clock: ManualClock, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Pair:
    settings.DEBUG_SECRET = SECRET
    made = Pair(clock, monkeypatch, "amocrm", "google")
    Route.objects.all().delete()
    return made


@pytest.fixture
def stranger() -> APIClient:
    return APIClient()


@pytest.fixture
def knowing() -> APIClient:
    client = APIClient()
    client.credentials(HTTP_X_DEBUG_SECRET=SECRET)
    return client


def meet(pair: Pair) -> None:
    for i in range(3):
        pair.one.create(f"ann{i}@example.com", first_name=f"Ann {i}", last_name="Bell")
    for i in range(2, 5):
        pair.other.create(f"ann{i}@example.com", first_name=f"Ann {i}", last_name="Bell")


def test_a_dry_run_tells_the_seed_s_counters_and_leaves_nothing(pair: Pair, knowing: APIClient) -> None:
    meet(pair)
    for mode in ("fast", "full"):
        told = knowing.get(DRY_RUN, {"limit": 50, "mode": mode}).json()
        assert set(told) >= COUNTERS
        assert (told["mode"], told["limit"], told["limit_clamped"]) == (mode, 20, True)
        assert (told["scanned"], told["created"]) == (6, 4)
        assert told["pages_amo"] >= 1
        assert told["pages_google"] >= 1
        assert told["google_requests"] > 0
    assert (Contact.objects.count(), ContactSync.objects.count()) == (0, 0)
    assert (pair.one.count(), pair.other.count()) == (3, 3)
    assert not Run.objects.filter(dry_run=False).exists()
    assert not Route.objects.get().enabled


def test_strangers_see_no_values(pair: Pair, stranger: APIClient, knowing: APIClient) -> None:
    meet(pair)
    shown = stranger.get(DRY_RUN, {"direction": "to_google"}).content.decode()
    assert "***" in shown
    assert "ann0@example.com" not in shown
    assert "ann0@example.com" in knowing.get(DRY_RUN, {"direction": "to_google"}).content.decode()
    user = get_user_model().objects.create_superuser("root", "root@example.com", "x")
    stranger.force_authenticate(user)
    assert "ann0@example.com" in stranger.post(DRY_RUN, {"direction": "google"}).content.decode()


def test_applying_needs_the_secret_and_a_confirmation(pair: Pair, stranger: APIClient, knowing: APIClient) -> None:
    meet(pair)
    assert stranger.post(f"{APPLY}?confirm=1").status_code == 404
    assert knowing.get(APPLY).status_code == 400
    assert pair.other.count() == 3
    told = knowing.get(APPLY, {"confirm": 1}).json()
    assert (told["created"], told["failed"]) == (2, 0)
    assert (pair.one.count(), pair.other.count()) == (3, 5)
    again = knowing.post(f"{APPLY}?confirm=1").json()
    assert (again["created"], again["updated"]) == (0, 0)


@pytest.mark.parametrize(("direction", "counts"), [("to_amo", (5, 3)), ("both", (5, 5)), ("to_google", (3, 5))])
def test_both_directions(pair: Pair, knowing: APIClient, direction: str, counts: tuple[int, int]) -> None:
    meet(pair)
    assert knowing.get(APPLY, {"confirm": 1, "direction": direction}).status_code == 200
    assert (pair.one.count(), pair.other.count()) == counts


def test_filters_come_before_the_limit(pair: Pair, knowing: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncjobs.compat.seed_000_sync.timezone.now", pair.clock.now)
    ids = [pair.one.create(f"old{i}@example.com", first_name=f"Old {i}", last_name="Bell") for i in range(3)]
    pair.clock.sleep(86_400 * 10)
    pair.one.create("new@example.com", first_name="New", last_name="Bell")
    told = knowing.get(APPLY, {"confirm": 1, "since_days": 5, "limit": 1}).json()
    assert (told["scanned"], told["created"]) == (1, 1)
    assert "new@example.com" in str(pair.other.people())
    knowing.get(APPLY, {"confirm": 1, "amo_ids": f"{ids[1]},{ids[2]}", "limit": 1})
    assert pair.other.count() == 2
    assert knowing.get(APPLY, {"confirm": 1, "amo_ids": "x"}).status_code == 400
    refused = knowing.get(APPLY, {"confirm": 1, "amo_ids": ids[0], "direction": "to_amo"})
    assert (refused.status_code, refused.json()["code"]) == (400, "wrong_end")


def test_a_plan_is_applied_exactly_and_once(pair: Pair, knowing: APIClient) -> None:
    ids = [pair.one.create(f"ann{i}@example.com", first_name=f"Ann {i}", last_name="Bell") for i in range(3)]
    plan = knowing.get(DRY_RUN, {"direction": "to_google", "mode": "full"}).json()["plan_id"]
    pair.clock.sleep(60)
    pair.one.edit(ids[1], "ann1@example.com", first_name="Changed")
    pair.one.create("late@example.com", first_name="Late", last_name="Bell")
    told = knowing.get(APPLY, {"confirm": 1, "plan_id": plan}).json()
    assert told["created"] == 2
    assert list(told["skipped_records"]) == [ids[1]]
    assert pair.other.count() == 2
    again = knowing.get(APPLY, {"confirm": 1, "plan_id": plan})
    assert (again.status_code, again.json()["code"]) == (409, "plan_applied")
    assert knowing.get(APPLY, {"confirm": 1, "plan_id": plan + 1}).status_code == 400
    assert Plan.objects.get(pk=plan).applied_at is not None


def test_a_plan_in_both_directions_is_applied_whole(pair: Pair, knowing: APIClient) -> None:
    meet(pair)
    plan = knowing.get(DRY_RUN, {"direction": "both", "mode": "full"}).json()
    told = knowing.get(APPLY, {"confirm": 1, "plan_id": plan["plan_id"]}).json()
    assert told["skipped_records"] == {}
    assert (told["created"], told["failed"]) == (4, 0)
    assert (pair.one.count(), pair.other.count()) == (5, 5)


def test_missing_access_is_answered_as_the_seed_says(pair: Pair, knowing: APIClient) -> None:
    Connection.objects.filter(key="google").update(secrets={}, config={})
    answer = knowing.get(DRY_RUN)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Google auth required", "auth_url": "/auth/google/start"}


@pytest.mark.parametrize(
    "wrong", [{"limit": 0}, {"limit": "x"}, {"direction": "up"}, {"mode": "slow"}, {"since_days": 0}]
)
def test_wrong_parameters_are_named(pair: Pair, knowing: APIClient, wrong: dict[str, Any]) -> None:
    answer = knowing.get(DRY_RUN, wrong)
    assert answer.status_code == 400
    assert next(iter(wrong)) in answer.content.decode()


@pytest.mark.parametrize("page", ["db", "google", "amo", "ping-google"])
def test_diagnostic_pages_hide_from_strangers(pair: Pair, knowing: APIClient, settings: Any, page: str) -> None:
    address = f"/debug/{page}"
    assert knowing.get(address).status_code == 200
    assert APIClient().get(address).status_code == 404
    assert APIClient().get(address, headers={"X-Debug-Secret": "wrong"}).status_code == 404
    settings.DEBUG_SECRET = ""
    assert knowing.get(address).status_code == 404
    assert APIClient().get(address, headers={"X-Debug-Secret": ""}).status_code == 404


def test_diagnostic_pages_say_what_the_seed_says(pair: Pair, knowing: APIClient) -> None:
    db, google, amo, ping = (knowing.get(f"/debug/{page}").json() for page in ("db", "google", "amo", "ping-google"))
    assert (db["ok"], db["tokens"]) == (True, OAuthGrant.objects.count())
    assert set(google) == {"has_token", "expires_at", "scopes"}
    assert amo == {"base_url": "https://amocrm.example.com", "auth_mode": "long_lived_token", "is_ready": True}
    assert ping["ok"] is True
    assert ping["latency_ms"] >= 0
    shown = f"{db}{google}{amo}{ping}"
    for connection in Connection.objects.all():
        assert not any(str(secret) in shown for secret in connection.secrets.values())


def test_a_ping_that_is_limited_or_locked_out(pair: Pair, knowing: APIClient) -> None:
    faults = pair.other.sandbox.faults
    faults.append(Fault("status", status=429, body={"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, times=9))
    told = knowing.get("/debug/ping-google")
    assert told.status_code == 200
    assert (told.json()["ok"], told.json()["error"]) == (False, "rate_limited")
    assert told.json()["retry_after"] >= 1
    faults.clear()
    faults.append(Fault("status", status=401, body={"error": {"code": 401, "status": "UNAUTHENTICATED"}}, times=9))
    told = knowing.get("/debug/ping-google")
    assert (told.status_code, told.json()["auth_url"]) == (401, "/auth/google/start")
