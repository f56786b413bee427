"""Which existing record a contact is given instead of a new one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from connectors.core.types import MatchKey, RemoteRecord
from contacts.matching import names_agree
from syncjobs.models import ReviewItem
from syncjobs.strays import REFERENCE, Claimant


@dataclass(frozen=True, slots=True)
class Chosen:
    """The record, or none of them; `rivals` are several that fit equally, by `key`."""

    record: RemoteRecord | None = None
    key: MatchKey | None = None
    rivals: tuple[RemoteRecord, ...] = ()


def choose(
    contact_id: UUID,
    keys: Sequence[MatchKey],
    candidates: Mapping[MatchKey, Sequence[RemoteRecord]],
    taken: Mapping[str, object],
    claimants: Mapping[str, Sequence[Claimant]],
) -> Chosen:
    """The record of the first key that any free record fits. `taken` are the ids of records that others have.

    A record that refers to somebody else is never chosen. Of several contacts that share a phone, one record goes to
    the one whose name agrees, else to the oldest; the others are different people.
    """
    reference = next((key.value for key in keys if key.name == REFERENCE), "")
    for key in keys:
        free = [
            record
            for record in candidates.get(key, ())
            if record.id not in taken and record.raw.get("reference", "") in ("", reference)
        ]
        if len(free) > 1:
            return Chosen(key=key, rivals=tuple(free))
        if free and (key.name != "phone" or _is_first(contact_id, free[0], claimants.get(key.value, ()))):
            return Chosen(free[0], key)
    return Chosen()


def decided(
    said: Sequence[ReviewItem],
    keys: Sequence[MatchKey],
    candidates: Mapping[MatchKey, Sequence[RemoteRecord]],
    taken: Mapping[str, object],
) -> tuple[int | None, Chosen]:
    """What a person has said of the contact's record, and the id of the item; None where nobody has, or it is gone."""
    for item in said:
        if item.kind != ReviewItem.Kind.AMBIGUOUS:
            continue
        decision = item.decision or {}
        if decision.get("new"):
            return item.pk, Chosen()
        for key in keys:
            for record in candidates.get(key, ()):
                if record.id == decision.get("record") and record.id not in taken:
                    return item.pk, Chosen(record, key)
    return None, Chosen()


def shares_email(
    keys: Sequence[MatchKey], candidates: Mapping[MatchKey, Sequence[RemoteRecord]], taken: Mapping[str, object]
) -> bool:
    """Whether a record that somebody else has carries an e-mail of the contact's."""
    emails = [key for key in keys if key.name == "email"]
    return any(record.id in taken for key in emails for record in candidates.get(key, ()))


def _is_first(contact_id: UUID, record: RemoteRecord, claimants: Sequence[Claimant]) -> bool:
    if not claimants:
        return True
    name = str(record.raw.get("name", ""))
    first = min(claimants, key=lambda claimant: (not names_agree(claimant.name, name), claimant.contact_id))
    return first.contact_id == contact_id
