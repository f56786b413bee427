"""A contact as a workflow receives it, and the ids by which it knows a repeat (sheet 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.core.batches import Batch, Batcher, Place
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Change
from connectors.n8n.catalogue import STANDARD

LANE = "contacts"
# JavaScript's numbers lose the digits of greater ones (sheet 2).
LARGEST_INTEGER = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Parcel:
    """One contact, encoded. `delivery` is the same however often this state of the contact is sent."""

    change: Change
    contact: str
    delivery: str
    body: bytes


def crmsync_id(change: Change) -> str:
    """By what a workflow tells contacts apart: the id they were first sent with. Raises ApiError (BUG) without any."""
    found = change.external_id or (change.key.value if change.key is not None else "")
    if not found:
        raise ApiError(ErrorKind.BUG, "A contact came without an id of its own.")
    return found


def pack(change: Change) -> Parcel:
    """Raises ApiError (DATA) for values that JSON does not have.

    The delivery's id is made of the contact's id, its values and the delivery before: one whose answer was lost keeps
    its id, and a contact that returns to earlier values is another delivery than they were.
    """
    contact = crmsync_id(change)
    told = {"crmsync_id": contact, "event": "upsert", **_members(change)}
    try:
        body = orjson.dumps(told, option=orjson.OPT_UTC_Z)
    except (orjson.JSONEncodeError, TypeError) as e:
        raise ApiError(
            ErrorKind.DATA, "A value of this contact cannot be sent as JSON.", detail=type(e).__name__
        ) from e
    state = hashlib.sha256(body)
    delivery = _identifier(state.digest() + change.version.encode())
    tail = f',"hash":"sha256:{state.hexdigest()}","delivery_id":"{delivery}"}}'
    return Parcel(change, contact, delivery, body[:-1] + tail.encode())


def delivery_of(parcels: Sequence[Parcel]) -> str:
    """The id of the whole request: equal ones hold the same contacts in the same state."""
    return _identifier("".join(parcel.delivery for parcel in parcels).encode())


def joined(parcels: Sequence[Parcel]) -> bytes:
    """Always an array, also of one contact."""
    return b"[" + b",".join(parcel.body for parcel in parcels) + b"]"


def _identifier(told: bytes) -> str:
    """In the form of a UUID."""
    text = hashlib.blake2b(told, digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _members(change: Change) -> dict[str, Any]:
    """All of the contact's values, as a workflow writes whole records; null for what was cleared just now."""
    own: dict[str, Any] = {name: None for name, value in change.values.items() if value is None}
    more: dict[str, Any] = {name: own.pop(name) for name in own.keys() - STANDARD.keys()}
    for name, value in (change.all_values or change.values).items():
        (own if name in STANDARD else more)[name] = _exact(value)
    if more:
        own["fields"] = more
    return own


def _exact(value: Any) -> Any:
    return str(value) if isinstance(value, int) and abs(value) > LARGEST_INTEGER else value


class SizedBatcher(Batcher):
    """Batches of at most `size` contacts and `most_bytes` bytes; a contact that is larger goes alone.

    `parcels` are those of the batches that are not released yet, by the ref of their changes.
    """

    def __init__(self, size: int, most_bytes: int) -> None:
        super().__init__(self._pack, size)
        self.most_bytes = most_bytes
        self.parcels: dict[int, Parcel] = {}
        self._packed: Parcel | None = None
        self._bytes = 2

    def _pack(self, change: Change) -> Place:
        self._packed = pack(change)
        return Place(LANE, (self._packed.contact,))

    def put(self, change: Change, place: Place) -> Iterator[Batch]:
        parcel = self._packed if self._packed is not None else pack(change)
        if self._bytes > 2 and self._bytes + len(parcel.body) + 1 > self.most_bytes:
            yield self.take(place.lane)
        self.parcels[change.ref] = parcel
        self._bytes += len(parcel.body) + 1
        yield from super().put(change, place)

    def take(self, lane: str) -> Batch:
        if lane == LANE:
            self._bytes = 2
        return super().take(lane)

    def release(self, batch: Batch) -> None:
        for change in batch.changes:
            del self.parcels[change.ref]
        super().release(batch)
