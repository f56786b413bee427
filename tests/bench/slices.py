"""A push in the slices that workers do, one after the other and each with a connector of its own."""

from __future__ import annotations

from typing import Any

from connectors.models import Connection
from syncjobs.management.commands import push as command
from syncjobs.models import Run, RunStatus
from syncjobs.push import SLICE_SECONDS, push


def in_slices(connection: Connection, **options: Any) -> Run:
    run = push(connection, **options, seconds=SLICE_SECONDS)
    while run.status == RunStatus.RUNNING:
        run = push(connection, **options, run=run, seconds=SLICE_SECONDS)
    return run


def install() -> None:
    """From now on the `push` command of this process works in slices."""
    command.push = in_slices
