"""Undoes what a pull made of the hub's contacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from contacts import services as contacts
from contacts import store
from contacts.history import values_of
from contacts.records import POINT_FIELDS, ContactRecord, Point, settle_primary
from syncjobs.models import Run, RunItem
from syncjobs.undo_items import CHANGED_SINCE, GONE_SINCE, UNKNOWN_BEFORE, Changes, Reverted


class ContactUndo:
    """Contacts that the run made become tombstones, others get the values from before."""

    def __init__(self, run: Run) -> None:
        self._run, self._source = run, f"undo {run.pk}"

    def close(self) -> None:
        """Nothing to release."""

    def revert(self, items: Sequence[RunItem], *, dry_run: bool) -> list[Reverted]:
        held = store.load([item.contact_id for item in items if item.contact_id is not None])
        return [self._one(item, held, dry_run=dry_run) for item in items]

    def _one(self, item: RunItem, held: dict[UUID, store.Stored], *, dry_run: bool) -> Reverted:
        now = held.get(item.contact_id) if item.contact_id is not None else None
        if now is None or item.contact_id is None:
            return Reverted.skipped(item, GONE_SINCE)
        if item.action == RunItem.Action.CREATE:
            if now.version > 1:
                return Reverted.skipped(item, CHANGED_SINCE)
            if not dry_run:
                contacts.delete(item.contact_id, source=self._source)
            return Reverted.deleted(item)
        if not item.changes:
            return Reverted.skipped(item, UNKNOWN_BEFORE)
        if not _holds(now.record, item.changes):
            return Reverted.skipped(item, CHANGED_SINCE)
        if not dry_run:
            changes = item.changes
            back = partial(_before, changes=changes)
            contacts.edit(item.contact_id, back, source=self._source, remember=False)
        return Reverted.restored(item)


def _holds(record: ContactRecord, changes: Changes) -> bool:
    """Whether the contact still has what the run made of it."""
    return values_of(record, list(changes)) == {name: after for name, (_before, after) in changes.items()}


def _before(record: ContactRecord, changes: Changes) -> ContactRecord:
    if not _holds(record, changes):
        return record
    return replace(record, **{name: _value(name, before, record) for name, (before, _after) in changes.items()})


def _value(name: str, shown: Any, record: ContactRecord) -> Any:
    """The value that was shown so. A phone or e-mail that is gone comes back without its label."""
    if name in POINT_FIELDS:
        known = {point.value: point for point in getattr(record, name)}
        points = [known.get(value) or Point(value, value) for value in shown or ()]
        return settle_primary(replace(point, primary=place == 0) for place, point in enumerate(points))
    if name == "birth_date":
        return date.fromisoformat(shown) if shown else None
    return shown
