"""Several accounts of one system side by side, codes and keys from outside, and the pace of renewals."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings
from django.test import Client
from django.utils import timezone
from django_q.models import Schedule
from rest_framework.test import APIClient

from connectors import oauth, services
from connectors.core import registry
from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError
from connectors.core.sandbox import Sandbox
from connectors.core.testing import SandboxAdapter
from connectors.models import Connection, ConnectionState, OAuthGrant, RateSlot
from syncjobs import setup
from tests.engine.test_processes import environment_of_processes
from tests.oauth.browser import allow, callback_of

pytestmark = pytest.mark.django_db(transaction=True)

HOME, EUROPE = "https://home.example.com", "https://europe.example.com"


class Hosts(SandboxAdapter):
    """A transport that finds each of several sandboxes at its own address."""

    def __init__(self, sandboxes: dict[str, Sandbox]) -> None:
        super().__init__(next(iter(sandboxes.values())))
        self._hosts = {urlsplit(url).netloc: SandboxAdapter(sandbox) for url, sandbox in sandboxes.items()}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return self._hosts[urlsplit(request.url or "").netloc].send(request, *args, **kwargs)


@pytest.fixture
def sandboxes(slug: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for url in (HOME, EUROPE):
        made[url] = registry.sandbox_class(slug)(ManualClock(), enforce_limits=False)  # type: ignore[misc]
        made[url].base_url = url
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: Hosts(made))
    return made


@pytest.fixture
def accounts(slug: str, sandboxes: dict[str, Any]) -> dict[str, Connection]:
    """The connections by the address of their account: `slug` and `slug-eu`."""
    keys = {HOME: slug, EUROPE: f"{slug}-eu"}
    return {
        url: services.create_connection(slug, key, sandboxes[url].oauth_config(url) | {"rps": 1000})
        for url, key in keys.items()
    }


@pytest.fixture
def page(django_user_model: Any) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("admin", "admin@example.com", "x"))
    return client


def connect(page: Client, slug: str, sandbox: Any, key: str) -> None:
    """What a person does for one of several accounts."""
    leads = page.get(f"/auth/{slug}/start", {"connection": key})["Location"]
    assert leads.startswith(sandbox.base_url)
    assert page.get(f"{callback_of(sandbox)}?{allow(sandbox, leads)}").status_code == 302


def test_each_account_has_its_own_sign_in_tokens_and_limit(
    slug: str, sandboxes: dict[str, Any], accounts: dict[str, Connection], page: Client
) -> None:
    slots = RateSlot.objects.count()
    for url, connection in accounts.items():
        connect(page, slug, sandboxes[url], connection.key)
        assert OAuthGrant.objects.filter(connection=connection).exists()
    tokens = {services.token_store(connection).current().access for connection in accounts.values()}
    assert len(tokens) == 2
    for connection in accounts.values():
        assert services.check_credentials(connection).account
    assert RateSlot.objects.count() - slots == 2
    assert all(len(set(seen.path for seen in sandbox.seen)) > 1 for sandbox in sandboxes.values())


def test_a_dead_token_leaves_the_other_account_alone(
    slug: str, sandboxes: dict[str, Any], accounts: dict[str, Connection], page: Client
) -> None:
    for url, connection in accounts.items():
        connect(page, slug, sandboxes[url], connection.key)
    sandboxes[EUROPE].authority.access.clear()
    sandboxes[EUROPE].authority.refresh.clear()
    OAuthGrant.objects.update(expires_at=timezone.now() + timedelta(minutes=30))

    oauth.renew_ahead()
    with pytest.raises(ApiError):
        services.check_credentials(accounts[EUROPE])

    for connection in accounts.values():
        connection.refresh_from_db()
    assert accounts[EUROPE].state == ConnectionState.NEEDS_ATTENTION
    assert "econnect" in accounts[EUROPE].state_message
    assert accounts[HOME].state == ConnectionState.OK
    assert sandboxes[HOME].authority.refreshes == 1
    assert services.check_credentials(accounts[HOME]).account
    connect(page, slug, sandboxes[EUROPE], accounts[EUROPE].key)
    assert services.check_credentials(accounts[EUROPE]).account


def test_a_code_of_the_environment_that_has_expired_is_explained(
    slug: str, sandboxes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, sandbox = registry.get(slug).spec, sandboxes[HOME]
    if "auth_code" not in {f.name for f in spec.config}:
        pytest.skip("its codes cannot be typed in")
    given = sandbox.oauth_config(HOME) | {"auth_code": sandbox.authority.code()}
    for field in spec.config:
        if field.name in given:
            monkeypatch.setenv(spec.env_name(field), given[field.name])
    sandbox.clock.sleep(21 * 60)
    assert any("20 minutes" in line for line in setup.run())
    connection = Connection.objects.get(key=slug)
    assert connection.state == ConnectionState.NEEDS_ATTENTION
    assert "20 minutes" in connection.state_message

    field = next(f for f in spec.config if f.name == "auth_code")
    monkeypatch.setenv(spec.env_name(field), sandbox.authority.code())
    assert any("exchanged" in line for line in setup.run())
    connection.refresh_from_db()
    assert (connection.state, connection.state_message) == (ConnectionState.OK, "")


def test_a_key_alone_is_tried_where_it_is_a_way_in(
    slug: str, sandboxes: dict[str, Any], accounts: dict[str, Connection], page: Client
) -> None:
    key = registry.get(slug).spec.api_key()
    if key is None:
        pytest.skip("this system gives access in a browser only")
    administrator = APIClient()
    administrator.force_authenticate(page.get("/admin/").wsgi_request.user)
    body = {"crm": accounts[HOME].key, "api_key": sandboxes[HOME].config(HOME)[key.name]}
    tried = administrator.post("/api/v3/admin/test-crm-credentials", body)
    assert (tried.status_code, tried.json()["status"]) == (200, "valid")
    refused = administrator.post("/api/v3/admin/test-crm-credentials", body | {"api_key": "wrong"})
    assert (refused.status_code, refused.json()["status"]) == (400, "invalid")
    accounts[HOME].refresh_from_db()
    assert accounts[HOME].state == ConnectionState.NEW
    assert key.name not in accounts[HOME].secrets


def test_tokens_are_renewed_at_the_pace_of_the_environment() -> None:
    for interval, minutes in (("", 60), ("30m", 30), ("5400", 90)):
        before = timezone.now()
        Schedule.objects.filter(func="syncjobs.tasks.renew_access").update(next_run=before + timedelta(days=1))
        subprocess.run(
            [sys.executable, "-c", "import django; django.setup(); from syncjobs import setup; setup.run()"],
            cwd=Path(settings.BASE_DIR),
            env=environment_of_processes() | {"TOKEN_REFRESH_INTERVAL": interval},
            check=True,
            timeout=60,
        )
        schedule = Schedule.objects.get(func="syncjobs.tasks.renew_access")
        assert (schedule.schedule_type, schedule.minutes, schedule.repeats) == (Schedule.MINUTES, minutes, -1)
        # A longer wait than the new one must not stay.
        assert schedule.next_run < timezone.now()


def test_what_expires_within_two_intervals_is_renewed(
    slug: str, sandboxes: dict[str, Any], accounts: dict[str, Connection], page: Client, settings: Any
) -> None:
    connect(page, slug, sandboxes[HOME], accounts[HOME].key)
    OAuthGrant.objects.update(expires_at=timezone.now() + timedelta(minutes=90))
    settings.TOKEN_REFRESH_INTERVAL = 1800.0
    oauth.renew_ahead()
    assert sandboxes[HOME].authority.refreshes == 0
    settings.TOKEN_REFRESH_INTERVAL = 3600.0
    oauth.renew_ahead()
    assert sandboxes[HOME].authority.refreshes == 1
