"""Our own mark on the contacts that the hub creates: by it a lost answer is made good (sheet 7)."""

from __future__ import annotations

import hashlib

from connectors.core.types import Change

# A custom field of ours, a unique identifier like the e-mail.
MARK = "crmsync_id"


def mark_of(site: str, change: Change) -> str:
    """The same for every attempt at one creation; at most 64 characters, which is all that such a field holds.

    Mautic takes two contacts of one mark for one. So the address is part of it: the hub's numbers begin anew with a
    new database, and must not meet somebody else.
    """
    key = f"{change.key.name}:{change.key.value}".casefold() if change.key is not None else ""
    told = "\0".join((site, change.idempotency_key, key))
    # A letter first: Mautic would drop what PHP takes for a number that begins with 0 (sheet 5).
    return f"c{change.idempotency_key[:40]}-{hashlib.blake2b(told.encode(), digest_size=8).hexdigest()}"
