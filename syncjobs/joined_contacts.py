"""What becomes of links when two contacts are made one, and when they are parted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from connectors import services as connections
from connectors.core.types import CONTACTS
from connectors.models import Connection
from syncjobs import enqueue, states
from syncjobs.models import ContactSync

MOVED, LEFT = "links_moved", "links_left"


def on_joined(sender: Any, kept_id: UUID, gone_id: UUID, **rest: Any) -> dict[str, list[int]]:
    """The links move along; where both have one, the second stays with the tombstone, and its record as it is.

    A record whose contact is a tombstone is neither written nor taken in again.
    """
    links = ContactSync.objects.filter(contact=gone_id)
    taken = ContactSync.objects.filter(contact=kept_id).values("connection")
    moved = list(links.exclude(connection__in=taken).values_list("pk", flat=True))
    left = list(links.filter(connection__in=taken).exclude(external_id="").values_list("pk", flat=True))
    ContactSync.objects.filter(pk__in=moved).update(contact=kept_id, seen_hash=None)
    _bring_in_step(kept_id, moved)
    return {MOVED: moved, LEFT: left}


def on_parted(sender: Any, kept_id: UUID, gone_id: UUID, details: Mapping[str, list[int]], **rest: Any) -> None:
    """The links go back, and those that had stayed live again."""
    moved, left = details.get(MOVED, []), details.get(LEFT, [])
    ContactSync.objects.filter(pk__in=moved, contact=kept_id).update(contact=gone_id, seen_hash=None)
    complete = {"sync_status": states.COMPLETE.sync, "processing_status": states.COMPLETE.processing}
    dropped = ContactSync.objects.filter(pk__in=left, contact=gone_id, gone_at=None, sync_status=states.SKIPPED.sync)
    dropped.update(**complete, processing_error="", seen_hash=None)
    _bring_in_step(gone_id, [*moved, *left])


def _bring_in_step(contact_id: UUID, link_ids: Sequence[int]) -> None:
    """Their records are compared with the contact that they belong to now, where records are written at all."""
    about = Connection.objects.filter(enabled=True, links__in=link_ids, links__contact=contact_id).distinct()
    for connection in connections.usable(about):
        if connection.spec.entities[CONTACTS].write:
            enqueue.enqueue_ids(connection, [contact_id])


def doubles(kept_id: UUID, gone_id: UUID) -> list[tuple[Connection, str, str]]:
    """The systems in which each of the two has a record of its own: (connection, kept one's, other's)."""
    held: dict[int, dict[UUID, ContactSync]] = {}
    links = ContactSync.objects.filter(contact__in=[kept_id, gone_id]).exclude(external_id="")
    for link in links.filter(gone_at=None).select_related("connection"):
        held.setdefault(link.connection_id, {})[link.contact_id] = link
    both = [own for own in held.values() if len(own) == 2]
    return [(own[kept_id].connection, own[kept_id].external_id, own[gone_id].external_id) for own in both]
