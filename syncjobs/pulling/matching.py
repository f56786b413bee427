"""Finds the contacts that records without a link belong to: loaded by set, decided one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from connectors.core.types import RemoteRecord
from connectors.models import Connection
from contacts import store as contacts
from contacts.candidates import Candidates
from contacts.lookup import Lookup
from contacts.matching import Ambiguous, Keys, Matched, MatchKey, match
from contacts.phones import is_e164
from syncjobs.pulling import store
from syncjobs.pulling.rules import PullRules
from syncjobs.pulling.store import LinkRow
from syncjobs.references import Reference


@dataclass(frozen=True, slots=True)
class Found:
    """The contact of a record, or the several that fit; neither: there is none yet. `link` is the contact's own one."""

    contact_id: UUID | None = None
    link: LinkRow | None = None
    ambiguous: tuple[UUID, ...] = ()
    by: str = ""


class Matcher:
    """The candidates of one batch. Contacts made or linked on the way count for the records that follow."""

    def __init__(
        self, connection: Connection, rules: PullRules, order: Sequence[MatchKey], reference: Reference | None
    ) -> None:
        self._connection, self._rules, self._order = connection, rules, list(order)
        self._reference = reference
        self._referred: dict[str, UUID] = {}
        self._source_ids: dict[UUID, str] = {}
        self._candidates = Candidates(self._order)
        self._links: dict[UUID, LinkRow] = {}

    def load(
        self, contact_ids: Sequence[UUID], fresh: Sequence[tuple[RemoteRecord, Keys]]
    ) -> dict[UUID, contacts.Stored]:
        """Every living contact among the ids, and every one that a record without a link might belong to."""
        emails = {email for _, keys in fresh for email in keys.emails} if "email" in self._order else set()
        phones = {phone for _, keys in fresh for phone in keys.phones} if "phone" in self._order else set()
        own = [i for record, _ in fresh if (i := self._own_id(record)) is not None]
        own += self._load_referred([record for record, _ in fresh])
        lookup = Lookup(emails=sorted(emails), phones=sorted(filter(is_e164, phones)), ids=[*contact_ids, *own])
        stored = {item.id: item for item in contacts.find(lookup)}
        if fresh:
            self._links = store.links_by_contact(self._connection, list(stored))
            for item in stored.values():
                link = self._links.get(item.id)
                held = link.external_id if link is not None and not link.gone else ""
                self._candidates.add(item.id, Keys.of(item.record, held or None))
            self._load_source_ids(list(stored))
        return stored

    def _load_referred(self, records: Sequence[RemoteRecord]) -> list[UUID]:
        """The contacts whose record in the route's source these records refer to."""
        if self._reference is None:
            return []
        values = [text for record in records if (text := self._refers_to(record))]
        links = store.links_by_external_id(self._reference.source, values)
        self._referred = {text: link.contact_id for text, link in links.items() if not link.hidden}
        return list(self._referred.values())

    def _load_source_ids(self, contact_ids: Sequence[UUID]) -> None:
        if self._reference is not None:
            links = store.links_by_contact(self._reference.source, contact_ids)
            self._source_ids = {i: link.external_id for i, link in links.items() if not link.gone}

    def _refers_to(self, record: RemoteRecord) -> str:
        return str(record.values.get(self._reference.theirs) or "") if self._reference is not None else ""

    def find(self, record: RemoteRecord, keys: Keys, decided: UUID | None = None) -> Found:
        """The contact this record belongs to; one that has another record of the same system never fits.

        `decided` is the contact that a person gave it to.
        """
        refers_to = self._refers_to(record)
        for by, sure in (
            ("decision", decided),
            ("id", self._own_id(record)),
            ("reference", self._referred.get(refers_to)),
        ):
            held = self._candidates.keys_of(sure) if sure is not None else None
            if sure is not None and held is not None and held.source_id in (None, record.id):
                return Found(sure, self._links.get(sure), by=by)
        found = self._candidates.of(keys)
        if refers_to:
            # It carries the id of somebody else: shared phones and e-mails say nothing against that.
            found = {i: one for i, one in found.items() if self._source_ids.get(i, refers_to) == refers_to}
        decision = match(keys, found.values(), self._order, self._candidates.crowded(keys))
        if isinstance(decision, Matched):
            return Found(decision.contact_id, self._links.get(decision.contact_id), by=decision.by)
        if isinstance(decision, Ambiguous):
            return Found(ambiguous=decision.candidates, by=decision.by)
        return Found()

    def took(self, contact_id: UUID, keys: Keys) -> None:
        """The contact now has the record of these keys."""
        self._candidates.add(contact_id, keys)

    def _own_id(self, record: RemoteRecord) -> UUID | None:
        held = record.values.get(self._rules.own_id) if self._rules.own_id else None
        try:
            return UUID(str(held)) if held else None
        except ValueError:
            return None
