"""One contact beside its record, as examples for field rules and to try them on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.http import QueryDict

from connectors.models import Connection
from contacts import store
from contacts.api.filters import by_search
from contacts.models import Contact
from contacts.store import Stored
from syncjobs.models import ContactSync, SyncSnapshot
from syncjobs.plan_lines import text_of
from syncjobs.pulling.agreement import source_contact
from syncjobs.rules import jsonable
from syncjobs.sourcefields import SourceContact, getter

FOUND_MOST = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """`agreed` are the values that both sides last agreed on, by their field; empty without a record of theirs."""

    stored: Stored
    link: ContactSync | None = None
    agreed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def contact(self) -> SourceContact:
        return source_contact(self.stored.id, self.stored.record)

    @property
    def name(self) -> str:
        contact = self.contact
        return getter("full_name")(contact) or contact.email or str(contact.id)

    @property
    def has_record(self) -> bool:
        return self.link is not None and bool(self.link.external_id) and self.link.gone_at is None

    def ours(self, key: str) -> str:
        """The contact's value of a field of ours, "" where it has none or there is no such field."""
        try:
            value = jsonable(getter(key)(self.contact))
        except KeyError:
            return ""
        return text_of(value) if value else ""

    def theirs(self, key: str) -> str:
        """What their record holds of a field, as far as that was agreed on."""
        value = self.agreed.get(key)
        return "" if value in (None, "", [], {}) else text_of(value)


def of(connection: Connection, contact_id: UUID) -> Sample | None:
    """The contact with its record on the connection; None when there is no such contact."""
    stored = store.load([contact_id]).get(contact_id)
    if stored is None:
        return None
    link = ContactSync.objects.filter(connection=connection, contact_id=contact_id).first()
    held = SyncSnapshot.objects.filter(link_id=link.pk if link else None).first()
    return Sample(stored, link, held.values if held else {})


def example(connection: Connection) -> Sample | None:
    """A contact that has a record on the connection, else the one that changed last; None in an empty hub."""
    # In the order of the index of their records, which answers at once however many there are.
    linked = ContactSync.objects.filter(connection=connection, contact__deleted_at=None).exclude(external_id="")
    first = linked.order_by("connection_id", "external_id").values_list("contact_id", flat=True).first()
    first = first or Contact.objects.alive().values_list("pk", flat=True).first()
    return of(connection, first) if first else None


def search(text: str) -> Sequence[Contact]:
    """Contacts by the beginning of a name, an e-mail or a phone, the latest changes first."""
    words = text.replace("\0", "").strip()[:100]
    if not words:
        return []
    return list(by_search(Contact.objects.alive(), words, QueryDict()).defer("search")[:FOUND_MOST])
