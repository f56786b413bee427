"""What both sides hold after a merge: the snapshot, and whether anything is left to push. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from connectors.core.types import MultiValue
from contacts.records import SCALAR_FIELDS, ContactRecord
from syncjobs.pulling.rules import PullRules
from syncjobs.rules import EMPTY, Mapped, PushRules, jsonable
from syncjobs.sourcefields import CONTACT_COLUMNS, SourceContact


class Agreement:
    """Compares contacts with records by the rules of a connection. Without push rules nothing is ever left to push."""

    def __init__(self, pull: PullRules, push: PushRules | None) -> None:
        self._pull, self._push = pull, push

    def of(
        self, contact_id: UUID, contact: ContactRecord, theirs: Mapping[str, Any]
    ) -> tuple[bytes, dict[str, Any], bool]:
        """(digest of what they hold of the pushed fields, the snapshot, whether they hold what the hub would push).

        The snapshot has their values; where both sides mean the same, in our spelling, so that a push finds nothing
        to send.
        """
        ours = self._push.apply(source_contact(contact_id, contact)).kept if self._push is not None else {}
        pushed = self._push.kept_fields if self._push is not None else frozenset()
        snapshot: dict[str, Any] = {}
        equal = True
        for name in self._pull.watched:
            held = self._pull.canonical(name, theirs.get(name))
            if name in pushed:
                wanted = jsonable(ours.get(name))
                if same(wanted, held):
                    held = wanted
                else:
                    equal = False
            if held not in EMPTY:
                snapshot[name] = held
        kept = Mapped({name: value for name, value in snapshot.items() if name in pushed}, {})
        return kept.digest(), snapshot, equal


def same(ours: Any, theirs: Any) -> bool:
    """Whether both mean the same: spelling of numbers does not matter, nor a label where ours has none."""
    if ours == theirs or (ours in EMPTY and theirs in EMPTY):
        return True
    if isinstance(ours, list) and isinstance(theirs, list):
        return _same_points(ours, theirs)
    if isinstance(ours, list | dict) or isinstance(theirs, list | dict):
        return False
    return ours not in EMPTY and theirs not in EMPTY and str(ours).strip() == str(theirs).strip()


def _same_points(ours: list[Any], theirs: list[Any]) -> bool:
    if not all(isinstance(item, dict) and "value" in item for item in (*ours, *theirs)):
        return False
    labels = {item["value"]: item.get("label") or "" for item in theirs}
    return len(ours) == len(labels) and all(
        item["value"] in labels and item.get("label") in ("", None, labels[item["value"]]) for item in ours
    )


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
