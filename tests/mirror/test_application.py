"""The seed's webhooks where the portal is connected by a local application: registered, listed, taken away."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from rest_framework.test import APIClient

from connectors import services
from connectors.bitrix24.sandbox import BitrixSandbox
from connectors.core.clock import ManualClock
from connectors.core.testing import SandboxAdapter
from syncjobs import inbox, inbox_processing, webhook_tokens
from syncjobs.mirror import schedule
from tests.mirror.conftest import Mirrored
from tests.oauth.test_accounts import connect

# Tokens are stored over a connection of their own, which sees what is committed alone.
pytestmark = pytest.mark.django_db(transaction=True)

SITE, PATH, PORTAL = "https://hub.example.com", "/api/v1/webhooks/bitrix", "https://portal.example.com"
REGISTER = f"/api/v1/webhooks/register?handler_base_url={SITE}"
UNREGISTER = f"/api/v1/webhooks/unregister?handler_base_url={SITE}"
OTHERS = "https://other.example.com/events"


@pytest.fixture
def portal(
    drop_tables: None, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, settings: Any, admin_client: Client
) -> Mirrored:
    """Connected as a person connects a local application in a browser."""
    settings.SITE_URL, settings.SECURE_SSL_REDIRECT = SITE, False
    sandbox = BitrixSandbox(clock, enforce_limits=False)
    sandbox.base_url = PORTAL
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: SandboxAdapter(sandbox))
    for module in ("inbox", "mirror.schedule"):
        monkeypatch.setattr(f"syncjobs.{module}.async_task", lambda *args, **kwargs: None)
    webhook_tokens.forget()
    inbox._asked.clear()
    connection = services.create_connection("bitrix24", "bitrix24", sandbox.oauth_config(PORTAL) | {"rps": 0})
    connect(admin_client, "bitrix24", sandbox, "bitrix24")
    return Mirrored(connection, sandbox)


def bound(portal: Mirrored, under: str = SITE + PATH) -> list[tuple[str, str]]:
    """Events with their addresses; the hub's own subscription has another path."""
    found = sorted((row["event"], row["handler"]) for row in portal.sandbox.events.listed())
    return [(event, handler) for event, handler in found if handler.split("?")[0] == under]


def test_the_twelve_events_are_registered_once_and_taken_away(portal: Mirrored, operator: APIClient) -> None:
    portal.sandbox.events.bind({"event": "ONCRMDEALUPDATE", "handler": OTHERS})
    answers = [operator.post(REGISTER) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].json()
    assert answers[0].json() == answers[1].json()
    (shown,) = answers[0].json()["webhooks"]
    assert (shown["handler"], len(shown["events"])) == (SITE + PATH, 12)
    ours = [handler for _event, handler in bound(portal)]
    assert (len(ours), len(set(ours))) == (12, 1)
    # The address that the portal has carries a token, which nobody is shown.
    token = parse_qs(urlsplit(ours[0]).query)["token"][0]
    listed = operator.get("/api/v1/webhooks/registered")
    assert shown in listed.json()["webhooks"]
    assert token not in listed.content.decode()
    assert [operator.delete(UNREGISTER).status_code for _ in range(2)] == [200, 200]
    assert bound(portal) == []
    assert bound(portal, OTHERS) == [("ONCRMDEALUPDATE", OTHERS)]
    assert shown not in operator.get("/api/v1/webhooks/registered").json()["webhooks"]


def test_what_was_unbound_in_the_portal_is_bound_again(portal: Mirrored, operator: APIClient) -> None:
    operator.post(REGISTER)
    before = bound(portal)
    portal.sandbox.events.unbind({"event": before[0][0], "handler": before[0][1]})
    assert operator.post(REGISTER).status_code == 200
    assert bound(portal) == before


def test_registered_events_are_followed(portal: Mirrored, operator: APIClient) -> None:
    operator.post(REGISTER)
    schedule.configure(portal.entity("deals"), {"webhook_enabled": True})
    number = portal.sandbox.person_adds("deals", TITLE="Roof")
    portal.run("deals")
    portal.sandbox.events.waiting.clear()
    portal.sandbox.person_updates(number, "deals", TITLE="Wall")
    client = Client()

    def send(url: str, body: bytes, kind: str) -> int:
        parts = urlsplit(url)
        return client.generic("POST", f"{parts.path}?{parts.query}", body, content_type=kind).status_code

    portal.sandbox.events.send = send
    # At the hub's own subscription it arrives as well; the record is read once.
    assert portal.sandbox.events.deliver() == 2
    portal.sandbox.seen.clear()
    inbox_processing.process(portal.connection)
    assert portal.rows("deal")[number]["title"] == "Wall"
    assert len(portal.sandbox.seen) <= 2
