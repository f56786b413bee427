"""A connection whose system sends webhooks, its sandbox, its subscription, and a consumer that remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from connectors import services
from connectors.core import registry
from connectors.core.sandbox import Sandbox
from connectors.core.testing import SandboxAdapter
from connectors.core.types import CONTACTS
from connectors.models import Connection, ConnectionState
from syncjobs import inbox, inbox_consumers, subscriptions, webhook_tokens
from syncjobs.models import Cursor, InboundEvent, Run, Subscription, SubscriptionState

SITE = "https://hub.example.com"
SLUG = next(slug for slug, connector in registry.all_connectors().items() if connector.webhooks is not None)
FORM = "application/x-www-form-urlencoded"


@dataclass
class Follower:
    """Consumes instead of the hub: remembers what it was asked to read, and fails where it is told to."""

    calls: list[list[str]] = field(default_factory=list)
    fail: Callable[[Sequence[str]], None] | None = None
    run: Run | None = None

    def __call__(self, connection: Connection, ids: Sequence[str], trigger: str) -> Run | None:
        self.calls.append(list(ids))
        if self.fail is not None:
            self.fail(ids)
        return self.run

    @property
    def ids(self) -> list[str]:
        return [i for call in self.calls for i in call]


@pytest.fixture
def follower() -> Iterator[Follower]:
    hub = inbox_consumers._consumers[CONTACTS].pop("hub")
    made = Follower()
    inbox_consumers.register("test", CONTACTS, made, lambda connection: True)
    yield made
    inbox_consumers.unregister("test", CONTACTS)
    inbox_consumers._consumers[CONTACTS]["hub"] = hub


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    made: Sandbox = registry.sandbox_class(SLUG)(enforce_limits=False)  # type: ignore[misc]
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: SandboxAdapter(made))
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The tasks that were asked for; none runs."""
    tasks: list[tuple[Any, ...]] = []
    for module in ("inbox", "subscriptions", "inbox_tasks"):
        monkeypatch.setattr(f"syncjobs.{module}.async_task", lambda *args, **kwargs: tasks.append(args))
    monkeypatch.setattr(inbox, "COLLECT_SECONDS", 0.0)
    inbox._asked.clear()
    return tasks


@pytest.fixture
def connection(db: None, sandbox: Sandbox, asked: Any, settings: Any) -> Connection:
    settings.SITE_URL = SITE
    settings.SECURE_SSL_REDIRECT = False
    values = sandbox.config("https://sandbox.example.com") | {"rps": 0}
    made = services.create_connection(SLUG, SLUG, values)
    Connection.objects.filter(pk=made.pk).update(state=ConnectionState.OK)
    made.refresh_from_db()
    return made


@pytest.fixture
def pulled_before(connection: Connection) -> Cursor:
    """Somebody has filled the hub from the connection: from then on it follows by itself."""
    return Cursor.objects.create(connection=connection, entity=CONTACTS)


@pytest.fixture
def subscription(connection: Connection) -> Subscription:
    made = subscriptions.ensure(connection)
    assert made.state == SubscriptionState.OK, made.message
    return made


@dataclass
class Sender:
    """Delivers bodies to the registered address."""

    path: str
    client: Client = field(default_factory=Client)

    def __call__(self, body: bytes | dict[str, Any], path: str = "", **headers: Any) -> Any:
        content = urlencode(body).encode() if isinstance(body, dict) else body
        return self.client.generic("POST", path or self.path, content, content_type=FORM, **headers)


@pytest.fixture
def send(subscription: Subscription) -> Sender:
    return Sender(subscription.secret["destination"].removeprefix(SITE))


def changed(*ids: int | str, entity: str = "contacts", action: str = "update", **more: Any) -> dict[str, Any]:
    """A body that names records."""
    body: dict[str, Any] = {}
    for index, number in enumerate(ids):
        body[f"{entity}[{action}][{index}][id]"] = number
        body |= {f"{entity}[{action}][{index}][{name}]": value for name, value in more.items()}
    return body


def only_event() -> InboundEvent:
    return InboundEvent.objects.get()


__all__ = ["FORM", "SITE", "SLUG", "Follower", "Sender", "changed", "only_event", "webhook_tokens"]
