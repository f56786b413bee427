"""Pulls a connection's contacts into the hub: read → match → merge → store, page by page."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence

from django.db import connection as database
from django.utils.translation import gettext as _

from connectors import services as connections
from connectors.core.base import Connector
from connectors.core.errors import ApiError
from connectors.core.metrics import Totals
from connectors.core.types import CONTACTS
from connectors.models import Connection
from contacts.garbage import rare_collection
from syncjobs import routes, runs
from syncjobs.errors import Refused
from syncjobs.models import Run, RunKind, RunStatus
from syncjobs.pulling.run import Progress, Pull

log = logging.getLogger(__name__)

# (connection, recorder=…) → a connector; a rehearsal has one that has read already.
Opener = Callable[..., Connector]

OWN_ERROR = "An error of crmsync itself stopped the run; its log has the details. It goes on where it stopped."
# The upper half of an advisory lock's number; the lower one is the connection's.
_LEASE = 0x6C656173 << 32


def pull(
    connection: Connection,
    *,
    trigger: str,
    full: bool = False,
    explicit: bool = False,
    progress: Progress | None = None,
    opened: Opener = connections.open_connector,
) -> Run:
    """Reads what changed (everything the first time, or when `full`) and answers the run, which says how it went.

    A read that was interrupted goes on from its page. `explicit`: a person asked for the hub to be filled, whatever
    the routes say. Raises Refused when the system cannot be read or a pull of the connection is under way.
    """
    refuse_unreadable(connection)
    terms = routes.terms_of(connection, explicit=explicit)
    with _lease(connection):
        return _run(connection, trigger, terms, lambda work: work.read(full=full), progress, opened)


def pull_ids(
    connection: Connection,
    ids: Sequence[str],
    *,
    trigger: str,
    explicit: bool = False,
    opened: Opener = connections.open_connector,
) -> Run:
    """Reads these records; those that no longer exist become tombstones. Raises Refused when it cannot be read."""
    refuse_unreadable(connection)
    wanted, terms = list(dict.fromkeys(ids)), routes.terms_of(connection, explicit=explicit)
    return _run(connection, trigger, terms, lambda work: work.read_ids(wanted), None, opened)


def _run(
    connection: Connection,
    trigger: str,
    terms: routes.Terms,
    work: Callable[[Pull], None],
    progress: Progress | None,
    opened: Opener,
) -> Run:
    runs.reap(connection)
    run = runs.start(connection, RunKind.PULL, trigger=trigger)
    totals = Totals()
    with runs.held(run), rare_collection():
        try:
            stopped = _carry_out(run, lambda: opened(connection, recorder=totals), work, terms, progress)
        finally:
            runs.add_traffic(run, totals)
        run.refresh_from_db()
        if stopped is not None:
            runs.finish(run, RunStatus.STOPPED, stopped)
        elif run.cancel_requested:
            runs.finish(run, RunStatus.CANCELLED)
        else:
            runs.finish(run, RunStatus.FAILED if run.failed else RunStatus.DONE)
    return run


def _carry_out(
    run: Run,
    opened: Callable[[], Connector],
    work: Callable[[Pull], None],
    terms: routes.Terms,
    progress: Progress | None,
) -> str | None:
    """None when the pull ended by itself, else the sentence why it had to stop."""
    connection = run.connection
    try:
        connector = opened()
        try:
            work(Pull(connection, run, connector, terms, progress))
        finally:
            connector.close()
    except ApiError as e:
        log.warning("pull %s stopped: %s", connection.key, e.kind, extra={"run": run.pk, "detail": e.detail})
        if e.recovery.parks_connection:
            connections.park(connection, e.message)
        return e.message
    except Exception:
        log.exception("pull %s failed by an error of our own", connection.key, extra={"run": run.pk})
        return OWN_ERROR
    connections.unpark(connection)
    return None


def is_readable(connection: Connection) -> bool:
    entity = connection.spec.entities.get(CONTACTS)
    return entity is not None and entity.read


def refuse_unreadable(connection: Connection) -> None:
    """Raises Refused where there is nothing to read, or the connection is switched off."""
    if not is_readable(connection):
        raise Refused(_("%(crm)s cannot be read from.") % {"crm": connection.spec.label}, "not_readable")
    if not connection.enabled:
        raise Refused(_("%(crm)s is disabled.") % {"crm": connection.key}, "crm_disabled")


@contextlib.contextmanager
def _lease(connection: Connection) -> Iterator[None]:
    """One pull of a connection at a time, over all processes; it goes with the process, however that dies."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LEASE + connection.pk])
        if not cursor.fetchone()[0]:
            message = _("%(crm)s is being pulled already.") % {"crm": connection.label or connection.key}
            raise Refused(message, "already_running", 409)
    try:
        yield
    finally:
        if database.is_usable():
            with database.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LEASE + connection.pk])
