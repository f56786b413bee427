"""Connections over the API: configuration, credentials, rules, and secrets that never come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rest_framework.test import APIClient

from connectors.core import registry
from connectors.core.sandbox import Fault, Sandbox
from connectors.core.testing import SandboxAdapter
from connectors.models import Connection
from syncjobs.models import Run

SETTINGS_SECRET = "very-secret-text"


@pytest.fixture
def sandbox(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    made: Sandbox = registry.sandbox_class(connection.connector)()  # type: ignore[misc]
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: SandboxAdapter(made))
    return made


def secret_name(connection: Connection) -> str:
    return connection.spec.secrets()[0].name


def test_crm_config(operator: APIClient, connection: Connection) -> None:
    said = operator.get("/api/v3/admin/crm-config").json()
    mine = said[connection.key]
    assert (mine["enabled"], mine["api_key_configured"], mine["scheduler_interval"]) == (True, True, 5)
    assert mine["batch_size"] == 100
    others = [value for key, value in said.items() if key != connection.key]
    assert others
    assert all(value == {"enabled": False, "api_key_configured": False} for value in others)
    assert "***" not in str(said)


def test_good_credentials(administrator: APIClient, connection: Connection, sandbox: Sandbox) -> None:
    answer = administrator.post("/api/v3/admin/test-crm-credentials", {"crm": connection.key})
    assert answer.status_code == 200
    said = answer.json()
    assert (said["crm"], said["status"]) == (connection.key, "valid")
    assert said["message"].startswith(f"Successfully authenticated with {connection.spec.label} API")
    assert {seen.method for seen in sandbox.seen} == {"GET"}


def test_bad_credentials(administrator: APIClient, connection: Connection, sandbox: Sandbox) -> None:
    answer = administrator.post(
        "/api/v3/admin/test-crm-credentials", {"crm": connection.key, "api_key": "xkeysib-test-key-here"}
    )
    assert answer.status_code == 400
    said = answer.json()
    assert (said["crm"], said["status"], said["error"]) == (connection.key, "invalid", "HTTP 401: Unauthorized")
    assert said["message"]
    assert "xkeysib-test-key-here" not in str(said)
    connection.refresh_from_db()
    assert connection.state == "new"  # a key that was only tried says nothing about the stored one


def test_a_system_that_does_not_answer(administrator: APIClient, connection: Connection, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault("refuse", times=50))
    answer = administrator.post("/api/v3/admin/test-crm-credentials", {"crm": connection.key})
    assert (answer.status_code, answer.json()["status"]) == (503, "unknown")


def test_only_administrators_test_credentials(
    client_of: Callable[[str | None], APIClient], connection: Connection
) -> None:
    url = "/api/v3/admin/test-crm-credentials"
    assert APIClient().post(url, {"crm": connection.key}).status_code == 401
    for role in (None, "viewer", "operator"):
        assert client_of(role).post(url, {"crm": connection.key}).status_code == 403


def test_a_second_connection_of_a_system(administrator: APIClient, connection: Connection) -> None:
    name = secret_name(connection)
    body = {"key": "second-eu", "connector": connection.connector, "settings": {name: SETTINGS_SECRET}}
    answer = administrator.post("/api/v3/connections", body)
    assert answer.status_code == 201
    assert answer.json()["settings"][name] == "***"
    stored = Connection.objects.get(key="second-eu")
    assert stored.settings_and_secrets()[name] == SETTINGS_SECRET
    assert stored.rules.exists()
    assert SETTINGS_SECRET not in administrator.get("/api/v3/connections").content.decode()
    config = administrator.get("/api/v3/admin/crm-config").json()
    assert config["second-eu"]["api_key_configured"] is True


def test_secrets_lie_encrypted(administrator: APIClient, connection: Connection) -> None:
    from django.db import connection as database

    with database.cursor() as cursor:
        cursor.execute("SELECT secrets, config::text FROM connectors_connection WHERE id = %s", [connection.pk])
        row = cursor.fetchone()
    secret = str(connection.secrets[secret_name(connection)])
    assert secret not in row[0] + row[1]


def test_a_secret_sent_back_as_stars_is_kept(administrator: APIClient, connection: Connection) -> None:
    name = secret_name(connection)
    before = connection.secrets[name]
    url = f"/api/v3/connections/{connection.key}"
    assert administrator.patch(url, {"label": "Mine", "settings": {name: "***"}}).status_code == 200
    connection.refresh_from_db()
    assert (connection.label, connection.secrets[name]) == ("Mine", before)
    assert administrator.patch(url, {"settings": {name: None}}).json()["configured"] is False


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"base_url": "http://10.0.0.5/x"}, "base_url"),
        ({"base_url": "https://127.0.0.1"}, "base_url"),
        ({"base_url": "https://169.254.169.254/latest"}, "base_url"),
        ({"base_url": "ftp://example.com"}, "base_url"),
        ({"base_url": "https://user:pass@example.com"}, "base_url"),
        ({"rps": "fast"}, "rps"),
        ({"nonsense": "x"}, "nonsense"),
        ("text", "settings"),
    ],
)
def test_bad_settings_are_named(administrator: APIClient, connection: Connection, settings: Any, named: str) -> None:
    answer = administrator.patch(f"/api/v3/connections/{connection.key}", {"settings": settings})
    assert answer.status_code == 400
    assert named in str(answer.json().get("fields"))


def test_rules(administrator: APIClient, operator: APIClient, connection: Connection) -> None:
    url = f"/api/v3/connections/{connection.key}/rules"
    count = len(operator.get(url).json())
    assert count >= 4
    rule = {"ours": "attributes.city", "theirs": "CITY", "mode": "if_new"}
    assert operator.post(url, rule).status_code == 403
    made = administrator.post(url, rule)
    assert made.status_code == 201
    assert administrator.post(url, rule).status_code == 409
    assert administrator.patch(f"{url}/{made.json()['id']}", {"mode": "overwrite"}).json()["mode"] == "overwrite"
    first = operator.get(url).json()[0]
    clash = {"ours": first["ours"], "theirs": first["theirs"]}
    assert administrator.patch(f"{url}/{made.json()['id']}", clash).status_code == 409
    assert administrator.delete(f"{url}/{made.json()['id']}").status_code == 204
    assert len(operator.get(url).json()) == count


@pytest.mark.parametrize("mode", ["if_empty", "append"])
def test_a_rule_that_has_to_look_is_refused_where_nothing_can_be_read(
    administrator: APIClient, connection: Connection, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    spec = connection.spec
    blind = replace(spec, entities={"contacts": replace(spec.entities["contacts"], read=False)})
    monkeypatch.setattr(connection.connector_class, "spec", blind)
    url = f"/api/v3/connections/{connection.key}/rules"
    rule = {"ours": "attributes.city", "theirs": "CITY", "mode": mode, "direction": "push"}
    refused = administrator.post(url, rule)
    assert (refused.status_code, refused.json()["code"]) == (400, "mode_unreadable")
    made = administrator.post(url, {**rule, "direction": "pull"})
    assert made.status_code == 201
    assert administrator.patch(f"{url}/{made.json()['id']}", {"direction": "both"}).status_code == 400


def test_remote_fields(operator: APIClient, connection: Connection, sandbox: Sandbox) -> None:
    fields = operator.get(f"/api/v3/connections/{connection.key}/fields").json()
    assert any("email" in field["key"].lower() for field in fields)


def test_a_push_is_a_run(operator: APIClient, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncjobs.services.async_task", lambda *args, **kwargs: None)
    answer = operator.post(f"/api/v3/connections/{connection.key}/push")
    assert answer.status_code == 202
    run = answer.json()["run"]
    said = operator.get(f"/api/v3/runs/{run}").json()
    assert (said["connection"], said["status"], said["kind"]) == (connection.key, "running", "push")
    busy = operator.post(f"/api/v3/connections/{connection.key}/push")
    assert (busy.status_code, busy.json()["run"]) == (409, run)
    assert operator.post(f"/api/v3/runs/{run}/cancel").status_code == 200
    Run.objects.update(status="done")
    assert operator.post(f"/api/v3/runs/{run}/cancel").status_code == 409
    assert operator.get("/api/v3/runs", {"crm": connection.key}).json()["results"][0]["id"] == run
    assert operator.get(f"/api/v3/runs/{run}/items").json()["results"] == []
    assert operator.get("/api/v3/runs/999999/items").status_code == 404
