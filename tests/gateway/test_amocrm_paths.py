"""The seed's gateway paths against the sandbox: what a client of the seed asks, and what it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from connectors import services
from connectors.amocrm.sandbox import AmoSandbox
from connectors.amocrm.sandbox_settings import COLLEAGUE_ID, REPEAT, SALES, WON
from connectors.core.auth import Tokens
from connectors.core.clock import ManualClock, SystemClock
from connectors.core.sandbox import Fault
from connectors.core.testing import SandboxAdapter
from connectors.models import Connection, RemoteField
from crmsync.roles import give_role

ROOT = "/api/v1/amocrm"
NEGOTIATION, REMINDER = SALES * 100 + 1, REPEAT * 100


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    manual = ManualClock()
    for name in ("now", "monotonic", "sleep"):
        monkeypatch.setattr(SystemClock, name, lambda self, *args, name=name: getattr(manual, name)(*args))
    return manual


@pytest.fixture
def sandbox(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AmoSandbox:
    made = AmoSandbox(clock, enforce_limits=False)
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: SandboxAdapter(made))
    return made


@pytest.fixture
def connection(db: None, sandbox: AmoSandbox) -> Connection:
    values = sandbox.config("https://sandbox.example.com") | {"rps": 0}
    return services.create_connection("amocrm", "amocrm", values)


@pytest.fixture
def api(connection: Connection, django_user_model: Any) -> APIClient:
    user = django_user_model.objects.create_user("operator")
    give_role(user, "operator")
    client = APIClient()
    client.force_authenticate(user)
    return client


def lead(sandbox: AmoSandbox, **values: Any) -> int:
    return int(sandbox.account.create({"name": "Deal", "price": 5, **values}, "leads")["id"])


def writes(sandbox: AmoSandbox) -> list[str]:
    return [seen.method for seen in sandbox.seen if seen.method not in ("GET",)]


def test_leads_come_in_pages(api: APIClient, sandbox: AmoSandbox) -> None:
    numbers = [lead(sandbox) for _ in range(5)]
    said = api.get(f"{ROOT}/leads?page=2&limit=2").json()
    assert [record["id"] for record in said["leads"]] == numbers[2:4]
    assert (said["page"], said["limit"], said["has_next"]) == (2, 2, True)
    assert said["leads"][0]["pipeline_id"] == SALES
    assert api.get(f"{ROOT}/leads?page=3&limit=2").json()["has_next"] is False
    assert api.get(f"{ROOT}/leads").json()["limit"] == 50
    assert len(sandbox.seen) == 3


def test_an_empty_list_is_a_list(api: APIClient) -> None:
    said = api.get(f"{ROOT}/leads").json()
    assert said == {"leads": [], "page": 1, "limit": 50, "has_next": False}
    assert api.get(f"{ROOT}/contacts?query=nobody").json()["contacts"] == []


@pytest.mark.parametrize("asked", ["page=0", "limit=251", "limit=x", "page=-1", "connection=nobody"])
def test_bad_pages_are_refused_and_nobody_is_asked(api: APIClient, sandbox: AmoSandbox, asked: str) -> None:
    answer = api.get(f"{ROOT}/leads?{asked}")
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
    assert not sandbox.seen


@pytest.mark.parametrize("filters", [True, False])
def test_one_lead_or_404(api: APIClient, sandbox: AmoSandbox, filters: bool) -> None:
    sandbox.filters = filters
    numbers = [lead(sandbox), lead(sandbox)]
    assert api.get(f"{ROOT}/leads/{numbers[1]}").json()["id"] == numbers[1]
    del sandbox.account.records["leads"][numbers[1]]
    answer = api.get(f"{ROOT}/leads/{numbers[1]}")
    assert (answer.status_code, answer.json()["code"]) == (404, "record_not_found")


def test_contacts_are_searched(api: APIClient, sandbox: AmoSandbox) -> None:
    number = sandbox.account.create({"first_name": "Иван", "last_name": "Петров"})["id"]
    sandbox.account.create({"first_name": "Анна"})
    said = api.get(f"{ROOT}/contacts", {"query": "Иван"}).json()
    assert [record["id"] for record in said["contacts"]] == [number]
    assert api.get(f"{ROOT}/contacts/{number}").json()["name"] == "Иван Петров"
    assert len(api.get(f"{ROOT}/contacts").json()["contacts"]) == 2


def test_fields_are_read_once_and_answered_offline(api: APIClient, sandbox: AmoSandbox) -> None:
    assert api.post(f"{ROOT}/fields/sync").json()["fields_synced"].keys() == {"contacts", "companies", "leads"}
    sandbox.faults.append(Fault("refuse", times=99))
    said = api.get(f"{ROOT}/fields?entity_type=leads").json()
    by_key = {field["key"]: field for field in said["fields"]}
    assert by_key["price"]["type"] == "number"
    assert {"value": str(SALES), "label": "Продажи"} in by_key["pipeline_id"]["options"]
    assert by_key["status_id"]["depends_on"] == "pipeline_id"
    assert {"value": str(WON), "label": "Успешно"} in by_key["status_id"]["options_by"][str(REPEAT)]
    assert {"value": str(COLLEAGUE_ID), "label": "Борис"} in by_key["responsible_user_id"]["options"]
    assert (by_key["CONTRACT"]["id"], by_key["CONTRACT"]["custom"]) == (4458003, True)
    assert by_key["cf_4458001"]["options"][0]["label"] == "Сайт"
    assert api.get(f"{ROOT}/fields?entity_type=contacts").json()["fields"][0]["key"] == "first_name"
    assert api.get(f"{ROOT}/fields?entity_type=tasks").status_code == 400


def test_fields_are_read_when_nobody_has_read_them_yet(api: APIClient, sandbox: AmoSandbox) -> None:
    assert api.get(f"{ROOT}/fields?entity_type=companies").json()["fields"][0]["key"] == "name"
    asked = len(sandbox.seen)
    api.get(f"{ROOT}/fields?entity_type=companies")
    assert len(sandbox.seen) == asked


def test_a_field_that_is_gone_goes(api: APIClient, sandbox: AmoSandbox, django_assert_max_num_queries: Any) -> None:
    api.post(f"{ROOT}/fields/sync")
    del sandbox.account.fields["leads"][4458003]
    with django_assert_max_num_queries(25):
        api.post(f"{ROOT}/fields/sync")
    keys = {field["key"] for field in api.get(f"{ROOT}/fields?entity_type=leads").json()["fields"]}
    assert "cf_4458001" in keys
    assert "CONTRACT" not in keys


def test_people_only_an_administrator_may_see(api: APIClient, sandbox: AmoSandbox) -> None:
    sandbox.administrator = False
    api.post(f"{ROOT}/fields/sync")
    number = lead(sandbox)
    assert api.put(f"{ROOT}/leads/{number}", {"responsible_user_id": COLLEAGUE_ID}).status_code == 200
    refused = api.put(f"{ROOT}/leads/{number}", {"responsible_user_id": 1})
    assert (refused.status_code, refused.json()["code"]) == (400, "refused_by_crm")
    assert "responsible_user_id" in refused.json()["fields"]


def test_a_lead_is_changed_as_in_the_seed(api: APIClient, sandbox: AmoSandbox) -> None:
    number = lead(sandbox)
    api.post(f"{ROOT}/fields/sync")
    sandbox.seen.clear()
    body = {"name": "Обновленная сделка", "price": 100000, "status_id": WON}
    answer = api.put(f"{ROOT}/leads/{number}", body)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in body} == body
    assert [seen.method for seen in sandbox.seen] == ["GET", "PATCH", "GET"]


def test_custom_fields_by_key_and_as_amocrm_takes_them(api: APIClient, sandbox: AmoSandbox) -> None:
    number = lead(sandbox)
    listed = [
        {"field_id": 4458001, "values": [{"enum_id": 44580012}]},
        {"field_code": "CONTRACT", "values": [{"value": "A-1"}]},
        {"field_id": 4458007, "values": [{"value": True}]},
    ]
    assert api.put(f"{ROOT}/leads/{number}", {"custom_fields_values": listed}).status_code == 200
    assert held(sandbox, number) == {4458001: "Звонок", 4458003: "A-1", 4458007: True}
    again = {"CONTRACT": None, "cf_4458001": "Сайт", "cf_4458005": "2026-11-21"}
    assert api.put(f"{ROOT}/leads/{number}", again).status_code == 200
    assert held(sandbox, number) == {4458001: "Сайт", 4458005: "2026-11-21T00:00:00+03:00", 4458007: True}


def held(sandbox: AmoSandbox, number: int) -> dict[int, Any]:
    fields = sandbox.account.records["leads"][number]["custom_fields_values"]
    return {field["field_id"]: field["values"][0]["value"] for field in fields}


REFUSED = [
    ({"nonsense": 1}, "nonsense", "price"),
    ({"price": "much"}, "price", "number"),
    ({"price": True}, "price", "number"),
    ({"name": "x" * 256}, "name", "255"),
    ({"name": 5}, "name", "text"),
    ({"created_at": 1}, "created_at", "written"),
    ({"status_id": 1}, "status_id", f"{NEGOTIATION} (Переговоры)"),
    ({"status_id": REMINDER}, "status_id", f"pipeline_id {SALES}"),
    ({"status_id": None}, "status_id", "emptied"),
    ({"pipeline_id": 1}, "pipeline_id", f"{SALES} (Продажи)"),
    ({"pipeline_id": REPEAT}, "status_id", f"{REMINDER} (Напоминание)"),
    ({"pipeline_id": REPEAT, "status_id": NEGOTIATION}, "status_id", f"{REMINDER} (Напоминание)"),
    ({"responsible_user_id": 1}, "responsible_user_id", "Борис"),
    ({"cf_4458001": "Почта"}, "cf_4458001", "Звонок"),
    ({"cf_4458005": "tomorrow"}, "cf_4458005", "date"),
    ({"cf_4458007": "yes"}, "cf_4458007", "true or false"),
    ({"custom_fields_values": "x"}, "custom_fields_values", "list"),
    ({"custom_fields_values": [{"field_id": 1, "values": []}]}, "custom_fields_values.0", "field"),
    ({"custom_fields_values": [{"field_id": 4458001}]}, "custom_fields_values.0", "values"),
    (
        {"custom_fields_values": [{"field_id": 4458001, "values": [{"enum_id": 1}]}]},
        "custom_fields_values.0.values",
        "44580012 (Звонок)",
    ),
    ({"custom_fields_values": [{"field_code": "CONTRACT", "values": [{"value": 5}]}]}, "CONTRACT", "text"),
]


@pytest.mark.parametrize(("body", "field", "words"), REFUSED)
def test_wrong_values_are_named_before_anything_is_sent(
    api: APIClient, sandbox: AmoSandbox, body: dict[str, Any], field: str, words: str
) -> None:
    number = lead(sandbox)
    answer = api.put(f"{ROOT}/leads/{number}", body)
    assert answer.status_code == 400
    assert words in answer.json()["fields"][field][0]
    assert not writes(sandbox)


@pytest.mark.parametrize("body", [{}, [], "x", None])
def test_a_change_of_nothing_is_refused(api: APIClient, sandbox: AmoSandbox, body: Any) -> None:
    assert api.put(f"{ROOT}/leads/{lead(sandbox)}", body, format="json").status_code == 400
    assert not sandbox.seen


def test_a_move_to_another_pipeline(api: APIClient, sandbox: AmoSandbox) -> None:
    number = lead(sandbox)
    moved = api.put(f"{ROOT}/leads/{number}", {"pipeline_id": REPEAT, "status_id": REMINDER})
    assert (moved.status_code, moved.json()["status_id"]) == (200, REMINDER)
    assert api.put(f"{ROOT}/leads/{number}", {"status_id": REMINDER + 1}).status_code == 200


def test_what_an_old_catalogue_does_not_know_is_looked_for(api: APIClient, sandbox: AmoSandbox) -> None:
    api.post(f"{ROOT}/fields/sync")
    number = lead(sandbox)
    sandbox.account.users.append({"id": 99, "name": "Вера", "email": "vera@example.com", "lang": "ru", "rights": {}})
    assert api.put(f"{ROOT}/leads/{number}", {"responsible_user_id": 99}).status_code == 400
    RemoteField.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    assert api.put(f"{ROOT}/leads/{number}", {"responsible_user_id": 99}).status_code == 200


def test_a_deleted_lead_is_not_changed(api: APIClient, sandbox: AmoSandbox) -> None:
    answer = api.put(f"{ROOT}/leads/123", {"name": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "record_not_found")
    assert not writes(sandbox)


@pytest.mark.parametrize("kind", ["drop", "half", "refuse", "html"])
def test_a_change_whose_answer_was_lost_is_sent_once_more(api: APIClient, sandbox: AmoSandbox, kind: str) -> None:
    number = lead(sandbox)
    sandbox.faults.append(Fault(kind, method="PATCH"))
    answer = api.put(f"{ROOT}/leads/{number}", {"price": 7})
    assert (answer.status_code, answer.json()["price"]) == (200, 7)
    assert writes(sandbox) == ["PATCH", "PATCH"]


REMOTE = [
    ({"status": 401}, 503, "crm_needs_attention"),
    ({"status": 402}, 503, "crm_refuses_access"),
    ({"status": 403, "body": {"title": "Forbidden"}}, 503, "crm_refuses_access"),
    ({"status": 403, "body": b"<html>blocked</html>"}, 503, "crm_refuses_access"),
    ({"status": 429, "body": {"retry_after": 300}}, 429, "crm_rate_limited"),
    ({"status": 429}, 429, "crm_rate_limited"),
    ({"status": 500}, 503, "crm_unavailable"),
    ({"status": 504, "body": b"<html>"}, 503, "crm_unavailable"),
    ({"status": 400, "body": {"title": "Bad Request"}}, 400, "refused_by_crm"),
]


@pytest.mark.parametrize(("fault", "status", "code"), REMOTE)
@pytest.mark.parametrize("path", ["leads", "leads/5", "contacts?query=x"])
def test_their_refusals_are_told_in_our_form(
    api: APIClient, sandbox: AmoSandbox, path: str, fault: dict[str, Any], status: int, code: str
) -> None:
    sandbox.faults.append(Fault("status", times=99, **fault))
    answer = api.get(f"{ROOT}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(answer.json()["error"]) > 15
    if status == 429:
        assert answer["Retry-After"] == ("300" if "body" in fault else "1")
    assert len(sandbox.seen) == 1
    assert Connection.objects.get().state == ("needs_attention" if fault["status"] == 401 else "new")


@pytest.mark.parametrize("kind", ["html", "half", "drop", "refuse"])
def test_no_answer_or_nonsense_is_unavailable(api: APIClient, sandbox: AmoSandbox, kind: str) -> None:
    lead(sandbox)
    sandbox.faults.append(Fault(kind, times=99))
    answer = api.get(f"{ROOT}/leads")
    assert (answer.status_code, answer.json()["code"]) == (503, "crm_unavailable")


def test_nobody_waits_longer_than_the_timeout(api: APIClient, sandbox: AmoSandbox, settings: Any) -> None:
    """Three requests of twenty seconds are more than the thirty there are."""
    settings.HTTP_TIMEOUT = 30.0
    number = lead(sandbox)
    api.post(f"{ROOT}/fields/sync")
    sandbox.faults.append(Fault("slow", times=99, seconds=20.0))
    started = sandbox.clock.monotonic()
    assert api.put(f"{ROOT}/leads/{number}", {"price": 7}).status_code == 503
    assert sandbox.clock.monotonic() - started <= 2 * settings.HTTP_TIMEOUT


def test_the_limit_is_the_syncs_own(
    connection: Connection, api: APIClient, sandbox: AmoSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.set_values(connection, {"rps": 7})
    connection.save()
    claimed: list[str] = []
    monkeypatch.setattr("connectors.limits.PostgresLimiter.reserve", lambda self, key, *a: claimed.append(key) or 0.0)
    api.get(f"{ROOT}/leads")
    syncing = services.open_connector(connection)
    syncing.check()
    assert len(claimed) == 2
    assert len(set(claimed)) == 1
    monkeypatch.setattr("connectors.limits.PostgresLimiter.reserve", lambda self, key, *a: 60.0)
    answer = api.get(f"{ROOT}/leads")
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")


def test_a_second_account(api: APIClient, connection: Connection, sandbox: AmoSandbox) -> None:
    lead(sandbox)
    services.create_connection("amocrm", "second", sandbox.config("https://second.example.com") | {"rps": 0})
    assert len(api.get(f"{ROOT}/leads?connection=second").json()["leads"]) == 1
    assert api.get(f"{ROOT}/status?connection=second").json()["connection"] == "second"
    other = services.create_connection("brevo", "brevo", {"api_key": "x"})
    assert api.get(f"{ROOT}/leads?connection={other.key}").status_code == 400


def test_a_disabled_connection_is_not_used(api: APIClient, connection: Connection, sandbox: AmoSandbox) -> None:
    Connection.objects.update(enabled=False)
    answer = api.get(f"{ROOT}/leads")
    assert (answer.status_code, answer.json()["code"]) == (400, "crm_disabled")
    assert not sandbox.seen


def test_status(api: APIClient, connection: Connection, sandbox: AmoSandbox) -> None:
    said = api.get(f"{ROOT}/status").json()
    assert (said["connected"], said["state"], said["account"]) == (True, "ok", "Sandbox")
    assert said["token"] == {"expires_at": None, "seconds_left": None}
    assert (said["last_run"], said["rate_limit"]) == (None, None)
    sandbox.faults.append(Fault("status", status=500, times=99))
    assert api.get(f"{ROOT}/status").json()["connected"] is True  # asked a moment ago
    assert len(sandbox.seen) == 1


def test_status_of_an_account_that_has_withdrawn_its_access(api: APIClient, sandbox: AmoSandbox) -> None:
    sandbox.faults.append(Fault("status", status=401, times=99))
    said = api.get(f"{ROOT}/status").json()
    assert (said["connected"], said["state"]) == (False, "needs_attention")
    assert "401" in said["message"]


@pytest.mark.django_db(transaction=True)
def test_status_tells_when_the_token_ends(api: APIClient, connection: Connection, sandbox: AmoSandbox) -> None:
    services.set_values(connection, {"access_token": None, **sandbox.oauth_config("https://sandbox.example.com")})
    connection.save()
    access = sandbox.authority.issue()["access_token"]
    services.token_store(connection).put(Tokens(access, "r", timezone.now() + timedelta(hours=2)))
    token = api.get(f"{ROOT}/status").json()["token"]
    assert 7100 < token["seconds_left"] <= 7200
    assert token["expires_at"].endswith("Z")


def test_before_an_account_is_connected(db: None, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("reader")
    give_role(user, "viewer")
    client = APIClient()
    client.force_authenticate(user)
    said = client.get(f"{ROOT}/status").json()
    assert (said["connected"], bool(said["message"])) == (False, True)
    answer = client.get(f"{ROOT}/leads")
    assert (answer.status_code, answer.json()["code"]) == (400, "crm_not_connected")
