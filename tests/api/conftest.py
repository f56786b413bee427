"""People in every role, and a connection made of a toy destination."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from connectors import services
from connectors.core import registry
from connectors.models import Connection
from contacts.models import Contact, ContactPoint
from crmsync.roles import give_role

# The seed names these two; everything below is asked of both.
SLUGS = sorted(
    slug
    for slug, connector in registry.all_connectors().items()
    if registry.sandbox_class(slug) and "email" in connector.spec.needs
)[:2]


@pytest.fixture
def client_of(db: None, django_user_model: Any) -> Callable[[str | None], APIClient]:
    def make(role: str | None) -> APIClient:
        client = APIClient()
        user = django_user_model.objects.create_user(f"user-{role}-{django_user_model.objects.count()}")
        if role:
            give_role(user, role)
        client.force_authenticate(user)
        return client

    return make


@pytest.fixture
def operator(client_of: Callable[[str | None], APIClient]) -> APIClient:
    return client_of("operator")


@pytest.fixture
def administrator(client_of: Callable[[str | None], APIClient]) -> APIClient:
    return client_of("administrator")


@pytest.fixture(params=SLUGS)
def connection(request: pytest.FixtureRequest, db: None) -> Connection:
    sandbox = registry.sandbox_class(request.param)()  # type: ignore[misc]
    return services.create_connection(request.param, request.param, sandbox.config("https://sandbox.example.com"))


@pytest.fixture
def make_contact(db: None) -> Callable[..., Contact]:
    def make(**values: Any) -> Contact:
        number = Contact.objects.count()
        given = {"first_name": "Ann", "email": f"ann{number}@example.com", **values}
        contact = Contact.objects.create(**given)
        if given["email"]:
            ContactPoint.objects.create(contact=contact, kind="email", value=given["email"], is_primary=True)
        return contact

    return make
