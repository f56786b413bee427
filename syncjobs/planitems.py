"""What a plan says of each link: the decision, what would be sent, and what is remembered until it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Change, MatchKey, RemoteRecord
from syncjobs.models import ReviewItem
from syncjobs.questions import Question
from syncjobs.queue import DueLink
from syncjobs.rules import Mapped, jsonable
from syncjobs.strays import Claimant


class Decision(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    LINK = "link"
    UNCHANGED = "unchanged"
    SKIP = "skip"
    CONFLICT = "conflict"
    FAIL = "fail"


@dataclass(slots=True)
class PlanItem:
    """What is to happen to one link, and why. `change` is what would be sent; None where nothing is.

    `held` is what their record is known to hold of it, in JSON's types. `question` is what a person has to decide,
    `decided` the id of what one has. `withheld` are fields of theirs that wait for such a decision.
    """

    link: DueLink
    decision: Decision
    reason: str = ""
    change: Change | None = None
    mapped: Mapped | None = None
    digest: bytes = b""
    fields: tuple[str, ...] = ()
    error: ApiError | None = None
    external_id: str = ""
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    held: Mapping[str, Any] = field(default_factory=dict)
    question: Question | None = None
    decided: int | None = None
    withheld: frozenset[str] = frozenset()

    def changes(self) -> dict[str, list[Any]]:
        """By field of theirs what it holds, as far as that is known, and what it would hold."""
        sent = self.change.values if self.change is not None else {}
        return {name: [self.held.get(name), jsonable(value)] for name, value in sent.items()}

    def pending(self) -> Pending:
        """What to remember of the item until its outcome is known."""
        return Pending(
            link_id=self.link.id,
            contact_id=self.link.contact.id,
            contact_version=self.link.contact.version,
            decision=self.decision,
            reason=self.reason,
            external_id=self.external_id,
            digest=self.digest,
            fields=self.fields,
            # Copied, because orjson leaves the whole of its buffer, kilobytes, with the bytes it gives.
            snapshot=bytes(memoryview(orjson.dumps(self.snapshot))) if self.snapshot else b"",
            error=self.error,
            question=self.question,
            decided=self.decided,
            # Of a record that is made here, the contact itself tells.
            changes=bytes(memoryview(orjson.dumps(self.changes()))) if self.change and self.external_id else b"",
        )


@dataclass(slots=True)
class Pending:
    """A planned item without its contact and values: tens of thousands of these wait for a bulk job's answer."""

    link_id: int
    contact_id: UUID
    contact_version: int
    decision: Decision
    reason: str
    external_id: str
    digest: bytes
    fields: tuple[str, ...]
    snapshot: bytes
    error: ApiError | None
    question: Question | None
    decided: int | None
    changes: bytes = b""


@dataclass(frozen=True, slots=True)
class Known:
    """What the plan of a page needs to know besides the links themselves; each part was one query or one call.

    `read` are records by id as they are now, as far as rules that yield to them need them. `said` is what people have
    decided, by contact; `disputed` are contacts that a record of theirs may belong to, which nobody has decided;
    `apart` those of whom somebody has said that they are nobody else.
    """

    twins: Mapping[int, UUID]
    snapshots: Mapping[int, Mapping[str, Any]]
    candidates: Mapping[MatchKey, Sequence[RemoteRecord]]
    owners: Mapping[str, int]
    claimants: Mapping[str, Sequence[Claimant]] = field(default_factory=dict)
    read: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    said: Mapping[UUID, Sequence[ReviewItem]] = field(default_factory=dict)
    disputed: frozenset[UUID] = frozenset()
    apart: frozenset[UUID] = frozenset()


def failure(link: DueLink, sentence: str) -> PlanItem:
    return PlanItem(link, Decision.FAIL, sentence, error=ApiError(ErrorKind.DATA, sentence))


def asking(link: DueLink, question: Question) -> PlanItem:
    """Nothing is sent until a person has answered."""
    error = ApiError(ErrorKind.DATA, question.message)
    return PlanItem(link, Decision.CONFLICT, question.message, error=error, question=question)
