"""What both sides hold after a merge: the snapshot, and whether anything is left to push. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from connectors.core.types import MultiValue
from contacts.records import SCALAR_FIELDS, ContactRecord
from syncjobs.pulling.rules import PullRules, Taken
from syncjobs.rules import EMPTY, Mapped, PushRules, jsonable, same
from syncjobs.sourcefields import CONTACT_COLUMNS, SourceContact


@dataclass(frozen=True, slots=True)
class Agreed:
    """`digest` of what they hold of the pushed fields, the snapshot, and whether they hold what the hub would push.

    The snapshot has their values; where both sides mean the same, in our spelling: a push then finds
    nothing to send.
    """

    digest: bytes
    snapshot: dict[str, Any]
    equal: bool


class Agreement:
    """Compares contacts with records by the rules of a connection. Without push rules nothing is ever left to push."""

    def __init__(self, pull: PullRules, push: PushRules | None) -> None:
        self._pull, self._push = pull, push
        self._pushed = push.kept_fields if push is not None else frozenset[str]()
        self._mirrors = push is None or pull.mirrors(push)

    def of_new(self, contact_id: UUID, contact: ContactRecord, theirs: dict[str, Any]) -> Agreed:
        """The agreement about a contact that was made of the record whose snapshot is `theirs`."""
        if not self._mirrors:
            return self.of(contact_id, contact, theirs)
        return self._agreed(theirs, equal=True)

    def of(self, contact_id: UUID, contact: ContactRecord, theirs: dict[str, Any]) -> Agreed:
        """The agreement about a contact that the record whose snapshot is `theirs` was merged into."""
        snapshot, equal = dict(theirs), True
        ours = self._push.apply(source_contact(contact_id, contact), snapshot).kept if self._push is not None else {}
        for name in self._pushed:
            wanted, held = jsonable(ours.get(name)), snapshot.get(name)
            if not same(wanted, held):
                equal = False
            elif wanted not in EMPTY:
                snapshot[name] = wanted
        return self._agreed(snapshot, equal=equal)

    def snapshot(self, taken: Taken, theirs: Mapping[str, Any]) -> dict[str, Any]:
        """Their values as a snapshot keeps them."""
        canonical = self._pull.canonical
        return {name: value for name in self._pull.watched if (value := canonical(name, taken, theirs)) is not None}

    def _agreed(self, snapshot: dict[str, Any], *, equal: bool) -> Agreed:
        pushed = self._pushed
        kept = Mapped({name: value for name, value in snapshot.items() if name in pushed}, {})
        return Agreed(kept.digest(), snapshot, equal)


def source_contact(contact_id: UUID, record: ContactRecord) -> SourceContact:
    """The contact as the push rules read it."""
    values: dict[str, Any] = {name: getattr(record, name) for name in SCALAR_FIELDS}
    values |= {"id": contact_id, "email": record.email, "phone": record.phone, "attributes": record.attributes}
    row = [values.get(name) for name in CONTACT_COLUMNS]
    # The primary one first, as a push loads them.
    emails, phones = (
        [MultiValue(p.value, p.label, p.primary) for p in sorted(points, key=lambda p: not p.primary)]
        for points in (record.emails, record.phones)
    )
    return SourceContact(row, emails, phones)
