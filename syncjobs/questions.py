"""What runs ask people: the questions before they are stored, with both values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contacts.merge import Conflict
from contacts.records import ContactRecord
from syncjobs.models import ReviewItem
from syncjobs.rules import jsonable


@dataclass(frozen=True, slots=True)
class Question:
    """What a ReviewItem asks, before it is stored."""

    kind: ReviewItem.Kind
    external_id: str = ""
    field: str = ""
    contact_id: UUID | None = None
    ours: Any = None
    theirs: Any = None
    candidates: tuple[UUID, ...] = ()
    message: str = ""


def about(conflict: Conflict, external_id: str, contact_id: UUID) -> Question:
    """The question about a field that both sides changed."""
    return Question(
        ReviewItem.Kind.CONFLICT,
        external_id,
        conflict.field,
        contact_id,
        jsonable(conflict.local),
        jsonable(conflict.remote),
    )


def which(
    external_id: str, candidates: Mapping[UUID, ContactRecord], by: str, theirs: Mapping[str, Any] | None = None
) -> Question:
    """The question which of several contacts a record, with `theirs` by field, belongs to."""
    message = f"{len(candidates)} contacts match by {by}: decide which one it is."
    ours = {str(contact_id): summary(record) for contact_id, record in candidates.items()}
    return Question(
        ReviewItem.Kind.AMBIGUOUS,
        external_id,
        ours=ours,
        theirs=jsonable(dict(theirs or {})),
        candidates=tuple(candidates),
        message=message,
    )


def rivals(
    contact_id: UUID, message: str, ours: Mapping[str, Any], records: Mapping[str, Mapping[str, Any]]
) -> Question:
    """The question which of several records of theirs, given by id, a contact's one is."""
    return Question(
        ReviewItem.Kind.AMBIGUOUS,
        field=str(contact_id),
        contact_id=contact_id,
        ours=jsonable(dict(ours)),
        theirs={"records": list(records), "values": jsonable({i: dict(values) for i, values in records.items()})},
        message=message,
    )


def deletions(system: str, missing: int, of: int) -> Question:
    """The question whether so many records may have been deleted."""
    message = f"{missing} of {of} linked records are no longer in {system}."
    return Question(ReviewItem.Kind.DELETIONS, theirs={"missing": missing, "of": of}, message=message)


def deletion(external_id: str, contact_id: UUID, message: str) -> Question:
    """The question whether one record is to be deleted, as another end of its route has lost its own."""
    return Question(ReviewItem.Kind.DELETIONS, external_id, contact_id=contact_id, message=message)


def summary(record: ContactRecord) -> dict[str, Any]:
    """What a person tells a contact by."""
    told = {
        "name": " ".join(filter(None, (record.first_name, record.middle_name, record.last_name))),
        "emails": [point.value for point in record.emails],
        "phones": [point.value for point in record.phones],
        "company": record.company,
    }
    return {name: value for name, value in told.items() if value}
