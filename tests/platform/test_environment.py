"""Variables: literal values, secrets in files, empty means unset, and refusals that say what is wrong."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from crmsync.environment import BASE_DIR, Environment

env = Environment()


@pytest.mark.parametrize("value", ["$ecret", "$HOME", "\\$x", "a$b", "pa#ss=word&", "{x}"])
def test_values_are_taken_literally(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("A_SECRET", value)
    assert env.secret("A_SECRET") == value
    assert env.str("A_SECRET") == value


def test_a_generated_password_survives_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CRMSYNC_TEST_A='$ecret#1'\nCRMSYNC_TEST_B=$HOME\n")
    code = (
        "from crmsync.environment import Environment as E; "
        f"E.read_env({str(tmp_path / '.env')!r}); print(E().str('CRMSYNC_TEST_A'), E().str('CRMSYNC_TEST_B'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BASE_DIR, capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.strip() == "$ecret#1 $HOME"


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("A_SECRET_FILE", str(tmp_path / "key"))
    assert env.secret("A_SECRET") == "from-a-file"
    monkeypatch.setenv("A_SECRET_FILE", str(tmp_path / "missing"))
    with pytest.raises(ImproperlyConfigured, match=r"A_SECRET_FILE names .* cannot be read"):
        env.secret("A_SECRET")


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_NUMBER", "")
    assert env.int("A_NUMBER", default=7) == 7
    with pytest.raises(ImproperlyConfigured, match="A_NUMBER is not set"):
        env.int("A_NUMBER")


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        ("int", "ten", "A_VALUE must be a whole number, but is “ten”."),
        ("float", "1,5", "A_VALUE must be a number, but is “1,5”."),
        ("bool", "maybe", "A_VALUE must be yes or no, but is “maybe”."),
    ],
)
def test_an_invalid_value_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, kind: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv("A_VALUE", value)
    with pytest.raises(ImproperlyConfigured) as refusal:
        getattr(env, kind)("A_VALUE", default=None)
    assert str(refusal.value) == sentence


def test_lists_and_yes_and_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_LIST", " a, b ,,c")
    monkeypatch.setenv("A_FLAG", "Yes")
    assert env.list("A_LIST") == ["a", "b", "c"]
    assert env.bool("A_FLAG") is True


def test_a_database_address_is_left_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANY_DATABASE_URL", "postgres://me:p%24%40ss@db.example.com:6432/crm")
    found = env.database("ANY_DATABASE_URL")
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert {key: found[key] for key in ("HOST", "PORT", "NAME", "USER", "PASSWORD")} == {
        "HOST": "db.example.com",
        "PORT": 6432,
        "NAME": "crm",
        "USER": "me",
        "PASSWORD": "p$@ss",
    }


def test_without_a_database_address_the_embedded_server_is_named_and_not_started(tmp_path: Path) -> None:
    found = env.database("NO_SUCH_DATABASE_URL")
    assert found["ENGINE"] == "crmsync.postgres"
    assert Path(found["HOST"]).name.startswith(("run", "crmsync-"))


@pytest.mark.parametrize("address", ["sqlite:///db.sqlite3", "mysql://x/y", "db.example.com"])
def test_another_kind_of_database_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("ANY_DATABASE_URL", address)
    with pytest.raises(ImproperlyConfigured, match="PostgreSQL only"):
        env.database("ANY_DATABASE_URL")


def settings_in(environment: dict[str, str], expression: str) -> Any:
    code = f"from crmsync import settings as s; print(repr({expression}))"
    kept = {"PATH": os.environ["PATH"], "CRMSYNC_IGNORE_DOTENV": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=BASE_DIR, capture_output=True, text=True, env={**kept, **environment}
    )


def test_an_https_address_turns_everything_secure_on(tmp_path: Path) -> None:
    hosts = "s.ALLOWED_HOSTS[0], s.ALLOWED_HOSTS[-1]"
    names = f"(s.SESSION_COOKIE_SECURE, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0, {hosts})"
    home = {"CRMSYNC_DATA_DIR": str(tmp_path)}
    done = settings_in({"SITE_URL": "https://crm.example.com/", "ALLOWED_HOSTS": "web", **home}, names)
    assert done.stdout.strip() == "(True, True, True, 'web', 'crm.example.com')"
    assert settings_in(home, "s.SECURE_SSL_REDIRECT").stdout.strip() == "False"


def test_a_bad_number_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    done = settings_in({"WORKERS": "many", "CRMSYNC_DATA_DIR": str(tmp_path)}, "1")
    assert done.returncode != 0
    assert done.stderr.strip().endswith("WORKERS must be a whole number, but is “many”.")


def test_check_deploy_is_content_with_a_production_environment(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "CRMSYNC_IGNORE_DOTENV": "1",
        "CRMSYNC_DATA_DIR": str(tmp_path),
        "SECRET_KEY": "$0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "CREDENTIAL_KEYS": "dGhpcy1rZXktaXMtZm9yLXRlc3RzLW9ubHktMDEyMzQ=",
        "SITE_URL": "https://crm.example.com",
        "TRUSTED_PROXIES": "1",
        "DJANGO_SETTINGS_MODULE": "crmsync.settings",
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    without = subprocess.run(
        command,
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        env=environment | {"SECRET_KEY": "", "CREDENTIAL_KEYS": ""},
    )
    assert without.returncode != 0
    assert "crmsync.E001" in without.stderr
    assert "crmsync.E002" in without.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("3600", 3600), ("90s", 90), ("30m", 1800), ("1h", 3600), ("1.5 H", 5400), ("1d", 86400)]
)
def test_times(monkeypatch: pytest.MonkeyPatch, text: str, seconds: float) -> None:
    monkeypatch.setenv("ANY_INTERVAL", text)
    assert env.duration("ANY_INTERVAL", default=1.0, least=60.0) == seconds
    monkeypatch.setenv("ANY_INTERVAL", "")
    assert env.duration("ANY_INTERVAL", default=1.0, least=60.0) == 1.0


@pytest.mark.parametrize("text", ["0", "59s", "-1h", "hourly", "1w", "1h30"])
def test_a_bad_time_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ANY_INTERVAL", text)
    with pytest.raises(ImproperlyConfigured, match="ANY_INTERVAL must be a time such as"):
        env.duration("ANY_INTERVAL", default=1.0, least=60.0)
