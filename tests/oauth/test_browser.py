"""Giving access in a browser and by a code from the settings, against the sandbox's own pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from django.test import Client
from django.utils import timezone

from connectors import oauth, services
from connectors.core import registry
from connectors.core.clock import ManualClock
from connectors.core.testing import SandboxAdapter
from connectors.models import Connection, ConnectionState, OAuthGrant, OAuthState
from syncjobs import setup
from syncjobs.compat import seed_000
from tests.oauth.browser import allow, callback_of

URL = "https://sandbox.example.com"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sandbox(slug: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    made: Any = registry.sandbox_class(slug)(ManualClock(), enforce_limits=False)  # type: ignore[misc]
    made.base_url = URL
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: SandboxAdapter(made))
    return made


@pytest.fixture
def connection(slug: str, sandbox: Any) -> Connection:
    return services.create_connection(slug, slug, sandbox.oauth_config(URL) | {"rps": 0})


@pytest.fixture
def page(django_user_model: Any) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("admin", "admin@example.com", "x"))
    return client


def test_the_whole_way(slug: str, sandbox: Any, connection: Connection, page: Client) -> None:
    assert "/admin/login/" in Client().get(f"/auth/{slug}/start")["Location"]
    answer = allow(sandbox, page.get(f"/auth/{slug}/start")["Location"])

    assert page.get(f"{callback_of(sandbox)}?{answer}").status_code == 302

    connection.refresh_from_db()
    assert connection.state == ConnectionState.OK
    assert services.check_credentials(connection).account
    stored = OAuthGrant.objects.values_list("tokens", flat=True)
    assert list(stored) != [{}]
    form = page.get(f"/admin/connectors/connection/{connection.pk}/change/").content.decode()
    assert f"/admin/connectors/connection/{connection.pk}/connect/" in form


def test_a_state_is_good_once_and_for_its_own_session(
    slug: str, sandbox: Any, connection: Connection, page: Client, django_user_model: Any
) -> None:
    answer = allow(sandbox, page.get(f"/auth/{slug}/start")["Location"])
    callback = f"{callback_of(sandbox)}?{answer}"
    other = Client()
    other.force_login(django_user_model.objects.create_user("other"))
    for stranger in (Client(), other):
        refused = stranger.get(callback)
        assert (refused.status_code, refused.json()["code"]) == (400, "state_invalid")
    assert not OAuthGrant.objects.exists()
    page.get(callback)
    assert OAuthGrant.objects.exists()
    assert not OAuthState.objects.exists()
    with pytest.raises(oauth.StateInvalid):
        oauth.finish({"state": parse_qs(answer)["state"][0], "code": "x"}, user_id=None)


@pytest.mark.parametrize("change", ["denied", "referer", "old"])
def test_what_is_not_to_be_trusted_gives_no_access(
    slug: str, sandbox: Any, connection: Connection, page: Client, change: str
) -> None:
    if change == "referer" and slug != "amocrm":
        pytest.skip("its answer names no account")
    start = page.get(f"/auth/{slug}/start")["Location"]
    answer = allow(sandbox, start, "deny" if change == "denied" else "allow")
    if change == "referer":
        answer = answer.replace("referer=sandbox.example.com", "referer=evil.example.com")
    if change == "old":
        OAuthState.objects.update(created_at=timezone.now() - timedelta(hours=1))
    page.get(f"{callback_of(sandbox)}?{answer}")
    assert not OAuthGrant.objects.exists()
    assert sandbox.sign_in_paths[-1] not in [seen.path for seen in sandbox.seen]


def needs_typed_in_codes(slug: str) -> None:
    if "auth_code" not in {f.name for f in registry.get(slug).spec.config}:
        pytest.skip("its codes cannot be typed in")


def test_the_address_of_the_page_is_told(sandbox: Any, db: None) -> None:
    link = Client().get("/api/v1/amocrm/auth").json()["auth_url"]
    assert urlsplit(link).path == "/auth/amocrm/start"


def test_a_code_from_the_settings_is_exchanged_once_at_the_start(
    slug: str, sandbox: Any, connection: Connection
) -> None:
    needs_typed_in_codes(slug)
    services.set_values(connection, {"auth_code": sandbox.authority.code()})
    connection.save()
    assert any("exchanged" in line for line in setup.run())
    assert not any("code" in line for line in setup.run())
    assert services.check_credentials(connection).account


def test_an_expired_code_is_explained_and_not_tried_again(slug: str, sandbox: Any, connection: Connection) -> None:
    needs_typed_in_codes(slug)
    services.set_values(connection, {"auth_code": sandbox.authority.code()})
    connection.save()
    sandbox.clock.sleep(1300)
    assert any("20 minutes" in line for line in setup.run())
    connection.refresh_from_db()
    assert connection.state == ConnectionState.NEEDS_ATTENTION
    asked = len(sandbox.seen)
    assert not any("20 minutes" in line for line in setup.run())
    assert len(sandbox.seen) == asked


def test_idle_accounts_are_renewed_ahead_and_dead_ones_wait_for_a_person(
    slug: str, sandbox: Any, connection: Connection, page: Client, settings: Any
) -> None:
    settings.TOKEN_REFRESH_INTERVAL = 600.0
    page.get(f"{callback_of(sandbox)}?{allow(sandbox, page.get(f'/auth/{slug}/start')['Location'])}")
    OAuthGrant.objects.update(expires_at=timezone.now() + timedelta(minutes=10))
    oauth.renew_ahead()
    oauth.renew_ahead()
    assert sandbox.authority.refreshes == 1
    sandbox.authority.refresh.clear()
    OAuthGrant.objects.update(expires_at=timezone.now() + timedelta(minutes=10))
    oauth.renew_ahead()
    oauth.renew_ahead()
    connection.refresh_from_db()
    assert connection.state == ConnectionState.NEEDS_ATTENTION
    assert "econnect" in connection.state_message


def test_the_seed_is_told_whose_access_is_missing(
    slug: str, sandbox: Any, connection: Connection, page: Client
) -> None:
    def told() -> Any:
        answer = seed_000.access_missing(slug)
        return None if answer is None else (answer.status_code, orjson.loads(answer.content))

    if slug not in seed_000.LABELS:
        pytest.skip("the seed does not know this system")
    missing = 401, {"detail": f"{seed_000.LABELS[slug]} auth required", "auth_url": f"/auth/{slug}/start"}
    assert told() == missing
    page.get(f"{callback_of(sandbox)}?{allow(sandbox, page.get(f'/auth/{slug}/start')['Location'])}")
    assert told() is None
    assert oauth.access(connection).expires_at is not None
    OAuthGrant.objects.update(broken="withdrawn")
    assert told() == missing
    connection.delete()
    assert told() == missing
