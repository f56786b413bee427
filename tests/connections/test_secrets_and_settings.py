"""Secrets at rest, and settings from environment, files and forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from connectors import services
from connectors.core.errors import ApiError
from connectors.core.types import Auth, ConfigField, ConfigKind, ConnectorSpec, Secret
from connectors.crypto import SecretUnreadable, decrypt, encrypt
from connectors.environment import SettingInvalid, parse_setting, values_from_environment
from connectors.models import public_settings
from connectors.services import account_key, make_context

SPEC = ConnectorSpec(
    slug="toy",
    label="Toy",
    auth=Auth.API_KEY,
    config=(
        ConfigField("api_key", "API key", ConfigKind.SECRET, signs_in=True),
        ConfigField("base_url", "Address", ConfigKind.URL, default="https://toy.example.com"),
        ConfigField("list_id", "List", ConfigKind.INTEGER),
        ConfigField("rps", "Pace", ConfigKind.NUMBER),
        ConfigField("tags", "Tags", ConfigKind.INTEGERS),
        ConfigField("active", "Active", ConfigKind.BOOLEAN),
        ConfigField("plan", "Plan", ConfigKind.CHOICE, choices=(("free", "Free"), ("pro", "Pro"))),
        ConfigField("special", "Special", env="TOYS_OWN_NAME"),
    ),
    entities={},
)
ONE, TWO = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_what_is_encrypted_can_be_read_and_not_seen() -> None:
    token = encrypt(b"xkeysib-very-secret")
    assert "xkeysib" not in token
    assert decrypt(token) == b"xkeysib-very-secret"
    assert encrypt(b"xkeysib-very-secret") != token


def test_keys_rotate(settings: Any) -> None:
    settings.CREDENTIAL_KEYS = [ONE]
    token = encrypt(b"text")
    settings.CREDENTIAL_KEYS = [TWO, ONE]
    assert decrypt(token) == b"text"
    newer = encrypt(b"text")
    settings.CREDENTIAL_KEYS = [TWO]
    assert decrypt(newer) == b"text"
    with pytest.raises(SecretUnreadable, match="CREDENTIAL_KEYS"):
        decrypt(token)


def test_a_passphrase_serves_as_a_key(settings: Any) -> None:
    settings.CREDENTIAL_KEYS = ["correct horse battery staple"]
    assert decrypt(encrypt(b"text")) == b"text"


def test_without_keys_the_secret_key_serves(settings: Any) -> None:
    settings.CREDENTIAL_KEYS = []
    token = encrypt(b"text")
    assert decrypt(token) == b"text"
    settings.SECRET_KEY = "another"
    with pytest.raises(SecretUnreadable):
        decrypt(token)


def test_a_tampered_token_is_refused() -> None:
    token = encrypt(b"text")
    with pytest.raises(SecretUnreadable):
        decrypt(token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1])


def test_secrets_print_as_stars() -> None:
    secret = Secret("very-secret")
    assert f"{secret} {secret!r} {[secret]}" == "*** *** [***]"
    assert (secret.reveal(), bool(secret), bool(Secret(""))) == ("very-secret", True, False)
    context = make_context(SPEC, "toy", {"api_key": "very-secret"})
    assert "very-secret" not in repr(context)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"TOY_API_KEY": " $ecret ", "TOY_LIST_ID": "7", "TOY_RPS": "0", "TOY_TAGS": "1, 2 3", "TOY_ACTIVE": "yes",
             "TOY_PLAN": "pro", "TOYS_OWN_NAME": "x", "TOY_BASE_URL": ""}  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert values_from_environment(SPEC) == {
        "api_key": "$ecret", "list_id": 7, "rps": 0.0, "tags": [1, 2, 3], "active": True, "plan": "pro", "special": "x",
    }  # fmt: skip


def test_a_secret_comes_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    monkeypatch.setenv("TOY_API_KEY_FILE", str(tmp_path / "key"))
    assert values_from_environment(SPEC)["api_key"] == "from-file"
    monkeypatch.setenv("TOY_API_KEY_FILE", str(tmp_path / "absent"))
    with pytest.raises(SettingInvalid, match="TOY_API_KEY_FILE"):
        values_from_environment(SPEC)


@pytest.mark.parametrize(("name", "text"), [("list_id", "seven"), ("rps", "fast"), ("tags", "1;x"), ("plan", "gold")])
def test_a_wrong_kind_is_named(name: str, text: str) -> None:
    field = next(f for f in SPEC.config if f.name == name)
    with pytest.raises(SettingInvalid, match=field.label) as caught:
        parse_setting(field, text)
    if field.kind is not ConfigKind.CHOICE:
        assert text not in str(caught.value)


def test_public_settings_hide_secrets() -> None:
    shown = public_settings(SPEC, {"api_key": "very-secret", "base_url": "https://toy.example.com"})
    assert shown["api_key"] == "***"
    assert shown["base_url"] == "https://toy.example.com"
    assert public_settings(SPEC, {})["api_key"] is None


def test_connections_to_one_account_share_its_limits() -> None:
    one = account_key(SPEC, {"api_key": "k", "base_url": "https://a.example.com", "list_id": 1})
    same = account_key(SPEC, {"api_key": "k", "base_url": "https://a.example.com", "list_id": 2})
    other = account_key(SPEC, {"api_key": "other", "base_url": "https://a.example.com"})
    assert one == same != other


@pytest.mark.django_db
@pytest.mark.parametrize("is_sandbox", [True, False])
def test_only_connections_to_sandboxes_may_call_this_machine(settings: Any, is_sandbox: bool) -> None:
    settings.ALLOW_PRIVATE_HOSTS = []
    values = {"access_token": "x", "base_url": "http://127.0.0.1:1"}
    connection = services.create_connection("hubspot", "h", values, is_sandbox=is_sandbox)
    if is_sandbox:
        services.open_connector(connection).close()
        return
    with pytest.raises(ApiError, match="ALLOW_PRIVATE_HOSTS"):
        services.open_connector(connection)
