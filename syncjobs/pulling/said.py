"""What people have decided about the records of one batch: loaded by set, and noted once it was carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from connectors.models import Connection
from contacts.merge import Side
from syncjobs import enqueue, reviews
from syncjobs.models import ReviewItem

_SIDES: dict[str, Side] = {"ours": "destination", "theirs": "source"}


@dataclass(frozen=True, slots=True)
class Person:
    """Whose record it is: the contact's, or of somebody whom the hub does not know yet."""

    item_id: int
    contact_id: UUID | None
    candidates: tuple[UUID, ...] = ()


class Said:
    """`waiting`: somebody has decided something about the connection that no run has carried out yet."""

    def __init__(self, connection: Connection, external_ids: Sequence[str], *, waiting: bool) -> None:
        self._by_record = reviews.said_of_records(connection, external_ids) if waiting else {}
        self._connection = connection
        self._used: dict[int, UUID | None] = {}
        # Those who waited for an answer, whoever it named.
        self.woken: list[UUID] = []

    def contact_ids(self) -> list[UUID]:
        """The contacts that records were given to."""
        people = [self.person(external_id) for external_id in self._by_record]
        return [person.contact_id for person in people if person is not None and person.contact_id is not None]

    def person(self, external_id: str) -> Person | None:
        """Whose record this is, where somebody has decided it."""
        for item in self._by_record.get(external_id, ()):
            decision = item.decision or {}
            if item.kind == ReviewItem.Kind.AMBIGUOUS:
                chosen = UUID(decision["contact"]) if "contact" in decision else None
                return Person(item.pk, chosen, tuple(UUID(contact_id) for contact_id in item.candidates))
        return None

    def placed(self, person: Person, contact_id: UUID) -> None:
        """The record was given to this contact."""
        self._used[person.item_id] = contact_id
        self.woken += person.candidates

    def overtaken(self, person: Person) -> None:
        """The contact that was named has another record by now: the decision means nothing any more."""
        self._used[person.item_id] = None

    def sides(self, external_id: str, contact_id: UUID) -> dict[str, Side]:
        """By field, whose value counts. They are about to be carried out."""
        decided: dict[str, Side] = {}
        for item in self._by_record.get(external_id, ()):
            if item.kind == ReviewItem.Kind.CONFLICT:
                decided[item.field] = _SIDES[(item.decision or {})["take"]]
                self._used[item.pk] = contact_id
        return decided

    def store(self) -> None:
        """Notes what was carried out, and has those who waited for it planned again: two statements, or none."""
        reviews.used(self._used)
        if self.woken:
            enqueue.wake(self._connection, self.woken)
