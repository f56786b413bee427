"""Giving access to an account, in a real browser and on the sandbox's own pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from connectors import services
from connectors.core import registry
from connectors.core.testing import SandboxServer
from connectors.models import ConnectionState, OAuthGrant
from tests.oauth.conftest import SLUGS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("slug", SLUGS[:1])
def test_an_account_is_connected_and_reconnected(
    slug: str, visit: Callable[..., Any], person: Callable[[str], Any], live_server: Any, settings: Any
) -> None:
    settings.ALLOW_PRIVATE_HOSTS = ["127.0.0.1"]
    sandbox: Any = registry.sandbox_class(slug)(enforce_limits=False)  # type: ignore[misc]
    sandbox.register_hub(live_server.url)
    with SandboxServer(sandbox) as server:
        sandbox.base_url = server.url
        connection = services.create_connection(slug, slug, sandbox.oauth_config(server.url) | {"rps": 0})
        visitor = visit(person("administrator"))
        page = visitor.open(f"/admin/connectors/connection/{connection.pk}/change/")
        for name in (r"\bConnect$", r"\bReconnect$"):
            page.get_by_role("link", name=re.compile(name)).click()
            page.locator("#allow").click()
            expect(page.get_by_role("link", name=re.compile(r"\bReconnect$"))).to_be_visible()
        connection.refresh_from_db()
        assert connection.state == ConnectionState.OK
        assert OAuthGrant.objects.get().tokens
        # The sandbox's own pages stand for those of the real system, and nothing else was asked.
        assert {address for address in visitor.elsewhere if not address.startswith(server.url)} == set()
        visitor.elsewhere.clear()
