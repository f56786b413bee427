"""What was changed in contacts outside of runs: written with the change itself, by COPY."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django.utils import timezone

from contacts.models import ContactChange
from contacts.records import POINT_FIELDS, ContactRecord

KEPT = timedelta(days=365)


def values_of(record: ContactRecord, names: Sequence[str]) -> dict[str, Any]:
    """The record's values in JSON's types, for showing what was changed; e-mails and phones as lists of texts."""
    return {name: _shown(getattr(record, name), name) for name in names}


def differences(before: ContactRecord, after: ContactRecord, names: Sequence[str]) -> dict[str, list[Any]]:
    """By field, the values before and after in JSON's types."""
    old, new = values_of(before, names), values_of(after, names)
    return {name: [old[name], new[name]] for name in names}


def purge() -> int:
    """Forgets what was changed long ago; the number of changes forgotten."""
    old = ContactChange.objects.filter(at__lt=timezone.now() - KEPT)
    return old._raw_delete("default")


def latest(contact_id: Any, count: int) -> list[ContactChange]:
    """The last changes of a contact, the newest first."""
    return list(ContactChange.objects.filter(contact_id=contact_id).order_by("-id")[:count])


def _shown(value: Any, name: str) -> Any:
    if name in POINT_FIELDS:
        return [point.value for point in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value.isoformat() if isinstance(value, date) else value
