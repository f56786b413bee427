"""Writes the audit trail. Entries are never changed or deleted: the database refuses that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models

from crmsync.audit import actors
from crmsync.models import AuditEntry

Action = AuditEntry.Action


def record(
    action: str,
    object_type: str,
    object_id: Any = "",
    name: str = "",
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Writes down what the actor at hand has just done, in the transaction that does it.

    `object_type` is a model's label such as "connectors.connection". Nothing is written under `actors.silence`.
    """
    if actors.is_silent():
        return
    actor = actors.current()
    AuditEntry.objects.create(
        actor=actor.name[:150],
        via=actor.via,
        token=actor.token[:100],
        request_id=actor.request_id,
        action=action,
        object_type=object_type,
        object_id=str(object_id)[:64],
        object_name=name[:200],
        before=before,
        after=after,
    )


def of_row(
    action: str,
    row: models.Model,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """The same about a row of a table."""
    record(action, row._meta.label_lower, row.pk, str(row), before=before, after=after)
