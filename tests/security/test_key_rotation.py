"""Stored secrets move to a new key while the hub works; nothing that was renewed meanwhile is lost."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection as database
from django.db import connections

from connectors import crypto, rotation, services
from connectors.core.auth import Tokens
from connectors.models import Connection, OAuthGrant
from crmsync.models import AuditEntry
from syncjobs.models import Subscription

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture(autouse=True)
def _old_key(settings: Any) -> Iterator[None]:
    settings.CREDENTIAL_KEYS = [OLD]
    yield
    crypto._box.cache_clear()


def told(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("rotate_keys", *arguments, stdout=out)
    return int(ended.value.code or 0), out.getvalue()


def ciphertext() -> str:
    with database.cursor() as cursor:
        cursor.execute("SELECT secrets FROM connectors_connection ORDER BY id LIMIT 1")
        return str(cursor.fetchone()[0])


@pytest.mark.django_db
def test_every_kind_of_secret_moves_and_the_old_key_may_go(connection: Connection, settings: Any) -> None:
    held = connection.secrets
    Subscription.objects.create(connection=connection, token_digest="d", secret={"token": "t0"})
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    code, text = told("--check")
    assert (code, "2 secrets still use an old key" in text) == (1, True)
    assert "Key 2 of CREDENTIAL_KEYS still encrypts 2 secrets" in doctor()
    code, text = told()
    assert (code, "2 secrets were encrypted anew" in text) == (0, True)
    assert "Key 2 of CREDENTIAL_KEYS encrypts nothing any more" in doctor()
    assert AuditEntry.objects.get(action="rotated").after == {"secrets": 2}
    settings.CREDENTIAL_KEYS = [NEW]
    assert Connection.objects.get().secrets == held
    assert Subscription.objects.get().secret == {"token": "t0"}
    assert told("--check")[0] == 0


@pytest.mark.django_db
def test_a_second_rotation_writes_nothing(connection: Connection, settings: Any) -> None:
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    told()
    before = ciphertext()
    told()
    assert ciphertext() == before
    assert AuditEntry.objects.filter(action="rotated").count() == 1


@pytest.mark.django_db
def test_a_rotation_that_was_stopped_goes_on_where_it_was(
    connection: Connection, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        Connection.objects.create(key=f"c{number}", connector=connection.connector, secrets={"api_key": f"k{number}"})
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    monkeypatch.setattr(rotation, "BATCH", 2)
    replace, calls = rotation._Column.replace, []

    def dies(self: Any, *args: Any) -> bool:
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return replace(self, *args)

    monkeypatch.setattr(rotation._Column, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        rotation.rotate()
    assert rotation.look().by_key == {0: 3, 1: 2}
    assert rotation.rotate().rotated == 2
    assert rotation.look().by_key == {0: 5}
    assert {c.secrets["api_key"] for c in Connection.objects.exclude(pk=connection.pk)} == {"k0", "k1", "k2", "k3"}


@pytest.mark.django_db(transaction=True)
def test_a_token_renewed_meanwhile_stays(
    connection: Connection, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = services.token_store(connection)
    until = datetime(2027, 1, 1, tzinfo=UTC)
    store.put(Tokens("first", "r1", until))
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    replace = rotation._Column.replace

    def renewed_first(self: Any, pk: Any, was: str, now: str) -> bool:
        """Between our look and our write another process, still with the old key in front, renews the token."""
        if self.model is OAuthGrant and store.current().access == "first":
            other = threading.Thread(target=_renew)
            other.start()
            other.join()
        return replace(self, pk, was, now)

    def _renew() -> None:
        settings.CREDENTIAL_KEYS = [OLD, NEW]
        services.token_store(connection).put(Tokens("second", "r2", until))
        settings.CREDENTIAL_KEYS = [NEW, OLD]
        connections.close_all()

    monkeypatch.setattr(rotation._Column, "replace", renewed_first)
    report = rotation.rotate()
    assert store.current().access == "second"
    assert (report.old, report.unreadable) == (0, 0)
    settings.CREDENTIAL_KEYS = [NEW]
    assert store.current().refresh == "r2"


@pytest.mark.django_db
def test_what_no_key_opens_is_counted_and_left(connection: Connection, settings: Any) -> None:
    before = ciphertext()
    settings.CREDENTIAL_KEYS = [NEW]
    code, text = told()
    assert (code, "cannot be read with any key" in text) == (1, True)
    assert ciphertext() == before
    assert "1 stored secrets cannot be read" in doctor()


def doctor() -> str:
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=out)
    return out.getvalue()
