"""Our own mark on the records that the hub creates: by it a lost answer is made good (sheet 8)."""

from __future__ import annotations

import hashlib

from connectors.bitrix24.entities import ORIGIN, ORIGINATOR
from connectors.core.types import Change

HUB = "crmsync"


class Marks:
    """`hub` is what tells this hub from others that write to the same portal."""

    def __init__(self, hub: str) -> None:
        self._hub = hub

    def of(self, change: Change) -> str:
        """The same for every attempt at one creation.

        The record's own key is part of it: numbers begin anew with a new database, and must not meet somebody else.
        """
        key = f"{change.key.name}:{change.key.value}".casefold() if change.key is not None else ""
        told = "\0".join((self._hub, change.idempotency_key, key))
        return f"{change.idempotency_key}-{hashlib.blake2b(told.encode(), digest_size=8).hexdigest()}"


def marked(mark: str) -> dict[str, str]:
    """The fields that carry a mark."""
    return {ORIGINATOR: HUB, ORIGIN: mark}
