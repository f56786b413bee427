"""What other apps can hang on: a signal for every stored change of contacts."""

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
