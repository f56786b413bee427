"""Decides which contact a record belongs to. Pure: the candidates are looked up elsewhere (contacts.store).

Keys, tried in the order given:

- `email`: any e-mail in common that is not crowded.
- `phone`: an E.164 phone in common that is not crowded, and names that do not contradict each other: people who share
  a phone stay different people.
- `email_and_name`: any e-mail in common, be it crowded, and the same full name.
- `phone_and_name`: for records without e-mail: any phone in common, as given if need be, and the same full name.
- `identity`: for records without e-mail: the same full name and company, a contact without e-mail, and phones that
  do not contradict each other. It is what makes a second import of rows without e-mail change nothing.

A phone or an e-mail is crowded when more than MOST_HOLDERS contacts carry it, as a clinic's own number on its patients'
cards: alone it tells nobody from others, and comparing all who carry it with each other would take forever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from contacts.phones import is_e164
from contacts.records import ContactRecord
from contacts.text import name_key

MatchKey = Literal["email", "phone", "email_and_name", "phone_and_name", "identity"]
SHORTEST_NUMBER = 7
MOST_HOLDERS = 100
IMPORT_ORDER: tuple[MatchKey, ...] = ("email", "email_and_name", "phone_and_name", "identity")


@dataclass(frozen=True, slots=True)
class Keys:
    """What a record or a contact can be told by. `source_id` is its id in the system the record comes from."""

    emails: frozenset[str]
    phones: frozenset[str]
    name: str
    company: str
    source_id: str | None = None

    @classmethod
    def of(cls, record: ContactRecord, source_id: str | None = None) -> Keys:
        return cls(
            emails=frozenset([point.value for point in record.emails]),
            phones=frozenset([point.value for point in record.phones]),
            name=name_key(record.first_name, record.last_name, record.middle_name),
            company=record.company.casefold(),
            source_id=source_id,
        )

    @property
    def identity(self) -> tuple[str, str] | None:
        """Name and company, for records that can be told by nothing better. None when it says nothing."""
        return (self.name, self.company) if self.name or self.company else None


@dataclass(frozen=True, slots=True)
class Candidate:
    contact_id: UUID
    keys: Keys


@dataclass(frozen=True, slots=True)
class Matched:
    contact_id: UUID
    by: MatchKey


@dataclass(frozen=True, slots=True)
class New:
    pass


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several contacts fit equally well; `candidates` are their ids, oldest first."""

    candidates: tuple[UUID, ...]
    by: MatchKey


Decision = Matched | New | Ambiguous


def match(
    keys: Keys,
    candidates: Iterable[Candidate],
    match_order: Sequence[MatchKey] = IMPORT_ORDER,
    crowded: frozenset[str] = frozenset(),
) -> Decision:
    """The contact that fits the first key any candidate fits; a contact with another source id never does."""
    free = [item for item in candidates if not _belongs_elsewhere(keys, item.keys)]
    if not free:
        return New()
    for by in match_order:
        fits = _FITS[by]
        found = {item.contact_id for item in free if fits(keys, item.keys, crowded)}
        if len(found) == 1:
            return Matched(found.pop(), by)
        if found:
            return Ambiguous(tuple(sorted(found)), by)
    return New()


def prefer(keys: Keys, ambiguous: Ambiguous, candidates: Iterable[Candidate]) -> UUID:
    """One of the ambiguous candidates, always the same: of the same name, as much without e-mail as the record, with
    exactly its phones, the oldest. So the rows of a file find in a second import whom they found in the first."""
    fitting = [item for item in candidates if item.contact_id in ambiguous.candidates]
    return min(fitting, key=lambda item: _distance(keys, item)).contact_id


def _distance(keys: Keys, item: Candidate) -> tuple[bool, bool, bool, UUID]:
    other = item.keys
    return (
        other.name != keys.name,
        bool(other.emails) != bool(keys.emails),
        other.phones != keys.phones,
        item.contact_id,
    )


def names_agree(one: str, other: str) -> bool:
    """Equal, unknown on one side, or one only longer than the other (a patronymic more)."""
    ours, theirs = set(one.split()), set(other.split())
    return ours <= theirs or theirs <= ours


def _belongs_elsewhere(keys: Keys, other: Keys) -> bool:
    return keys.source_id is not None and other.source_id is not None and keys.source_id != other.source_id


def _by_email(keys: Keys, other: Keys, crowded: frozenset[str]) -> bool:
    return not (keys.emails & other.emails) <= crowded


def _by_phone(keys: Keys, other: Keys, crowded: frozenset[str]) -> bool:
    shared = (keys.phones & other.phones) - crowded
    return any(is_e164(phone) for phone in shared) and names_agree(keys.name, other.name)


def _by_email_and_name(keys: Keys, other: Keys, _crowded: frozenset[str]) -> bool:
    return keys.name == other.name and not keys.emails.isdisjoint(other.emails)


def _by_phone_and_name(keys: Keys, other: Keys, _crowded: frozenset[str]) -> bool:
    if keys.emails or keys.name != other.name or (not keys.name and other.emails):
        return False
    return any(_tells(phone) for phone in keys.phones & other.phones)


def _tells(phone: str) -> bool:
    """A number and not an extension or a remark."""
    return is_e164(phone) or (phone.isdigit() and len(phone) >= SHORTEST_NUMBER)


def _by_identity(keys: Keys, other: Keys, _crowded: frozenset[str]) -> bool:
    if keys.emails or other.emails or keys.identity is None or keys.identity != other.identity:
        return False
    return not keys.phones or not other.phones or not keys.phones.isdisjoint(other.phones)


_FITS = {
    "email": _by_email,
    "phone": _by_phone,
    "email_and_name": _by_email_and_name,
    "phone_and_name": _by_phone_and_name,
    "identity": _by_identity,
}
