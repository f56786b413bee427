"""A destination for the engine's tests: every connector that writes, in turn, against its sandbox, without sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors import services
from connectors.amocrm.sandbox import AmoSandbox
from connectors.core import registry
from connectors.core.clock import ManualClock, SystemClock
from connectors.core.sandbox import Fault, Sandbox
from connectors.core.testing import SandboxAdapter
from connectors.core.types import CONTACTS
from connectors.ident.readonly.postgresql.base import DatabaseWrapper
from connectors.models import Connection
from contacts.models import Contact, ContactPoint
from syncjobs.enqueue import Filters, enqueue_filtered
from syncjobs.models import ContactSync, Run
from syncjobs.push import push
from tests.engine.clinic import Clinic, connected

# Systems that write contacts told apart by e-mail: the same cases must hold for each of them.
DESTINATIONS = sorted(
    slug
    for slug, connector in registry.all_connectors().items()
    if connector.spec.entities[CONTACTS].write and registry.sandbox_class(slug)
)


class Destination:
    """A connection, its sandbox, and short words for what tests do with them."""

    def __init__(self, connection: Connection, sandbox: Sandbox) -> None:
        self.connection, self.sandbox = connection, sandbox

    def queue_all(self) -> int:
        return enqueue_filtered(self.connection, Filters())

    def push(self, **options: Any) -> Run:
        run = push(self.connection, trigger="test", **options)
        run.refresh_from_db()
        self.connection.refresh_from_db()
        return run

    def settle(self, tries: int = 6) -> Run:
        """Pushes until nothing is due, letting every backoff pass at once."""
        for _ in range(tries):
            run = self.push()
            if not ContactSync.objects.filter(connection=self.connection, due_at__isnull=False).exists():
                return run
            self.let_time_pass()
        return run

    def let_time_pass(self) -> None:
        """Everything that waits is due now. The database's clock stands still inside a test's transaction."""
        waiting = ContactSync.objects.filter(connection=self.connection, due_at__isnull=False)
        waiting.update(due_at=timezone.now() - timedelta(days=1))

    def link(self, contact: Contact) -> ContactSync:
        return ContactSync.objects.get(contact=contact, connection=self.connection)

    def people(self) -> list[dict[str, Any]]:
        return self.sandbox.people()  # type: ignore[attr-defined]

    def emails(self) -> list[str]:
        found = [next(str(v) for k, v in p.items() if k.lower() == "email") for p in self.people()]
        return sorted(email.lower() for email in found)

    @property
    def needs_email(self) -> bool:
        return "email" in self.connection.spec.needs

    @property
    def tells_by_our_id(self) -> bool:
        """Whether contacts are told apart there by our own id: then they may lack an e-mail, or share one."""
        return self.connection.spec.match_order == ("id",)

    def break_writes(self, kind: str, **details: Any) -> Fault:
        """The next request that writes contacts goes wrong."""
        fault = Fault(kind, method="POST", path=self.sandbox.creates, **details)
        self.sandbox.faults.append(fault)
        return fault


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """The clock of connectors and sandboxes: waiting takes no time."""
    manual = ManualClock(datetime.now(UTC))
    for name in ("now", "monotonic", "sleep"):
        monkeypatch.setattr(SystemClock, name, lambda self, *args, name=name: getattr(manual, name)(*args))
    return manual


def connect(slug: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Destination:
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: SandboxAdapter(sandbox))
    values = sandbox.config("https://sandbox.example.com") | {"rps": 0}
    return Destination(services.create_connection(slug, slug, values), sandbox)


@pytest.fixture(params=DESTINATIONS)
def destination(
    request: pytest.FixtureRequest, db: None, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> Destination:
    sandbox = registry.sandbox_class(request.param)(clock, enforce_limits=False)  # type: ignore[misc]
    return connect(request.param, sandbox, monkeypatch)


@pytest.fixture
def make_contacts(db: None) -> Callable[..., list[Contact]]:
    """Contacts with an e-mail each: number, or given values."""

    def make(count: int = 1, **values: Any) -> list[Contact]:
        start = Contact.objects.count()
        rows = [
            Contact(
                **{
                    "first_name": f"Ann {i}",
                    "last_name": "Bell",
                    "email": f"ann{i}@example.com",
                    "company": "Acorn",
                    **values,
                }
            )
            for i in range(start, start + count)
        ]
        Contact.objects.bulk_create(rows)
        ContactPoint.objects.bulk_create(
            [
                ContactPoint(contact=c, kind="email", value=c.email, raw=c.email, is_primary=True)
                for c in rows
                if c.email
            ]
        )
        return rows

    return make


@pytest.fixture
def clinic(transactional_db: None, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:
    """Patients of a clinic and the account they go to; nothing has run yet."""
    monkeypatch.setattr(DatabaseWrapper, "ensure_connection", connected)
    ident = registry.sandbox_class("ident")(clock)  # type: ignore[misc]
    ident.reset()
    amo = connect("amocrm", AmoSandbox(clock, enforce_limits=False), monkeypatch)
    yield Clinic(ident, amo)
    ident.reset()
