"""Users in every role and a client for each."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from crmsync.embedded import EmbeddedServer
from crmsync.roles import give_role

PASSWORD = "correct horse battery staple"


@pytest.fixture
def make_user(db: None, django_user_model: Any) -> Callable[..., Any]:
    def make(name: str, role: str | None = None, **extra: Any) -> Any:
        user = django_user_model.objects.create_user(name, f"{name}@example.com", PASSWORD, **extra)
        if role:
            give_role(user, role)
        return user

    return make


@pytest.fixture
def client_of(make_user: Callable[..., Any]) -> Callable[[str | None], APIClient]:
    def make(role: str | None) -> APIClient:
        client = APIClient()
        client.force_authenticate(make_user(role or "nobody", role))
        return client

    return make


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path for an embedded server's data, open to the server's own user when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="crmsync-home-"))
    folder.chmod(0o711)
    yield folder
    EmbeddedServer(folder / "postgres").stop()
    shutil.rmtree(folder)
