"""What every kind of answer tells the browser, and that a public installation passes Django's own inspection."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
STRICT = {"default-src": "'none'", "frame-ancestors": "'none'", "base-uri": "'none'", "form-action": "'none'"}
PAGE = {
    "default-src": "'self'", "script-src": "'self'", "style-src": "'self' 'unsafe-inline'", "img-src": "'self' data:",
    "font-src": "'self'", "object-src": "'none'", "base-uri": "'self'", "form-action": "'self'",
    "frame-ancestors": "'none'",
}  # fmt: skip
ADMIN = {**PAGE, "script-src": "'self' 'unsafe-eval'"}
KINDS = {
    "/health": STRICT,
    "/api/v3/contacts": STRICT,
    "/api/schema": STRICT,
    "/nothing/here": STRICT,
    "/api/docs": PAGE,
    "/admin/login/": ADMIN,
    "/admin/": ADMIN,
}


def policy(answer: Any) -> dict[str, str]:
    parts = (directive.strip().split(" ", 1) for directive in answer["Content-Security-Policy"].split(";"))
    return {name: " ".join(sorted(value.split(), key=_order)) for name, value in parts}


def _order(source: str) -> tuple[bool, str]:
    return source != "'self'", source


@pytest.mark.django_db
@pytest.mark.parametrize("path", KINDS)
def test_every_kind_of_answer_is_guarded(path: str, client: Client) -> None:
    answer = client.get(path)
    if answer.status_code != 302:
        assert policy(answer) == KINDS[path]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]
    assert "geolocation=()" in answer["Permissions-Policy"]
    assert "Strict-Transport-Security" not in answer


@pytest.mark.django_db
def test_pages_of_the_admin_and_of_the_browsable_api_are_guarded(browser: Client) -> None:
    assert policy(browser.get("/admin/")) == ADMIN
    assert policy(browser.get("/api/v1/auth/me", headers={"accept": "text/html"})) == PAGE


ASKING = """
import django
django.setup()
from django.conf import settings
from django.test import Client
secure = Client().get("/nothing", secure=True, headers={"host": "crm.example.com"})
print(secure["Strict-Transport-Security"])
print(settings.CSRF_COOKIE_SECURE, settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY)
plain = Client().get("/admin/login/", headers={"host": "crm.example.com"})
print(plain.status_code, plain["Location"])
"""


def ask(*command: str) -> str:
    """What a process of a public installation says; none of these needs a database."""
    public = os.environ | {
        "DJANGO_SETTINGS_MODULE": "crmsync.settings",
        "SITE_URL": "https://crm.example.com",
        "TRUSTED_PROXIES": "1",
        "SECRET_KEY": "a-long-key-of-a-public-installation-0123456789-abcdefghijklmnop",
        "CREDENTIAL_KEYS": Fernet.generate_key().decode(),
        "CRMSYNC_IGNORE_DOTENV": "1",
        "LOG_LEVEL": "ERROR",
    }
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=public, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_https_brings_hsts_and_secure_cookies() -> None:
    hsts, cookies, redirect = ask("-c", ASKING).split("\n")[:3]
    assert hsts == "max-age=31536000; includeSubDomains; preload"
    assert cookies == "True True True"
    assert redirect == "301 https://crm.example.com/admin/login/"


def test_a_public_installation_passes_the_deployment_checks() -> None:
    assert "no issues" in ask("manage.py", "check", "--deploy", "--fail-level", "WARNING")
