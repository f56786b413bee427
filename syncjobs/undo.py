"""Plans a finished run backwards from the values it stored, and carries that out: what changed since is left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from django.utils.translation import gettext as _

from connectors.core.errors import ApiError
from connectors.core.fanout import batched
from connectors.core.metrics import Totals
from syncjobs import runs
from syncjobs.errors import Refused
from syncjobs.models import Run, RunItem, RunKind, RunStatus
from syncjobs.pulling import store
from syncjobs.undo_contacts import ContactUndo
from syncjobs.undo_items import Reverted
from syncjobs.undo_records import RecordUndo

ITEMS_AT_ONCE = 500
# The rest told of something, and changed nothing.
UNDOABLE = (RunItem.Action.CREATE, RunItem.Action.UPDATE, RunItem.Action.LINK)
_COUNTERS = {"update": "updated", "delete": "deleted", "skip": "skipped", "fail": "failed"}


class Undoing(Protocol):
    """One kind of run's way back."""

    def revert(self, items: Sequence[RunItem], *, dry_run: bool) -> list[Reverted]: ...

    def close(self) -> None: ...


def begin(run: Run, *, trigger: str, dry_run: bool = False) -> Run:
    """The run that `undo` is to carry out. Raises Refused for a run that is not over, or was a dry run."""
    _refuse(run)
    return runs.start(run.connection, RunKind(run.kind), trigger=f"{trigger}, undo {run.pk}"[:100], dry_run=dry_run)


def undo(run: Run, made: Run) -> Run:
    """Gives back the values from before the run, as a run of its own that can itself be undone.

    A record or contact that was changed since, or cannot be taken back, is skipped and listed with the reason. Where
    `made` is a dry run, it is only said what would happen.
    """
    totals = Totals()
    with runs.held(made):
        try:
            stopped = _carry_out(run, made, totals)
        finally:
            runs.add_traffic(made, totals)
    made.refresh_from_db()
    status = RunStatus.STOPPED if stopped else RunStatus.FAILED if made.failed else RunStatus.DONE
    runs.finish(made, status, stopped or "")
    return made


def _refuse(run: Run) -> None:
    if run.dry_run:
        raise Refused(_("A dry run has changed nothing."), "dry_run")
    if run.status == RunStatus.RUNNING:
        raise Refused(_("The run is still under way."), "run_running", 409)


def _carry_out(run: Run, made: Run, totals: Totals) -> str | None:
    """None when everything was looked at, else the sentence why not."""
    try:
        way: Undoing = RecordUndo(run, totals) if run.kind == RunKind.PUSH else ContactUndo(run)
        try:
            for items in _backwards(run):
                _store(made, way.revert(items, dry_run=made.dry_run))
        finally:
            way.close()
    except ApiError as e:
        return e.message
    return None


def _backwards(run: Run) -> Iterator[list[RunItem]]:
    """The last change first: of several changes of one record, each is taken back to the one before."""
    items = RunItem.objects.filter(run=run, action__in=UNDOABLE).order_by("-id")
    return batched(items.iterator(ITEMS_AT_ONCE), ITEMS_AT_ONCE)


def _store(made: Run, reverted: Sequence[Reverted]) -> None:
    rows = [(r.contact_id, r.external_id, RunItem.Action(r.action), r.message, r.changes) for r in reverted]
    store.store_items(made, rows)
    counts = dict.fromkeys(_COUNTERS.values(), 0)
    for r in reverted:
        counts[_COUNTERS[r.action]] += 1
    store.count(made, counts)
