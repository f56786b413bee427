"""`manage.py doctor` names what is wrong with the machine, its database, the connections and the alerts."""

from collections import namedtuple
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command

from connectors import services
from connectors.core import registry
from connectors.models import Connection, ConnectionState
from crmsync import checks_of_host

pytestmark = pytest.mark.django_db

Usage = namedtuple("Usage", "total used free")
# One that tells of changes by itself.
SLUG = next(s for s, c in sorted(registry.all_connectors().items()) if c.webhooks is not None and c.spec.secrets())


@pytest.fixture
def connection() -> Connection:
    sandbox = registry.sandbox_class(SLUG)
    assert sandbox is not None
    return services.create_connection(SLUG, "here", sandbox().config("https://sandbox.example.com"))


def doctor() -> tuple[int, str]:
    output = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("doctor", stdout=output)
    assert isinstance(end.value.code, int)
    return end.value.code, output.getvalue()


def test_secrets_without_their_key_are_an_error(connection: Connection, settings: Any) -> None:
    assert "connectors.E001" not in doctor()[1]
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    status, said = doctor()
    assert status == 1
    assert "Error connectors.E001: The stored secrets of here cannot be read." in said


def test_a_connection_that_needs_attention_is_named(connection: Connection) -> None:
    assert "syncjobs.W001" not in doctor()[1]
    Connection.objects.update(state=ConnectionState.NEEDS_ATTENTION, state_message="The key is gone.")
    assert "Warning syncjobs.W001: here needs attention: The key is gone." in doctor()[1]


def test_webhooks_that_cannot_arrive_are_a_hint(connection: Connection, settings: Any) -> None:
    assert "Hint syncjobs.I002: here could send webhooks" in doctor()[1]
    settings.SITE_URL = "https://crm.example.com"
    assert "syncjobs.I002" not in doctor()[1]


def test_alerts_that_nobody_hears_of(connection: Connection, settings: Any) -> None:
    assert "Hint syncjobs.I004: Alerts are shown on the dashboard only." in doctor()[1]
    settings.ALERT_EMAILS = ["boss@example.com"]
    assert "Warning syncjobs.W003: ALERT_EMAILS is set, but EMAIL_URL is not" in doctor()[1]
    settings.EMAIL_URL = "smtp://mail.example.com"
    said = doctor()[1]
    assert "syncjobs.I004" not in said
    assert "syncjobs.W003" not in said


def test_a_demonstration_needs_no_alerts(connection: Connection) -> None:
    Connection.objects.update(is_sandbox=True)
    assert "syncjobs.I004" not in doctor()[1]


def test_a_full_disk_is_named(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LOG_DIR = str(tmp_path)
    monkeypatch.setattr(checks_of_host.shutil, "disk_usage", lambda _: Usage(0, 0, checks_of_host.LEAST_FREE_BYTES))
    assert "crmsync.W010" not in doctor()[1]
    monkeypatch.setattr(checks_of_host.shutil, "disk_usage", lambda _: Usage(0, 0, 42_000_000))
    assert f"Warning crmsync.W010: Only 42 MB are free for {tmp_path}." in doctor()[1]


def test_an_old_postgresql_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "crmsync.E011" not in doctor()[1]
    monkeypatch.setattr(checks_of_host, "OLDEST_POSTGRESQL", 999)
    assert "Error crmsync.E011: PostgreSQL is" in doctor()[1]


def test_https_without_a_proxy_is_a_loop(settings: Any) -> None:
    settings.HTTPS = True
    assert "Warning crmsync.W012: SITE_URL is https://, but TRUSTED_PROXIES is 0" in doctor()[1]
    settings.TRUSTED_PROXIES = 1
    assert "crmsync.W012" not in doctor()[1]
