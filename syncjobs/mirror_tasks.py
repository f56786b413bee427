"""What django-q2 calls for the mirror: thin, and given ids only."""

from __future__ import annotations

import contextlib

from connectors import services as connections
from syncjobs.errors import Refused
from syncjobs.mirror.runs import mirror
from syncjobs.models import MirrorEntity, Run, RunStatus


def mirror_now(mirror_id: int, full: bool = False, run_id: int | None = None) -> None:
    """One run of an entity; nothing where it is being mirrored already, or was switched off meanwhile."""
    found = MirrorEntity.objects.filter(pk=mirror_id, connection__enabled=True).select_related("connection").first()
    if found is None or not connections.usable([found.connection]):
        return
    run = Run.objects.filter(pk=run_id, status=RunStatus.RUNNING).first() if run_id else None
    with contextlib.suppress(Refused):
        mirror(found, trigger=run.trigger if run else "schedule", full=full, run=run)
