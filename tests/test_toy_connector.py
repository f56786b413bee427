"""Adding a system is one folder: what `newconnector` writes shows up everywhere, with no edit anywhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from connectors import services
from connectors.core import registry
from connectors.core.base import Connector
from connectors.core.testing import SandboxAdapter
from connectors.models import Connection
from connectors.traffic import meter
from contacts.models import Contact
from syncjobs import enqueue
from syncjobs.push import push
from tests.plugins.toy import toy_connector

__all__ = ["toy_connector"]


@pytest.fixture
def administrator(db: None, django_user_model: Any) -> Any:
    return django_user_model.objects.create_superuser("toy-admin", "toy@example.com", "x")


@pytest.fixture
def api(administrator: Any) -> APIClient:
    client = APIClient()
    client.force_authenticate(administrator)
    return client


@pytest.fixture
def page(administrator: Any) -> Client:
    client = Client()
    client.force_login(administrator)
    return client


@pytest.fixture
def sandbox(toy_connector: type[Connector], monkeypatch: pytest.MonkeyPatch) -> Any:
    made = registry.sandbox_class("toy")()  # type: ignore[misc]
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: SandboxAdapter(made))
    return made


@pytest.fixture
def connection(db: None, sandbox: Any) -> Connection:
    return services.create_connection("toy", "toy", sandbox.config("https://toy.example.com"))


@pytest.fixture
def contact(db: None) -> Contact:
    return Contact.objects.create(first_name="Ann", last_name="Bell", email="ann@example.com")


def test_it_is_offered_before_it_is_connected(
    api: APIClient, page: Client, toy_connector: Any, contact: Contact
) -> None:
    assert api.get("/api/v3/admin/crm-config").json()["toy"] == {"enabled": False, "api_key_configured": False}
    assert "toy" in api.get(f"/api/v3/contacts/{contact.pk}/sync-status").json()
    assert toy_connector.spec.label in page.get("/admin/connectors/connection/add/").content.decode()
    refused = api.post(f"/api/v3/contacts/{contact.pk}/queue-sync", {"crm": "toy"})
    assert (refused.status_code, refused.json()["code"]) == (400, "crm_not_connected")


def test_it_is_queued_pushed_and_shown(api: APIClient, connection: Connection, sandbox: Any, contact: Contact) -> None:
    assert api.get("/api/v3/admin/crm-config").json()["toy"]["api_key_configured"] is True
    assert api.post("/api/v3/admin/test-crm-credentials", {"crm": "toy"}).json()["status"] == "valid"
    assert api.post(f"/api/v3/contacts/{contact.pk}/queue-sync", {"crm": "toy"}).status_code == 200
    push(connection, trigger="test")
    said = api.get(f"/api/v3/contacts/{contact.pk}/sync-status").json()["toy"]
    assert said["sync_status"] == "Complete"
    assert len(sandbox.people()) == 1
    assert api.get("/api/v3/contacts/sync-stats", {"crm": "toy"}).json()["synced"] == 1


def test_the_admin_has_its_column_filter_actions_and_form(
    page: Client, connection: Connection, contact: Contact
) -> None:
    listed = page.get("/admin/contacts/contact/").content.decode()
    assert f"Queue for {connection}" in listed
    assert "status_toy" in listed
    form = page.get(f"/admin/connectors/connection/{connection.pk}/change/").content.decode()
    for field in connection.spec.config:
        assert f"setting_{field.name}" in form
    data = {"action": "queue_toy", "_selected_action": [str(contact.pk)]}
    assert page.post("/admin/contacts/contact/", data).status_code == 302
    assert contact.links.get().sync_status == "Queued"  # type: ignore[attr-defined]


def test_its_credentials_are_tested_from_its_page(page: Client, connection: Connection) -> None:
    answer = page.post(f"/admin/connectors/connection/{connection.pk}/test/", follow=True)
    assert "The key is accepted." in answer.content.decode()
    services.set_values(connection, {"api_key": "another"})
    connection.save()
    answer = page.post(f"/admin/connectors/connection/{connection.pk}/test/", follow=True)
    assert "credentials were refused" in answer.content.decode()


def test_its_requests_and_its_queue_are_measured(page: Client, connection: Connection, contact: Contact) -> None:
    enqueue.enqueue_ids(connection, [contact.pk])
    push(connection, trigger="test")
    assert meter.flush()
    lines = page.get("/metrics").content.decode().splitlines()
    toys = [line for line in lines if 'connection="toy"' in line]
    assert [line for line in toys if line.startswith("crmsync_requests_total{") and 'endpoint="/contacts"' in line]
    assert [
        line
        for line in toys
        if line.startswith("crmsync_links{") and 'status="Complete"' in line and line.endswith(" 1.0")
    ]


def test_how_to_connect_it_is_told(page: Client, toy_connector: type[Connector]) -> None:
    address = "/admin/connectors/connection/instructions/toy/"
    assert address in page.get("/admin/connectors/connection/add/?connector=toy").content.decode()
    shown = page.get(address).content.decode()
    assert "Connecting Toy CRM" in shown
    assert "<code>TOY_API_KEY</code>" in shown
    assert "Подключение Toy CRM" in page.get(address, headers={"accept-language": "ru"}).content.decode()
    assert page.get("/admin/connectors/connection/instructions/nosuch/").status_code == 404


def test_environment_and_sandbox_command_know_it(
    db: None, toy_connector: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for field in toy_connector.spec.config:
        if field.signs_in or field.required:
            monkeypatch.setenv(
                toy_connector.spec.env_name(field), "https://toy.example.com" if "url" in field.name else "x"
            )
    assert [made.key for made in services.connect_from_environment()] == ["toy"]
    assert services.connect_from_environment() == []

    monkeypatch.setattr("syncjobs.management.commands.sandbox.Command._wait", lambda self: None)
    call_command("sandbox", "toy", ports_file=tmp_path / "ports.json")
    assert list(json.loads((tmp_path / "ports.json").read_text())) == ["toy"]
