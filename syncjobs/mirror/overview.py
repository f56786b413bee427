"""How a connection's mirror stands, in one look: four statements for any number of entities."""

from __future__ import annotations

from typing import Any

from connectors.models import Connection
from syncjobs.mirror import schedule
from syncjobs.mirror.names import table_of
from syncjobs.mirror.reading import cursor_name
from syncjobs.models import Cursor, Run, RunKind, RunMode, RunStatus

COUNTS = ("created", "updated", "unchanged", "deleted", "failed", "requests")


def states(connection: Connection) -> list[dict[str, Any]]:
    """For every entity whether it runs, its last run that was no webhook's, and when the next one is due."""
    mirrors = schedule.entities(connection)
    runs = Run.objects.filter(connection=connection, kind=RunKind.MIRROR).exclude(mode=RunMode.RECORDS)
    latest = {run.entity: run for run in runs.order_by("entity", "-id").distinct("entity")}
    cursors = Cursor.objects.filter(connection=connection, entity__startswith="mirror:")
    full_at = dict(cursors.values_list("entity", "full_at"))
    found = []
    for mirror in mirrors:
        last = latest.get(mirror.entity)
        found.append(
            {
                "entity_type": table_of(mirror.entity),
                "enabled": mirror.enabled,
                "running": last is not None and last.status == RunStatus.RUNNING,
                "last_run": told(last) if last is not None else None,
                "last_full_at": full_at.get(cursor_name(mirror)),
                "next_run_at": schedule.next_run(mirror),
            }
        )
    return found


def told(run: Run) -> dict[str, Any]:
    """A run as the seed's log shows it."""
    return {
        "run": run.pk,
        "sync_type": run.mode,
        "status": run.status,
        "started_at": run.started_at,
        "completed_at": run.finished_at,
        "message": run.message,
        **{name: getattr(run, name) for name in COUNTS},
    }
