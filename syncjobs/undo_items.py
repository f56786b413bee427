"""What became of one item that was to be undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop as _

from syncjobs.models import RunItem

CHANGED_SINCE = _("It has changed since; it was left as it is.")
GONE_SINCE = _("It has been deleted since.")
UNKNOWN_BEFORE = _("What it held before is not known.")

Changes = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Reverted:
    """`action` is RunItem's: update, delete, skip or fail. `changes` are [before, after] by field."""

    contact_id: UUID | None
    external_id: str
    action: str
    message: str = ""
    changes: Changes | None = None

    @classmethod
    def skipped(cls, item: RunItem, reason: str) -> Reverted:
        return cls(item.contact_id, item.external_id, RunItem.Action.SKIP.value, reason)

    @classmethod
    def failed(cls, item: RunItem, reason: str) -> Reverted:
        return cls(item.contact_id, item.external_id, RunItem.Action.FAIL.value, reason)

    @classmethod
    def deleted(cls, item: RunItem) -> Reverted:
        return cls(item.contact_id, item.external_id, RunItem.Action.DELETE.value)

    @classmethod
    def restored(cls, item: RunItem) -> Reverted:
        return cls(item.contact_id, item.external_id, RunItem.Action.UPDATE.value, changes=backwards(item))


def backwards(item: RunItem) -> Changes:
    """The item's changes the other way round."""
    return {name: [after, before] for name, (before, after) in (item.changes or {}).items()}
