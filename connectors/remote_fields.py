"""The fields of remote accounts as they were when last asked for: what a record may hold, without asking again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from connectors.core.types import FieldSpec, FieldType
from connectors.models import Connection, RemoteField

_COLUMNS = (
    "position", "label", "type", "read_only", "required", "multiple", "custom", "max_length", "options", "depends_on",
    "options_by", "remote_id", "seen_at",
)  # fmt: skip


def store(connection: Connection, entity: str, specs: Sequence[FieldSpec]) -> None:
    """Puts the fields in the place of those stored before: three statements for any number of fields."""
    now = timezone.now()
    by_key = {spec.key: spec for spec in specs}
    rows = [_row(connection, entity, position, spec, now) for position, spec in enumerate(by_key.values())]
    with transaction.atomic():
        RemoteField.objects.filter(connection=connection, entity=entity).exclude(key__in=by_key).delete()
        RemoteField.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["connection", "entity", "key"],
            update_fields=_COLUMNS,
        )


def stored(connection: Connection, entity: str) -> list[FieldSpec]:
    """The fields in the account's order; an empty list when they were never read."""
    return [_spec(row) for row in RemoteField.objects.filter(connection=connection, entity=entity)]


def seen_at(connection: Connection, entity: str) -> datetime | None:
    """When the stored fields were read."""
    found = RemoteField.objects.filter(connection=connection, entity=entity).aggregate(at=Min("seen_at"))
    return found["at"]


def _row(connection: Connection, entity: str, position: int, spec: FieldSpec, now: datetime) -> RemoteField:
    return RemoteField(
        connection=connection,
        entity=entity,
        key=spec.key,
        position=position,
        label=spec.label,
        type=spec.type.value,
        read_only=spec.read_only,
        required=spec.required,
        multiple=spec.multiple,
        custom=spec.custom,
        max_length=spec.max_length,
        options=spec.options,
        depends_on=spec.depends_on,
        options_by=spec.options_by,
        remote_id=spec.remote_id,
        seen_at=now,
    )


def _spec(row: RemoteField) -> FieldSpec:
    return FieldSpec(
        key=row.key,
        label=row.label,
        type=FieldType(row.type),
        read_only=row.read_only,
        required=row.required,
        multiple=row.multiple,
        options=tuple((value, label) for value, label in row.options),
        max_length=row.max_length,
        custom=row.custom,
        depends_on=row.depends_on,
        options_by=tuple((of, tuple((value, label) for value, label in share)) for of, share in row.options_by),
        remote_id=row.remote_id,
    )
