"""What other apps can hang on: signals for every stored change of contacts, and for merges."""

from django.dispatch import Signal

contacts_changed = Signal()
"""Sent once per stored batch, inside the transaction that stores it: what a receiver writes is stored with the
contacts or not at all, and a receiver's error undoes the batch. Use `transaction.on_commit` for anything else.

Arguments:
    sender: the Contact class.
    contact_ids: list[UUID], may hold thousands: answer with one set-based statement.
    changed_fields: frozenset[str] of record fields that changed in any of them; {"deleted_at"} for tombstones.
    changes: dict[UUID, tuple[str, ...]], the changed fields of each; for a new contact every field it has.
    created_ids: frozenset[UUID], those of them that are new.
    source: str, who changed them ("api", "admin", "import:people.csv", a connection's key …).
"""

contacts_joined = Signal()
"""Sent when two contacts become one, inside the transaction and before the second becomes a tombstone.

Arguments:
    sender: the Contact class.
    kept_id, gone_id: UUID.

A receiver answers a JSON object of its own keys, which `contacts_parted` gives back.
"""

contacts_parted = Signal()
"""Sent when a merge is undone, inside the transaction and after the second contact lives again.

Arguments:
    sender: the Contact class.
    kept_id, gone_id: UUID.
    details: what the receivers of `contacts_joined` answered, in one object.
"""

contacts_kept_apart = Signal()
"""Sent when a person has said that two contacts are two people. Arguments: first_id, second_id: UUID."""
