"""The field catalogue of an entity: read from the account on request, answered from the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from connectors import remote_fields
from connectors.core.base import Connector
from connectors.core.types import FieldSpec
from connectors.models import Connection
from syncjobs.gateway.access import capabilities, opened

# A value that an older catalogue does not know is looked for in the account before it is refused.
TRUSTED = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class FieldList:
    """The fields of one entity as they were at `read_at`."""

    entity: str
    fields: list[FieldSpec]
    read_at: datetime

    @property
    def is_old(self) -> bool:
        return timezone.now() - self.read_at > TRUSTED


def sync_fields(connection: Connection, entities: Iterable[str] = ()) -> list[FieldList]:
    """Reads the catalogues of these entities, or of all, from the account and stores them. Raises Refused."""
    wanted = list(entities) or list(connection.spec.entities)
    for entity in wanted:
        capabilities(connection, entity)
    with opened(connection) as connector:
        return [read_now(connection, connector, entity) for entity in wanted]


def field_list(connection: Connection, entity: str) -> FieldList:
    """The stored catalogue; where there is none yet, it is read now. Raises Refused."""
    capabilities(connection, entity)
    held = stored(connection, entity)
    return held if held is not None else sync_fields(connection, [entity])[0]


def stored(connection: Connection, entity: str) -> FieldList | None:
    """The catalogue as it was last read, None when it never was."""
    read_at = remote_fields.seen_at(connection, entity)
    return None if read_at is None else FieldList(entity, remote_fields.stored(connection, entity), read_at)


def read_now(connection: Connection, connector: Connector, entity: str) -> FieldList:
    """Raises ApiError."""
    specs = connector.describe(entity)
    remote_fields.store(connection, entity, specs)
    return FieldList(entity, specs, timezone.now())
