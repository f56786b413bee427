"""A record that is new or changed, on its way to a decision; and how one without a contact is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from connectors.core.types import RemoteRecord
from contacts import store as contacts
from contacts.matching import Keys
from contacts.records import ContactRecord
from syncjobs import strays
from syncjobs.pulling.arrivals import Contents
from syncjobs.pulling.rules import PullRules
from syncjobs.pulling.store import LinkRow
from syncjobs.references import Reference


@dataclass(slots=True)
class Case:
    """`after` is the contact as it will be; `before` as it was, None for a new one."""

    record: RemoteRecord
    digest: bytes
    contents: Contents
    link: LinkRow | None
    after: ContactRecord
    contact_id: UUID | None = None
    before: contacts.Stored | None = None
    notes: list[str] = field(default_factory=list)

    def revives(self) -> bool:
        """Whether the record was taken for deleted."""
        return self.link is not None and self.link.gone


def stray_of(case: Case, rules: PullRules, reference: Reference | None, *, versioned: bool) -> strays.Met:
    """The record as it is kept where it has no contact: a push may find it."""
    record = case.record
    keys = Keys.of(rules.person(case.contents.taken))
    refers_to = str(record.values.get(reference.theirs) or "") if reference else ""
    texts = [f"email:{email}" for email in keys.emails] + [f"phone:{phone}" for phone in keys.phones]
    return strays.Met(
        external_id=record.id,
        version=record.version if versioned else "",
        name=keys.name,
        reference=refers_to,
        keys=[*texts, *([f"{strays.REFERENCE}:{refers_to}"] if refers_to else [])],
        values=case.contents.snapshot,
        seen_hash=case.digest,
    )


def agrees(case: Case) -> Mapping[str, str]:
    """The contact's fields in which both sides hold the same now, each with the record's id."""
    if case.before is None:
        return {}
    held = {name: getattr(case.after, name, None) for name in case.contents.taken.values}
    return {name: case.record.id for name, value in case.contents.taken.values.items() if value and held[name] == value}
