"""Which entities are mirrored, how often, and who asks a worker to do so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from connectors import services as connections
from connectors.models import Connection, ConnectionState
from syncjobs.errors import Refused
from syncjobs.mirror import runs
from syncjobs.mirror.names import entity_of, table_of
from syncjobs.models import MirrorEntity, Run, RunMode

# The tick itself comes a little early or late.
_TOLERANCE = timedelta(seconds=20)


def readable(connection: Connection) -> list[str]:
    """The entities of a connection that can be mirrored."""
    return [name for name, can in connection.spec.entities.items() if can.read]


def entities(connection: Connection, *, enabled: bool = False) -> list[MirrorEntity]:
    """A row for every entity that can be mirrored; new ones start as `enabled` says."""
    names = readable(connection)
    minutes = int(settings.SYNC_DEFAULT_INTERVAL_MINUTES)
    known = set(MirrorEntity.objects.filter(connection=connection).values_list("entity", flat=True))
    missing = [name for name in names if name not in known]
    MirrorEntity.objects.bulk_create(
        [
            MirrorEntity(
                connection=connection, entity=name, interval_minutes=minutes, enabled=enabled, webhook_enabled=enabled
            )
            for name in missing
        ],
        ignore_conflicts=True,
    )
    found = MirrorEntity.objects.filter(connection=connection, entity__in=names).select_related("connection")
    return sorted(found, key=lambda m: names.index(m.entity))


def entity(connection: Connection, word: str) -> MirrorEntity:
    """The row of an entity by its name in the singular or plural. Raises Refused with the known ones."""
    name = entity_of(connection.spec, word)
    if name is None:
        known = ", ".join(table_of(e) for e in readable(connection))
        raise Refused(_("Unknown entity. Known are: %(known)s.") % {"known": known}, "unknown_entity")
    return next(m for m in entities(connection) if m.entity == name)


def configure(mirror: MirrorEntity, values: dict[str, Any]) -> MirrorEntity:
    """Stores how an entity is mirrored; the next tick goes by it."""
    for name, value in values.items():
        setattr(mirror, name, value)
    mirror.save(update_fields=list(values))
    return mirror


def start(mirror: MirrorEntity, *, full: bool, trigger: str) -> Run:
    """Asks a worker for a run now and answers it. Raises Refused (409) with the run that is under way."""
    with transaction.atomic():
        # Of two that ask at once, one waits here and then finds the other's run.
        MirrorEntity.objects.select_for_update().get(pk=mirror.pk)
        under_way = runs.live(mirror)
        if under_way is not None:
            words = {"crm": mirror.connection.key, "entity": table_of(mirror.entity)}
            message = _("%(crm)s: %(entity)s is being mirrored already.") % words
            raise Refused(message, "already_running", 409, run=under_way.pk)
        run = runs.announce(mirror, RunMode.FULL if full else RunMode.INCREMENTAL, trigger)
        ask_for(mirror.pk, full=full, run_id=run.pk)
    return run


def ask_for(mirror_id: int, *, full: bool = False, run_id: int | None = None) -> None:
    """Has a worker mirror the entity as soon as one is free; `run_id` is a run that was announced for it."""
    async_task("syncjobs.mirror_tasks.mirror_now", mirror_id, full, run_id, group=f"mirror {mirror_id}")


def start_due(now: datetime) -> int:
    """Asks for a run of every entity whose time has come; answers how many. What is under way is left alone."""
    count = 0
    waiting = MirrorEntity.objects.filter(enabled=True, connection__enabled=True)
    waiting = waiting.exclude(connection__state=ConnectionState.NEEDS_ATTENTION).select_related("connection")
    usable = {c.pk for c in connections.usable({m.connection_id: m.connection for m in waiting}.values())}
    for mirror in waiting:
        if mirror.connection_id not in usable or not _claim(mirror, now) or runs.live(mirror) is not None:
            continue
        ask_for(mirror.pk)
        count += 1
    return count


def next_run(mirror: MirrorEntity) -> datetime | None:
    """When the schedule asks for it next; None where it is switched off."""
    if not mirror.enabled:
        return None
    if mirror.started_at is None:
        return timezone.now()
    return mirror.started_at + timedelta(minutes=mirror.interval_minutes)


def _claim(mirror: MirrorEntity, now: datetime) -> bool:
    """Whether it is time, and this process is the one that asks: one statement, so that runs do not pile up."""
    before = now - timedelta(minutes=mirror.interval_minutes) + _TOLERANCE
    due = MirrorEntity.objects.filter(Q(started_at=None) | Q(started_at__lte=before), pk=mirror.pk, enabled=True)
    return bool(due.update(started_at=now))
