"""Who is let in, asked of every operation of the schema and of every address: a new one is covered by being there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from crmsync.permissions import required_role
from crmsync.roles import ADMINISTRATOR, OPERATOR, ROLES, VIEWER
from tests.api.operations import METHODS, SCHEMA, address, operations, send

SIGNING_IN = {"/api/v1/amocrm/auth", "/api/v1/amocrm/auth/callback"}
FOR_EVERYBODY = SIGNING_IN | {"/api/v1/auth/login", "/api/v1/auth/refresh", "/api/schema", "/api/docs", "/health"}
# Let in by the token in their address or body, tested in tests/inbox.
FOR_REMOTE_SYSTEMS = {path for _, path, described in operations() if described["tags"] == ["webhooks"]}
FOR_EVERY_USER = {"/api/v1/auth/me"}
OWN_THINGS = "/api/v1/auth/tokens"  # viewers, too, make and revoke tokens of their own

OPERATIONS = [pytest.param(method, path, id=f"{method.upper()} {path}") for method, path, _ in operations()]
GUARDED = [case for case in OPERATIONS if case.values[1] not in FOR_EVERYBODY | FOR_REMOTE_SYSTEMS]
BY_ROLE = [case for case in GUARDED if case.values[1] not in FOR_EVERY_USER]
WRITES = [case for case in BY_ROLE if case.values[0] != "get" and not str(case.values[1]).startswith(OWN_THINGS)]


def ask(client: APIClient, method: str, path: str) -> Any:
    return send(client, method, address(path))


def routes(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every pattern below /api/ with the class of its view."""
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, route)
        elif isinstance(entry, URLPattern) and route.startswith("api/"):
            view = getattr(entry.callback, "cls", None) or getattr(entry.callback, "view_class", None)
            if view is not None:
                yield route, view


def view_of(path: str) -> Any:
    return get_resolver().resolve(address(path)).func.cls  # type: ignore[attr-defined]


ADMINISTRATIVE = [
    case
    for case in BY_ROLE
    if required_role(view_of(str(case.values[1])), str(case.values[0]).upper()) == ADMINISTRATOR
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_strangers_are_asked_who_they_are(db: None, method: str, path: str) -> None:
    answer = ask(APIClient(), method, path)
    assert answer.status_code == 401
    assert answer.json()["code"] == "not_authenticated"
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), BY_ROLE)
def test_a_user_without_a_role_is_refused(client_of: Callable[..., APIClient], method: str, path: str) -> None:
    assert ask(client_of(None), method, path).status_code == 403


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_viewer_writes_nothing(client_of: Callable[..., APIClient], method: str, path: str) -> None:
    answer = ask(client_of(VIEWER), method, path)
    assert answer.status_code == 403
    assert answer.json()["code"] == "permission_denied"


@pytest.mark.parametrize(("method", "path"), ADMINISTRATIVE)
def test_an_operator_does_not_administer(client_of: Callable[..., APIClient], method: str, path: str) -> None:
    assert ask(client_of(OPERATOR), method, path).status_code == 403


@pytest.mark.parametrize(("method", "path"), BY_ROLE)
def test_the_role_asked_for_is_enough(client_of: Callable[..., APIClient], method: str, path: str) -> None:
    role = required_role(view_of(path), method.upper())
    assert ask(client_of(role), method, path).status_code not in {401, 403}


def test_what_touches_connections_and_peoples_rights_is_for_administrators() -> None:
    administrative = {(case.values[0], case.values[1]) for case in ADMINISTRATIVE}
    writes = {(case.values[0], str(case.values[1])) for case in WRITES}
    expected = {
        (method, path)
        for method, path in writes
        if path.startswith(("/api/v3/connections", "/api/v3/admin")) and not path.endswith("/push")
    }
    assert expected
    person = "/api/v3/contacts/{contact_id}"
    rights = {("get", "/api/v1/audit"), ("get", f"{person}/export"), ("post", f"{person}/erase")}
    assert administrative == expected | rights


def test_every_address_is_in_the_schema_and_asks_for_a_role_that_exists() -> None:
    documented = {view_of(path) for path in SCHEMA["paths"] if path not in FOR_REMOTE_SYSTEMS}
    served = dict(routes(get_resolver()))
    assert len(served) >= 20
    for route, view in served.items():
        if "/" + route in FOR_EVERYBODY:
            continue
        assert view in documented, f"{route} is missing from the schema"
        assert {required_role(view, method.upper()) for method in METHODS} <= set(ROLES)


def test_what_is_open_to_everybody_answers_them(db: None) -> None:
    client = APIClient()
    for path in ("/api/schema", "/api/docs", "/health"):
        assert client.get(path).status_code == 200
    for path in ("/api/v1/auth/login", "/api/v1/auth/refresh"):
        assert ask(client, "post", path).status_code == 400
