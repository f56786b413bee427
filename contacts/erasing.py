"""Takes everything that is known of people out of the contacts' tables; their empty rows stay."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from contacts import services, store
from contacts.models import Contact, ContactChange, ContactPoint, Duplicate, Merge


@transaction.atomic
def erase(contact_ids: Sequence[UUID], *, source: str) -> dict[str, int]:
    """Makes the contacts tombstones that hold nothing but their id; how many rows of each table were deleted.

    The ids remain: links to remote records hang on them, by which a pull knows whom it must not bring back.
    """
    services.delete_many(contact_ids, source=source)
    ours = Q(contact__in=contact_ids)
    counts = {
        "points": ContactPoint.objects.filter(ours).delete()[0],
        "history": ContactChange.objects.filter(ours).delete()[0],
        "duplicates": Duplicate.objects.filter(Q(first__in=contact_ids) | Q(second__in=contact_ids)).delete()[0],
        "merges": Merge.objects.filter(Q(kept__in=contact_ids) | Q(gone__in=contact_ids)).delete()[0],
    }
    texts = ("first_name", "last_name", "middle_name", "company", "job_title")
    counts["contacts"] = Contact.objects.filter(pk__in=contact_ids).update(
        **dict.fromkeys(texts, ""),
        **dict.fromkeys(("email", "phone", "birth_date", "domain_id", "page_id", "identity_hash")),
        attributes={},
        provenance={},
        name_hash=0,
        version=F("version") + 1,
        updated_at=timezone.now(),
    )
    return counts


def tombstone() -> UUID:
    """A new contact that was never anybody: something for the link to a record to hang on."""
    store.lock_matching()
    return Contact.objects.create(deleted_at=timezone.now()).pk
