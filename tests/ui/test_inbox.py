"""The inbox in a real browser, on a wide and on a narrow screen, and in Russian."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from connectors import services
from connectors.core import registry
from connectors.core.testing import SandboxServer
from connectors.models import Connection
from syncjobs import inbox, inbox_processing
from syncjobs.models import EventStatus, InboundEvent
from tests.ui.test_pages import leftovers

pytestmark = pytest.mark.django_db(transaction=True)
SLUG = next(slug for slug, connector in registry.all_connectors().items() if connector.webhooks is not None)
INBOX = "/admin/syncjobs/inboundevent/"


@pytest.fixture
def connection(transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    settings.ALLOW_PRIVATE_HOSTS = ["127.0.0.1"]
    settings.SITE_URL = "http://127.0.0.1:1"
    for module in ("inbox", "subscriptions"):
        monkeypatch.setattr(f"syncjobs.{module}.async_task", lambda *args, **kwargs: None)
    with SandboxServer(registry.sandbox_class(SLUG)(enforce_limits=False)) as server:  # type: ignore[misc]
        values = server.sandbox.config(server.url) | {"rps": 0}
        yield services.create_connection(SLUG, SLUG, values, is_sandbox=True)


@pytest.fixture
def event(connection: Connection) -> InboundEvent:
    inbox.accept(connection.pk, "all", "", "leads[add][0][id]=17&leads[add][0][name]=Эрик".encode())
    inbox_processing.process(connection)
    return InboundEvent.objects.get()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1440, 390])
def test_replaying_a_webhook(
    visit: Callable[..., Any], person: Callable[[str], Any], event: InboundEvent, width: int
) -> None:
    visitor = visit(person("operator"), width=width)
    page = visitor.open(f"{INBOX}{event.pk}/change/")
    expect(page.locator("#payload")).to_contain_text("Эрик")
    page.get_by_role("button", name="Process again").click()
    expect(page.get_by_text("1 event is processed again.")).to_be_visible()
    event.refresh_from_db()
    assert (event.status, event.replays) == (EventStatus.NEW, 1)
    page = visitor.open(INBOX)
    expect(page.locator("#result_list")).to_contain_text("leads 17")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.browser
def test_subscribing_and_removing(
    visit: Callable[..., Any], person: Callable[[str], Any], connection: Connection
) -> None:
    page = visit(person("administrator")).open(f"/admin/connectors/connection/{connection.pk}/change/")
    panel = page.locator("#subscription")
    panel.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_text("The webhooks are subscribed to and working.")).to_be_visible()
    expect(panel).to_contain_text("/all/***")
    panel.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("The webhooks have been removed.")).to_be_visible()


def test_no_english_is_left_in_russian(client: Any, person: Callable[[str], Any], event: InboundEvent) -> None:
    client.force_login(person("administrator"))
    for path in (f"{INBOX}{event.pk}/change/", INBOX, f"/admin/connectors/connection/{event.connection_id}/change/"):
        # The payload is shown as it came, and so are its keys.
        assert set(leftovers(client, path)) <= {"add", "name"}, path
