"""What a look at a record and its link alone tells, and how a settled conflict reads. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto

from connectors.core.types import RemoteRecord
from contacts.merge import Conflict
from syncjobs.pulling.store import LinkRow

EMPTY = "There is nothing to tell the person by: no name, e-mail, phone or company."
LINKED = "An existing contact was found and linked."


class Verdict(Enum):
    NEW = auto()
    CHANGED = auto()
    UNCHANGED = auto()
    OLDER = auto()
    OVERTAKEN = auto()
    HIDDEN = auto()


def decide(record: RemoteRecord, link: LinkRow | None, digest: bytes, asked_at: datetime | None) -> Verdict:
    """Whether the record says anything new.

    OLDER is a state behind a later one that was stored, as by a webhook that was quicker. OVERTAKEN is one that was
    asked for before our own write ended: it may be of before or after, and only another look tells. HIDDEN is the
    record of a contact that was deleted from the hub.
    """
    if link is None:
        return Verdict.NEW
    if link.hidden:
        return Verdict.HIDDEN
    if link.gone:
        return Verdict.CHANGED
    if link.seen_hash == digest:
        return Verdict.UNCHANGED
    if record.updated_at and link.remote_updated_at and record.updated_at.timestamp() < link.remote_updated_at:
        return Verdict.OLDER
    if asked_at and link.pushed and link.synced_at and link.synced_at > asked_at.timestamp():
        return Verdict.OVERTAKEN
    return Verdict.CHANGED


def sentence(conflict: Conflict, system: str) -> str:
    """How a field that both sides changed was decided."""
    if conflict.winner is None:
        return f"{conflict.field}: both sides changed it; a person has to decide."
    kept = f"the value of {system}" if conflict.winner == "source" else "the hub's value"
    return f"{conflict.field}: both sides changed it; {kept} was kept."
