"""The demonstration: sample contacts, and connections to the sandboxes, for a hub that has nothing of its own yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from connectors import oauth
from connectors import services as connections
from connectors.core import registry
from connectors.core.errors import ApiError
from connectors.core.sandbox import Sandbox
from connectors.core.types import CONTACTS
from connectors.models import Connection, ConnectionState
from contacts.bulk import Incoming, upsert
from contacts.models import Contact
from contacts.records import ContactRecord, Point
from syncjobs import demo_oauth, enqueue, services
from syncjobs.compat import seed_002

SAMPLES = 120
SOURCE = "demo"
_ENGLISH = (
    ("Alice", "Bennett"), ("George", "Harrow"), ("Siobhán", "O’Connell"), ("Thomas", "Whitfield"),
    ("Grace", "Okafor"), ("Henry", "Ashdown"), ("Zoë", "Marlowe"), ("Oliver", "Pemberton"),
)  # fmt: skip
_RUSSIAN = (
    ("Анна", "Сергеевна", "Белова"), ("Иван", "Петрович", "Соколов"), ("Мария", "Алексеевна", "Фёдорова"),
    ("Дмитрий", "Олегович", "Щукин"), ("Елена", "Викторовна", "Юрьева"), ("Пётр", "Ильич", "Ершов"),
)  # fmt: skip
_COMPANIES = ("Northwind Dental", "Ромашка", "Blue Harbour", "Стоматология на Мира", "Acorn & Sons")
_TITLES = ("Director", "Администратор", "Buyer", "Врач", "Accountant")


def wanted() -> bool:
    """Whether the hub shows the demonstration: nothing real is connected."""
    return not Connection.objects.filter(is_sandbox=False).exists()


def prepare(addresses: Mapping[str, str], hub: str = "") -> list[str]:
    """Connects the sandboxes at their addresses and queues the samples for them; answers a line for each.

    Most sandboxes remember nothing from one start to the next, so what was known of their records is forgotten too.
    `hub` is our own address as the sandboxes know it.
    """
    if not Contact.objects.alive().exists():
        upsert([Incoming(record) for record in samples()], source=SOURCE)
    lines = []
    for slug, address in addresses.items():
        connection = _connect(slug, address, hub)
        lines += _give_access(connection)
        sandbox = registry.sandbox_class(slug)
        if sandbox is not None and sandbox.speaks_http:
            services.forget_records(connection)
        lines.append(_fill(connection) if connection.spec.entities[CONTACTS].write else _take(connection))
    return lines + seed_002.demonstrate()


def _fill(connection: Connection) -> str:
    # Not those that other sandboxes have brought meanwhile: a clinic's patients are nobody else's business.
    addresses = [point.value for record in samples() for point in record.emails]
    contacts = Contact.objects.alive().filter(email__in=addresses).values_list("pk", flat=True)
    queued = enqueue.enqueue_ids(connection, list(contacts))
    services.start_push(connection)
    return f"{connection.label}: {queued} contacts are queued."


def _take(connection: Connection) -> str:
    """A system that is only read: its contacts come into the hub."""
    services.start_pull(connection)
    return f"{connection.label}: its contacts are being read."


def samples() -> Iterator[ContactRecord]:
    """Made-up people with addresses and numbers that are reserved for examples."""
    names: list[tuple[str, str, str]] = [(first, "", last) for first, last in _ENGLISH] + list(_RUSSIAN)
    for number, (company, (first, middle, last)) in enumerate(product(_COMPANIES * 2, names)):
        if number == SAMPLES:
            return
        yield ContactRecord(
            first_name=first,
            middle_name=middle,
            last_name=last,
            emails=(Point(f"person{number + 1}@example.com", primary=True),),
            phones=(Point(f"+1202555{100 + number:04d}", primary=True),) if number < 100 else (),
            company=company,
            job_title=_TITLES[number % len(_TITLES)],
        )


def _connect(slug: str, address: str, hub: str) -> Connection:
    values = _settings(slug, address, hub)
    connection = Connection.objects.filter(key=slug).first()
    if connection is None:
        label = f"{registry.get(slug).spec.label} (sandbox)"
        return connections.create_connection(slug, slug, values, label=label, is_sandbox=True)
    connections.forget_access(connection)
    connections.set_values(connection, values)
    connection.state, connection.state_message = ConnectionState.NEW, ""
    connection.save()
    return connection


def _settings(slug: str, address: str, hub: str) -> dict[str, Any]:
    """Those with which a person gives access where the sandbox has a page for it, else the sandbox's keys."""
    sandbox_class = registry.sandbox_class(slug)
    if sandbox_class is None:
        raise registry.UnknownConnector(slug)
    sandbox: Sandbox = sandbox_class()
    sandbox.register_hub(hub)
    by_key, by_person = sandbox.config(address), sandbox.oauth_config(address)
    return by_key if by_person is None else dict.fromkeys(by_key) | by_person


def _give_access(connection: Connection) -> list[str]:
    """What went wrong on the way a person takes in a browser; nothing where there is no such way."""
    if not oauth.can_connect(connection):
        return []
    try:
        demo_oauth.give_access(connection)
    except (ApiError, oauth.StateInvalid, demo_oauth.Unreachable) as e:
        return [f"{connection.label}: no access yet, press Connect on its page. {e}"]
    return []
