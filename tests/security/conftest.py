"""People in every role, with a password, a browser and a program each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from connectors import services
from connectors.core import registry
from connectors.models import Connection
from crmsync.roles import give_role

PASSWORD = "correct horse battery staple"
SLUG = sorted(
    slug
    for slug, connector in registry.all_connectors().items()
    if registry.sandbox_class(slug) and any(field.signs_in for field in connector.spec.secrets())
)[0]


@pytest.fixture
def make_user(db: None, django_user_model: Any) -> Callable[..., Any]:
    def make(name: str, role: str | None = None, **extra: Any) -> Any:
        extra.setdefault("is_staff", True)
        user = django_user_model.objects.create_user(name, f"{name}@example.com", PASSWORD, **extra)
        if role:
            give_role(user, role)
        return user

    return make


@pytest.fixture
def browser(make_user: Callable[..., Any]) -> Client:
    """An administrator's."""
    client = Client()
    client.force_login(make_user("boss", "administrator"))
    return client


@pytest.fixture
def program(make_user: Callable[..., Any]) -> APIClient:
    """An administrator's."""
    client = APIClient()
    client.force_authenticate(make_user("robot", "administrator"))
    return client


@pytest.fixture
def connection(db: None) -> Connection:
    sandbox = registry.sandbox_class(SLUG)()  # type: ignore[misc]
    return services.create_connection(SLUG, SLUG, sandbox.config("https://sandbox.example.com"))
