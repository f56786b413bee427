"""The three roles: what viewers, operators and administrators may do in the API and in the admin."""

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, Permission
from django.db.models import Q, QuerySet

VIEWER, OPERATOR, ADMINISTRATOR = "viewer", "operator", "administrator"
ROLES = (VIEWER, OPERATOR, ADMINISTRATOR)  # from the least to the most powerful

WATCHED_APPS = {"contacts", "connectors", "syncjobs", "django_q"}
OPERATED_APPS = {"contacts", "syncjobs"}
ADMINISTERED_APPS = WATCHED_APPS | {"auth", "crmsync"}
# What takes people's data out, or away for good, although its app is operated by operators.
RESERVED = ("erase_contact", "export_contact")


def role_of(user: AbstractBaseUser | AnonymousUser) -> str | None:
    """The most powerful role of a user, None for a stranger. Asks the database once per user object."""
    if not user.is_authenticated or not user.is_active:
        return None
    if getattr(user, "is_superuser", False):
        return ADMINISTRATOR
    known: Any = user
    if not hasattr(known, "_crmsync_role"):
        names = set(known.groups.values_list("name", flat=True))
        known._crmsync_role = next((role for role in reversed(ROLES) if role in names), None)
    return known._crmsync_role


def has_role(user: AbstractBaseUser | AnonymousUser, required: str) -> bool:
    """Whether the user's role is `required` or a more powerful one. Raises ValueError for an unknown role."""
    role = role_of(user)
    return role is not None and ROLES.index(role) >= ROLES.index(required)


def give_role(user: Any, role: str) -> None:
    group, _ = Group.objects.get_or_create(name=role)
    user.groups.add(group)


def grant_permissions_after_migrate(app_config: AppConfig, using: str, **_: Any) -> None:
    """After migrate: makes the groups and gives them their permissions on this app's models."""
    from crmsync.audit.actors import silence  # needs the models, which are loaded after this module

    for role in ROLES:
        permissions = permitted(role, app_config.label).using(using)
        with silence():
            group, _created = Group.objects.using(using).get_or_create(name=role)
            group.permissions.add(*permissions)


def permitted(role: str, label: str) -> QuerySet[Permission]:
    """The permissions on an app's models that a role has in the admin."""
    every = Permission.objects.filter(content_type__app_label=label)
    if role == ADMINISTRATOR and label in ADMINISTERED_APPS:
        return every
    if role == OPERATOR and label in OPERATED_APPS:
        return every.exclude(codename__in=RESERVED)
    if role == OPERATOR and label == "crmsync":
        return every.filter(content_type__model="apitoken")
    return every.filter(Q(codename__startswith="view_")) if label in WATCHED_APPS else every.none()
