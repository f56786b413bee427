"""Questions that runs leave to people, and how a pull decides where it may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection as database
from django.utils.dateparse import parse_datetime

from connectors.models import Connection
from contacts.merge import Conflict, Policy, Rule
from contacts.store import Stored
from syncjobs.models import ReviewItem
from syncjobs.planitems import Pending
from syncjobs.rules import jsonable

_ASK = """
INSERT INTO syncjobs_reviewitem (connection_id, kind, external_id, contact_id, field, ours, theirs, candidates, message,
                                 created_at, decided_by)
SELECT %(connection)s, kind, external_id, contact_id, field, ours, theirs, candidates, message, now(), ''
FROM jsonb_to_recordset(%(rows)s::jsonb) AS q(kind text, external_id text, contact_id uuid, field text, ours jsonb,
                                              theirs jsonb, candidates jsonb, message text)
ON CONFLICT (connection_id, kind, external_id, field) WHERE decided_at IS NULL
DO UPDATE SET contact_id = excluded.contact_id, ours = excluded.ours, theirs = excluded.theirs,
    candidates = excluded.candidates, message = excluded.message
"""


def rule(policy: Policy, before: Stored, remote_at: datetime | None) -> Rule:
    """Decides about fields that both sides changed; the hub's time of a field is when it was last set."""

    def local_at(field: str) -> datetime | None:
        stamp = before.provenance.get(field.partition(".")[0]) or {}
        return parse_datetime(stamp.get("at", ""))

    return Rule(policy=policy, local_at=local_at, remote_at=remote_at)


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


def which(external_id: str, candidates: tuple[UUID, ...], by: str) -> Question:
    """The question which of several contacts a record belongs to."""
    message = f"{len(candidates)} contacts match by {by}: decide which one it is."
    return Question(ReviewItem.Kind.AMBIGUOUS, external_id, candidates=candidates, message=message)


def rivals(item: Pending) -> Question:
    """The question which of several records of theirs a contact's one is."""
    return Question(
        ReviewItem.Kind.AMBIGUOUS,
        field=str(item.contact_id),
        contact_id=item.contact_id,
        theirs={"records": list(item.rivals)},
        message=item.reason,
    )


def deletions(system: str, missing: int, of: int) -> Question:
    """The question whether so many records may have been deleted."""
    message = f"{missing} of {of} linked records are no longer in {system}."
    return Question(ReviewItem.Kind.DELETIONS, theirs={"missing": missing, "of": of}, message=message)


def ask(connection: Connection, questions: Sequence[Question]) -> None:
    """Stores the questions in one statement; open ones about the same field are brought up to date."""
    if questions:
        rows = [{**asdict(question), "candidates": [str(i) for i in question.candidates]} for question in questions]
        with database.cursor() as cursor:
            cursor.execute(_ASK, {"connection": connection.pk, "rows": orjson.dumps(rows).decode()})


def deletions_allowed(connection: Connection) -> bool:
    """Whether a person has allowed the deletions last asked about; the word is good for one time."""
    said = ReviewItem.objects.filter(
        connection=connection, kind=ReviewItem.Kind.DELETIONS, decision__allow=True, decision__used__isnull=True
    )
    return bool(said.update(decision={"allow": True, "used": True}))
