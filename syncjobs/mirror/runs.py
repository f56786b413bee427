"""Runs of the mirror: one entity of a connection into its table, in full, what changed, or single records."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence

from django.db import connection as hub
from django.utils.translation import gettext as _

from connectors import services as connections
from connectors.core.errors import ApiError
from connectors.core.metrics import Totals
from connectors.models import Connection
from contacts.garbage import rare_collection
from syncjobs import runs
from syncjobs.errors import Refused
from syncjobs.mirror.copying import Copying, Progress
from syncjobs.mirror.names import table_of
from syncjobs.models import MirrorEntity, Run, RunKind, RunMode, RunStatus
from syncjobs.pull import OWN_ERROR

log = logging.getLogger(__name__)

# The upper half of an advisory lock's number; the lower one is the mirrored entity's.
_LEASE = 0x6D697272 << 32


def mirror(
    entity: MirrorEntity,
    *,
    trigger: str,
    full: bool = False,
    deletions: bool = False,
    run: Run | None = None,
    progress: Progress | None = None,
) -> Run:
    """Reads what changed (everything the first time, or when `full`) into the entity's table and answers the run.

    A read that was interrupted goes on from its page. With `deletions` a person has agreed to any number of them.
    `run` is one that was announced before. Raises Refused when it cannot be read or is being mirrored already.
    """
    mode = RunMode.FULL if full else RunMode.INCREMENTAL
    with _lease(entity):
        run = run or announce(entity, mode, trigger)
        return _run(entity, run, lambda work: work.read(full=full), progress, deletions)


def mirror_ids(entity: MirrorEntity, ids: Sequence[str], *, trigger: str) -> Run:
    """Reads these records; those that no longer exist are marked as deleted. Raises Refused while another run is on."""
    with _lease(entity):
        run = announce(entity, RunMode.RECORDS, trigger)
        return _run(entity, run, lambda work: work.read_ids(ids), None, False)


def announce(entity: MirrorEntity, mode: RunMode, trigger: str) -> Run:
    """A run that begins as soon as a worker takes it up. Raises Refused when the entity cannot be read."""
    _refuse_unreadable(entity.connection, entity.entity)
    run = runs.start(entity.connection, RunKind.MIRROR, trigger=trigger)
    run.entity, run.mode = entity.entity, mode
    run.save(update_fields=["entity", "mode"])
    return run


def live(entity: MirrorEntity) -> Run | None:
    """The entity's run that is under way or about to begin, if any."""
    return runs.live(entity.connection, RunKind.MIRROR, entity=entity.entity)


def _run(
    entity: MirrorEntity, run: Run, work: Callable[[Copying], None], progress: Progress | None, deletions: bool
) -> Run:
    totals = Totals()
    messages: list[str] = []
    with runs.held(run), rare_collection():
        _close_dead(entity, run)
        try:
            stopped = _carry_out(entity, run, totals, work, progress, deletions, messages)
        finally:
            runs.add_traffic(run, totals)
        run.refresh_from_db()
        told = "\n".join(messages)
        if stopped is not None:
            runs.finish(run, RunStatus.STOPPED, "\n".join(filter(None, [stopped, told])))
        elif run.cancel_requested:
            runs.finish(run, RunStatus.CANCELLED, told)
        else:
            runs.finish(run, RunStatus.FAILED if run.failed else RunStatus.DONE, told)
    return run


def _carry_out(
    entity: MirrorEntity,
    run: Run,
    totals: Totals,
    work: Callable[[Copying], None],
    progress: Progress | None,
    deletions: bool,
    messages: list[str],
) -> str | None:
    """None when it ended by itself, else the sentence why it had to stop."""
    connection = entity.connection
    try:
        connector = connections.open_connector(connection, recorder=totals)
        try:
            copying = Copying(entity, run, connector, progress=progress, deletions=deletions)
            try:
                work(copying)
            finally:
                messages += copying.messages
        finally:
            connector.close()
    except ApiError as e:
        log.warning("mirror %s stopped: %s", entity, e.kind, extra={"run": run.pk, "detail": e.detail})
        if e.recovery.parks_connection:
            connections.park(connection, e.message)
        return e.message
    except Exception:
        log.exception("mirror %s failed by an error of our own", entity, extra={"run": run.pk})
        return OWN_ERROR
    connections.unpark(connection)
    return None


def _close_dead(entity: MirrorEntity, run: Run) -> None:
    """Runs of this entity that are not over have lost their process: nobody else holds the lease."""
    others = Run.objects.filter(
        connection=entity.connection, kind=RunKind.MIRROR, entity=entity.entity, status=RunStatus.RUNNING, pk__lt=run.pk
    )
    for other in others:
        if not runs.is_alive(other.pk):
            runs.finish(other, RunStatus.STOPPED, runs.ENDED_SILENTLY)


def _refuse_unreadable(connection: Connection, entity: str) -> None:
    capabilities = connection.spec.entities.get(entity)
    if capabilities is None or not capabilities.read:
        words = {"crm": connection.spec.label, "entity": entity}
        raise Refused(_("%(crm)s has no %(entity)s that can be read.") % words, "not_readable")
    if not connection.enabled:
        raise Refused(_("%(crm)s is disabled.") % {"crm": connection.key}, "crm_disabled")


@contextlib.contextmanager
def _lease(entity: MirrorEntity) -> Iterator[None]:
    """One run of an entity at a time, over all processes; it goes with the process, however that dies."""
    with hub.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LEASE + entity.pk])
        if not cursor.fetchone()[0]:
            words = {"crm": entity.connection.key, "entity": table_of(entity.entity)}
            raise Refused(_("%(crm)s: %(entity)s is being mirrored already.") % words, "already_running", 409)
    try:
        yield
    finally:
        if hub.is_usable():
            with hub.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LEASE + entity.pk])
