"""Who may do what: roles in the API and their permissions in the admin."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group

from crmsync.permissions import RolePermission

pytestmark = pytest.mark.django_db


def allowed(user: Any, method: str, **view: Any) -> bool:
    return RolePermission().has_permission(SimpleNamespace(user=user, method=method), SimpleNamespace(**view))


@pytest.mark.parametrize(
    ("role", "reads", "writes", "administers"),
    [
        (None, False, False, False),
        ("viewer", True, False, False),
        ("operator", True, True, False),
        ("administrator", True, True, True),
    ],
)
def test_each_role_does_its_own(make_user: Any, role: str | None, reads: bool, writes: bool, administers: bool) -> None:
    user = make_user("ann", role)
    assert allowed(user, "GET") is reads
    assert allowed(user, "POST") is writes
    assert allowed(user, "POST", required_roles={"POST": "administrator"}) is administers
    assert allowed(user, "GET", required_role="administrator") is administers
    assert allowed(user, "DELETE", required_roles={"POST": "administrator"}) is writes


def test_a_superuser_passes_and_a_stranger_does_not(make_user: Any) -> None:
    assert allowed(make_user("root", is_superuser=True), "POST", required_role="administrator")
    assert not allowed(AnonymousUser(), "GET")


def test_strangers_get_401_and_viewers_writes_403(client: Any, client_of: Any) -> None:
    assert client.get("/api/v1/auth/tokens").status_code == 401
    nobody = client_of(None).get("/api/v1/auth/tokens")
    assert nobody.status_code == 403
    assert "viewer" in nobody.json()["error"]


def test_groups_have_the_permissions_of_their_role_in_the_admin() -> None:
    def permissions(role: str) -> set[str]:
        rows = Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
        return {f"{label}.{codename}" for label, codename in rows}

    viewer, operator, administrator = map(permissions, ("viewer", "operator", "administrator"))
    assert "contacts.view_contact" in viewer
    assert not any(".view_" not in name for name in viewer)
    assert "contacts.change_contact" in operator
    assert "auth.change_user" in administrator - operator
    assert viewer < operator < administrator
