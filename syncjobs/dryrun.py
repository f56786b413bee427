"""A push that stops after the plan: the same decisions, stored as a run, and nothing written anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from django.db import connection as database

from connectors import services as connections
from connectors.core.base import Connector
from connectors.core.errors import ApiError
from connectors.core.metrics import Totals
from connectors.models import Connection
from syncjobs import outcomes, queue, runs
from syncjobs.models import Run, RunItem, RunKind, RunStatus
from syncjobs.outcomes import Settled
from syncjobs.pages import PagePlanner
from syncjobs.planitems import Decision, PlanItem
from syncjobs.push import Progress

SHOWN = 50
_WOULD_BE = {
    Decision.CREATE: "created",
    Decision.UPDATE: "updated",
    Decision.LINK: "updated",
    Decision.DELETE: "deleted",
}


def plan(
    connection: Connection,
    *,
    trigger: str,
    run: Run | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    only: Sequence[UUID] | None = None,
    opened: Callable[..., Connector] = connections.open_connector,
) -> Run:
    """Plans what is due now, of some contacts `only`; links, contacts and the remote account stay as they are.

    `run` is one that `begin` has made before.
    """
    run = run or begin(connection, trigger=trigger, limit=limit)
    totals = Totals()
    with runs.held(run):
        try:
            connector = opened(connection, recorder=totals)
            try:
                planner = PagePlanner(connection, connector, dry_run=True)
                for items in _pages(connection, planner, limit, only):
                    _store(run, items)
                    if progress is not None:
                        progress(run, len(items))
                    run.refresh_from_db(fields=["cancel_requested"])
                    if run.cancel_requested:
                        runs.finish(run, RunStatus.CANCELLED)
                        break
            finally:
                connector.close()
        except ApiError as e:
            runs.finish(run, RunStatus.STOPPED, e.message)
        finally:
            runs.add_traffic(run, totals)
        if run.status == RunStatus.RUNNING:
            run.refresh_from_db()
            runs.finish(run, RunStatus.FAILED if run.failed else RunStatus.DONE)
    return run


def begin(connection: Connection, *, trigger: str, limit: int | None = None) -> Run:
    """The run that `plan` is to fill."""
    total = min(queue.due_count(connection), limit or 1 << 31)
    return runs.start(connection, RunKind.PUSH, trigger=trigger, dry_run=True, total=total)


def lines(run: Run) -> Iterator[str]:
    """The first planned items in words, without names or addresses."""
    for item in RunItem.objects.filter(run=run)[:SHOWN]:
        fields = ", ".join(item.fields)
        yield f"{item.get_action_display():8} {item.contact_id}  {item.message or fields}"


def _pages(
    connection: Connection, planner: PagePlanner, limit: int | None, only: Sequence[UUID] | None
) -> Iterator[list[PlanItem]]:
    after, left = 0, limit
    while left is None or left > 0:
        size = planner.page_size if left is None else min(planner.page_size, left)
        links = queue.preview(connection, after, size, only)
        if not links:
            return
        after = links[-1].id
        left = None if left is None else left - len(links)
        yield planner.plan(links)


def _store(run: Run, items: list[PlanItem]) -> None:
    would = [_would(item) for item in items]
    outcomes.store_items(run, would)
    with database.cursor() as cursor:
        outcomes.count(cursor, run, would)


def _would(item: PlanItem) -> Settled:
    if item.change is None:
        return Settled.planned(item)
    result = _WOULD_BE[item.decision]
    return Settled(item.pending(), result, error=item.error, changes=item.changes())
