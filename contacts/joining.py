"""Makes one contact of two, and parts them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from contacts import services, store
from contacts.duplicates import AlreadyDecided
from contacts.hooks import contacts_changed, contacts_joined, contacts_parted
from contacts.models import Contact, Duplicate, Merge
from contacts.records import FIELDS, POINT_FIELDS, SCALAR_FIELDS, ContactRecord, Point, settle_primary, union_points

_LOCK = "SELECT 1 FROM contacts_contact WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
_REVIVE = """
UPDATE contacts_contact SET deleted_at = NULL, updated_at = %(at)s, version = version + 1
WHERE id = %(id)s AND deleted_at IS NOT NULL
"""


@transaction.atomic
def join(kept_id: UUID, gone_id: UUID, *, by: str, take: Sequence[str] = ()) -> Merge:
    """Makes `gone_id` part of `kept_id`: what the kept one lacks is added; of fields in `take` the other counts.

    E-mails, phones and attributes are united. Raises ContactNotFound, also for a contact and itself.
    """
    if kept_id == gone_id:
        raise services.ContactNotFound(str(gone_id))
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [[kept_id, gone_id]])
    held = store.load([kept_id, gone_id])
    for contact_id in (kept_id, gone_id):
        if contact_id not in held:
            raise services.ContactNotFound(str(contact_id))
    kept, gone = held[kept_id].record, held[gone_id].record
    made = united(kept, gone, take)
    details: dict[str, Any] = {}
    for _receiver, answer in contacts_joined.send(Contact, kept_id=kept_id, gone_id=gone_id):
        details |= answer  # type: ignore[arg-type]
    services.edit(kept_id, lambda _record: made, source=f"merge:{by}")
    services.delete(gone_id, source=f"merge:{by}")
    _decided(kept_id, gone_id, by)
    return Merge.objects.create(
        kept_id=kept_id, gone_id=gone_id, by=by[:150], before=_shown(kept), after=_shown(made), details=details
    )


@transaction.atomic
def part(merge: Merge, by: str) -> list[str]:
    """Undoes a merge: the contact that was given up lives again, and the kept one gets its values back.

    Answers the fields of the kept contact that were changed since and therefore stay as they are. Raises
    AlreadyDecided when it was parted before, and ContactNotFound when the kept contact was deleted.
    """
    merge = Merge.objects.select_for_update(of=("self",)).get(pk=merge.pk)
    if merge.parted_at is not None:
        raise AlreadyDecided
    now, changed = timezone.now(), list[str]()
    before, after = _record(merge.before), _record(merge.after)

    def restored(record: ContactRecord) -> ContactRecord:
        ours = set(after.diff(before))
        changed.extend(name for name in FIELDS if name in ours and name in record.diff(after))
        return replace(record, **{name: getattr(before, name) for name in ours if name not in changed})

    services.edit(merge.kept_id, restored, source=f"part:{by}")
    with connection.cursor() as cursor:
        cursor.execute(_REVIVE, {"id": merge.gone_id, "at": now})
    ids = {"kept_id": merge.kept_id, "gone_id": merge.gone_id}
    contacts_parted.send(Contact, **ids, details=merge.details)
    _tell_revived(merge.gone_id, by)
    Merge.objects.filter(pk=merge.pk).update(parted_at=now, parted_by=by[:150])
    pair = sorted([merge.kept_id, merge.gone_id])
    apart = {"verdict": Duplicate.Verdict.APART, "decided_at": now, "decided_by": by[:150]}
    Duplicate.objects.filter(first=pair[0], second=pair[1]).update(**apart)
    return changed


def united(kept: ContactRecord, gone: ContactRecord, take: Sequence[str] = ()) -> ContactRecord:
    """One record of two. Pure; of the fields in `take` the values of `gone` come first."""
    values: dict[str, Any] = {}
    for name in SCALAR_FIELDS:
        ours, theirs = getattr(kept, name), getattr(gone, name)
        values[name] = (theirs or ours) if name in take else (ours or theirs)
    for name in POINT_FIELDS:
        first, second = (gone, kept) if name in take else (kept, gone)
        values[name] = settle_primary(union_points(getattr(first, name), getattr(second, name)))
    attributes = (kept.attributes, gone.attributes) if "attributes" in take else (gone.attributes, kept.attributes)
    return ContactRecord(**values, attributes={**attributes[0], **attributes[1]})


def _decided(kept_id: UUID, gone_id: UUID, by: str) -> None:
    """The pair is settled; other open pairs of the contact that is gone mean nothing any more."""
    first, second = sorted([kept_id, gone_id])
    now, merged = timezone.now(), Duplicate.Verdict.MERGED
    told = {"verdict": merged, "decided_at": now, "decided_by": by[:150]}
    Duplicate.objects.update_or_create(
        first_id=first, second_id=second, defaults=told, create_defaults={**told, "by": ""}
    )
    Duplicate.objects.filter(Q(first=gone_id) | Q(second=gone_id), verdict=None).delete()


def _tell_revived(contact_id: UUID, by: str) -> None:
    contacts_changed.send(
        Contact,
        contact_ids=[contact_id],
        changed_fields=frozenset(FIELDS),
        changes={contact_id: FIELDS},
        created_ids=frozenset(),
        source=f"part:{by}",
    )


def _shown(record: ContactRecord) -> dict[str, Any]:
    """The record in JSON's types, whole."""
    shown = asdict(record)
    shown["birth_date"] = record.birth_date.isoformat() if record.birth_date else None
    return shown


def _record(shown: Mapping[str, Any]) -> ContactRecord:
    values = dict(shown)
    values["birth_date"] = date.fromisoformat(values["birth_date"]) if values["birth_date"] else None
    for name in POINT_FIELDS:
        values[name] = tuple(Point(**point) for point in values[name])
    return ContactRecord(**values)
