"""The mirror as a consumer of the inbox: records that webhooks name are read and stored."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.models import Connection
from syncjobs import inbox_consumers
from syncjobs.mirror.reading import was_read
from syncjobs.mirror.runs import mirror_ids
from syncjobs.models import MirrorEntity, Run, RunStatus
from syncjobs.pull import OWN_ERROR


def connect() -> None:
    inbox_consumers.register_for_all("mirror", read_named, follows)


def follows(connection: Connection, entity: str) -> bool:
    """Once everything was read: before that a full read brings whatever webhooks tell of."""
    found = _mirror(connection, entity)
    return found is not None and found.webhook_enabled and was_read(found)


def read_named(connection: Connection, entity: str, ids: Sequence[str], trigger: str) -> Run | None:
    """Raises Refused while the entity is being mirrored, and ReadFailed where the fault is ours."""
    found = _mirror(connection, entity)
    if found is None:
        return None
    run = mirror_ids(found, ids, trigger=trigger)
    if run.status == RunStatus.STOPPED and OWN_ERROR in run.message:
        raise inbox_consumers.ReadFailed(run.pk)
    return run


def _mirror(connection: Connection, entity: str) -> MirrorEntity | None:
    return MirrorEntity.objects.filter(connection=connection, entity=entity).select_related("connection").first()
