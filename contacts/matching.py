"""Decides which contact a record belongs to. Pure: the candidates are looked up elsewhere (contacts.store).

Keys, tried in the order given:

- `email`: any e-mail in common.
- `phone`: an E.164 phone in common and names that do not contradict each other: people who share a phone stay
  different people.
- `phone_and_name`: for records without e-mail: any phone in common, as given if need be, and the same full name.
- `identity`: for records without e-mail: the same full name and company, a contact without e-mail, and phones that
  do not contradict each other. It is what makes a second import of rows without e-mail change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from contacts.phones import is_e164
from contacts.records import ContactRecord
from contacts.text import name_key

MatchKey = Literal["email", "phone", "phone_and_name", "identity"]
SHORTEST_NUMBER = 7
IMPORT_ORDER: tuple[MatchKey, ...] = ("email", "phone_and_name", "identity")


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


def match(keys: Keys, candidates: Iterable[Candidate], match_order: Sequence[MatchKey] = IMPORT_ORDER) -> Decision:
    """The contact that fits the first key any candidate fits; a contact with another source id never does."""
    free = [item for item in candidates if not _belongs_elsewhere(keys, item.keys)]
    if not free:
        return New()
    for by in match_order:
        fits = _FITS[by]
        found = {item.contact_id for item in free if fits(keys, item.keys)}
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


def _by_email(keys: Keys, other: Keys) -> bool:
    return not keys.emails.isdisjoint(other.emails)


def _by_phone(keys: Keys, other: Keys) -> bool:
    return any(is_e164(phone) for phone in keys.phones & other.phones) and names_agree(keys.name, other.name)


def _by_phone_and_name(keys: Keys, other: Keys) -> bool:
    if keys.emails or keys.name != other.name or (not keys.name and other.emails):
        return False
    return any(_tells(phone) for phone in keys.phones & other.phones)


def _tells(phone: str) -> bool:
    """A number and not an extension or a remark."""
    return is_e164(phone) or (phone.isdigit() and len(phone) >= SHORTEST_NUMBER)


def _by_identity(keys: Keys, other: Keys) -> bool:
    if keys.emails or other.emails or keys.identity is None or keys.identity != other.identity:
        return False
    return not keys.phones or not other.phones or not keys.phones.isdisjoint(other.phones)


_FITS = {"email": _by_email, "phone": _by_phone, "phone_and_name": _by_phone_and_name, "identity": _by_identity}
