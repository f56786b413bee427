"""Creates, edits and deletes contacts one by one or by the thousand. With contacts.bulk the only writer of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from contacts import store
from contacts.hooks import contacts_changed
from contacts.identifiers import uuid7
from contacts.models import Contact
from contacts.records import ContactRecord, settle_primary

DELETE_CHUNK = 5_000


class ContactNotFound(LookupError):
    """There is no living contact with this id."""


@transaction.atomic
def create(record: ContactRecord, *, source: str, contact_id: UUID | None = None) -> store.Stored:
    """Stores a new contact, whoever else has its e-mail: shared mailboxes exist. The id is made unless given."""
    contact_id = contact_id or uuid7()
    change = store.Change.between(contact_id, None, _settled(record))
    if change is None:
        raise AssertionError("a new contact always differs from none")
    store.save([change], source)
    return store.load([contact_id])[contact_id]


@transaction.atomic
def edit(
    contact_id: UUID, change: Callable[[ContactRecord], ContactRecord], *, source: str, remember: bool = True
) -> store.Stored:
    """Stores what `change` makes of the contact's record. Nothing is written when nothing differs.

    `remember` as for store.save. Raises ContactNotFound. The row is locked first, so that two edits at once follow each
    other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM contacts_contact WHERE id = %s FOR UPDATE", [contact_id])
    before = store.load([contact_id]).get(contact_id)
    if before is None:
        raise ContactNotFound(str(contact_id))
    difference = store.Change.between(contact_id, before, _settled(change(before.record)))
    if difference is None:
        return before
    store.save([difference], source, remember=remember)
    return store.load([contact_id])[contact_id]


def replace_record(contact_id: UUID, record: ContactRecord, *, source: str) -> store.Stored:
    """Makes the contact exactly this record: what the record does not have is cleared. Raises ContactNotFound."""
    return edit(contact_id, lambda _: record, source=source)


def delete(contact_id: UUID, *, source: str) -> None:
    """Makes the contact a tombstone. Raises ContactNotFound."""
    if not delete_many([contact_id], source=source):
        raise ContactNotFound(str(contact_id))


def delete_many(contact_ids: Iterable[UUID], *, source: str) -> int:
    """Makes tombstones of the living contacts among the ids, 5,000 a transaction; the number of them."""
    return sum(_delete_chunk(chunk, source) for chunk in _chunks(contact_ids))


def delete_queryset(queryset: QuerySet[Contact], *, source: str) -> int:
    """The same for a queryset of any size, read by a server-side cursor."""
    ids = queryset.order_by().values_list("id", flat=True)
    return delete_many(list(ids) if connection.in_atomic_block else ids.iterator(DELETE_CHUNK), source=source)


@transaction.atomic
def _delete_chunk(contact_ids: list[UUID], source: str) -> int:
    # Also keeps us from waiting for a bulk upsert that waits for us.
    store.lock_matching()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE contacts_contact SET deleted_at = %(at)s, updated_at = %(at)s, version = version + 1"
            " WHERE id = ANY(%(ids)s) AND deleted_at IS NULL RETURNING id",
            {"at": timezone.now(), "ids": contact_ids},
        )
        deleted = [contact_id for (contact_id,) in cursor]
    if deleted:
        contacts_changed.send(
            Contact,
            contact_ids=deleted,
            changed_fields=frozenset({"deleted_at"}),
            changes=dict.fromkeys(deleted, ("deleted_at",)),
            created_ids=frozenset(),
            source=source,
        )
    return len(deleted)


def _chunks(contact_ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    chunk: list[UUID] = []
    for contact_id in contact_ids:
        chunk.append(contact_id)
        if len(chunk) == DELETE_CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _settled(record: ContactRecord) -> ContactRecord:
    return replace(record, emails=settle_primary(record.emails), phones=settle_primary(record.phones))
