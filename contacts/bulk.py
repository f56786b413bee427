"""Bulk upsert: chunks of records → contacts, matched, merged and stored in a fixed number of statements a chunk.

A chunk is one transaction. Chunks that match before they write run one after the other (an advisory lock), so two
imports at once make no duplicates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from django.db import connection, transaction

from contacts import store
from contacts.candidates import Candidates
from contacts.identifiers import uuid7
from contacts.lookup import Lookup
from contacts.matching import IMPORT_ORDER, Ambiguous, Keys, Matched, MatchKey, match, prefer
from contacts.phones import is_e164
from contacts.records import ContactRecord, fill, is_settled, settle_primary

CHUNK_SIZE = 5_000
ATTEMPTS = 3
_TOUCHED = "import_touched"

Result = Literal["created", "updated", "unchanged", "refused"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """One record to store; `contact_id` names the contact instead of letting the keys find it."""

    record: ContactRecord
    contact_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one record; `reason` says in words why it was refused."""

    result: Result
    contact_id: UUID | None = None
    reason: str = ""


@dataclass(slots=True)
class _Working:
    """A contact while the chunk is worked through. `settled`: a row of this import has already spoken."""

    before: store.Stored | None
    record: ContactRecord
    settled: bool = False


class Touched:
    """The contacts that earlier rows of one import have met, kept by the database so that memory stays constant.

    The first row that names a value wins and later rows only add to it: with the last one winning, a file that names
    a person twice would change that person back and forth with every import.
    """

    def __enter__(self) -> Touched:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{_TOUCHED}")
            cursor.execute(f"CREATE TEMP TABLE {_TOUCHED} (contact_id uuid PRIMARY KEY)")
        return self

    def __exit__(self, *_: object) -> None:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{_TOUCHED}")

    def among(self, ids: Sequence[UUID]) -> set[UUID]:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT contact_id FROM {_TOUCHED} WHERE contact_id = ANY(%s)", [list(ids)])  # noqa: S608
            return {contact_id for (contact_id,) in cursor}

    def add(self, ids: Iterable[UUID]) -> None:
        with connection.cursor() as cursor, cursor.copy(f"COPY {_TOUCHED} FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["uuid"])
            for contact_id in ids:
                copy.write_row((contact_id,))


def upsert(
    items: Sequence[Incoming],
    *,
    source: str,
    match_order: Sequence[MatchKey] = IMPORT_ORDER,
    touched: Touched | None = None,
) -> list[Outcome]:
    """Stores one chunk; one outcome per item, in order. Empty values never clear, points and attributes are added.

    Without `touched` a later item overwrites an earlier one of the same contact; with it the earlier one wins.
    Raises store.ConcurrentChange when other writers kept changing the same contacts for all attempts.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                return _Chunk(source, match_order, touched).run(items)
        except store.ConcurrentChange:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


class _Chunk:
    """One attempt at one chunk."""

    def __init__(self, source: str, match_order: Sequence[MatchKey], touched: Touched | None) -> None:
        self.source = source
        self.match_order = match_order
        self.touched = touched
        self.working: dict[UUID, _Working] = {}
        self.candidates = Candidates(match_order)
        self.seen: set[UUID] = set()

    def run(self, items: Sequence[Incoming]) -> list[Outcome]:
        keys = [Keys.of(item.record) for item in items]
        store.lock_matching()
        self._read(items, keys)
        outcomes = [self._take(item, own) for item, own in zip(items, keys, strict=True)]
        changes = [
            change
            for contact_id, working in self.working.items()
            if working.settled and (change := store.Change.between(contact_id, working.before, working.record))
        ]
        store.save(changes, self.source)
        if self.touched is not None:
            met = (contact_id for contact_id, working in self.working.items() if working.settled)
            self.touched.add(contact_id for contact_id in met if contact_id not in self.seen)
        return outcomes

    def _read(self, items: Sequence[Incoming], keys: Sequence[Keys]) -> None:
        found = store.find(_lookup(items, keys, self.match_order))
        if self.touched is not None and found:
            self.seen = self.touched.among([stored.id for stored in found])
        for stored in found:
            self.working[stored.id] = _Working(stored, stored.record)
            self.candidates.add(stored.id, Keys.of(stored.record))

    def _take(self, item: Incoming, keys: Keys) -> Outcome:
        if item.contact_id is not None:
            if item.contact_id not in self.working:
                return Outcome("refused", None, f"there is no contact with the id {item.contact_id}")
            return self._lay_over(item.contact_id, item.record)
        if item.record.is_empty():
            return Outcome("refused", None, "nothing to tell the person by: no name, e-mail, phone or company")
        candidates = list(self.candidates.of(keys).values())
        decision = match(keys, candidates, self.match_order, self.candidates.crowded(keys))
        if isinstance(decision, Matched):
            return self._lay_over(decision.contact_id, item.record)
        if isinstance(decision, Ambiguous):
            return self._lay_over(prefer(keys, decision, candidates), item.record)
        contact_id = uuid7()
        self.working[contact_id] = _Working(None, _settled(item.record), settled=True)
        self.candidates.add(contact_id, keys)
        return Outcome("created", contact_id)

    def _lay_over(self, contact_id: UUID, record: ContactRecord) -> Outcome:
        working = self.working[contact_id]
        earlier_wins = self.touched is not None and (working.settled or contact_id in self.seen)
        merged = fill(working.record, record, overwrite=not earlier_wins)
        working.settled = True
        if not working.record.diff(merged):
            return Outcome("unchanged", contact_id)
        working.record = merged
        self.candidates.add(contact_id, Keys.of(merged))
        return Outcome("updated", contact_id)


def _settled(record: ContactRecord) -> ContactRecord:
    if is_settled(record.emails) and is_settled(record.phones):
        return record
    return replace(record, emails=settle_primary(record.emails), phones=settle_primary(record.phones))


def _lookup(items: Sequence[Incoming], keys: Sequence[Keys], match_order: Sequence[MatchKey]) -> Lookup:
    emails: set[str] = set()
    phones: set[str] = set()
    names: set[int] = set()
    identities: set[int] = set()
    by_phone_alone = "phone" in match_order
    for item, own in zip(items, keys, strict=True):
        if item.contact_id is not None:
            continue
        emails.update(own.emails)
        if own.emails:
            names.add(store.hash_of(own.name))
        if by_phone_alone:
            phones.update(filter(is_e164, own.phones))
        if own.phones and not own.emails:
            # Records with an e-mail are never told by phone and name: their phones need no look.
            phones.update(own.phones)
            names.add(store.hash_of(own.name))
        if not own.emails and own.identity is not None:
            identities.add(store.hash_of(store.identity_text(own.name, own.company)))
    return Lookup(
        emails=sorted(emails),
        phones=sorted(phones),
        names=None if by_phone_alone else sorted(names),
        identities=sorted(identities),
        ids=[item.contact_id for item in items if item.contact_id is not None],
    )
