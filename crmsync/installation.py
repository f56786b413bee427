"""What an installation needs before it can run: secrets, tables, schedules and a first administrator."""

import os
import secrets
import sys
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User

from crmsync import local_secrets
from crmsync.roles import ADMINISTRATOR, give_role

DEFAULT_NAME = "admin"
DEFAULT_EMAIL = "admin@crmsync.local"


class Login(NamedTuple):
    """An administrator's e-mail, and the password when it was made just now."""

    email: str
    password: str | None


def secure() -> None:
    """Makes the secrets that the environment lacks, and starts this very command anew so that settings know them."""
    lacking = settings.SECRET_KEY == settings.INSECURE_SECRET_KEY or not settings.CREDENTIAL_KEYS
    if lacking and local_secrets.ensure():
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - ourselves


def superusers() -> Any:
    return get_user_model().objects.filter(is_superuser=True, is_active=True).order_by("pk")


def administrator_from_environment() -> Login | None:
    """Makes the administrator of DJANGO_SUPERUSER_*, unless there is one; None when the variables are not set."""
    env = settings.ENVIRONMENT
    name, email = env.text("DJANGO_SUPERUSER_USERNAME"), env.text("DJANGO_SUPERUSER_EMAIL")
    password = env.secret("DJANGO_SUPERUSER_PASSWORD")
    if not password or not (name or email):
        return None
    if get_user_model().objects.filter(username=name or email).exists():
        return Login(email or name, None)
    create(name or email, email, password)
    return Login(email or name, password)


def one_time_administrator() -> Login:
    """The first administrator, made with a password of its own when there is none at all."""
    first: User | None = superusers().first()
    if first is not None:
        return Login(first.email or first.username, None)
    password = secrets.token_urlsafe(12)
    create(DEFAULT_NAME, DEFAULT_EMAIL, password)
    return Login(DEFAULT_EMAIL, password)


def create(name: str, email: str, password: str) -> User:
    user = get_user_model().objects.create_superuser(name, email, password)
    give_role(user, ADMINISTRATOR)
    return user
