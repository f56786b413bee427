"""How far a run has come, from its counters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from syncjobs.models import Run, RunStatus


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` records; `pace` in records a second; `finish_at` only while it runs and the pace is known."""

    done: int
    total: int
    pace: float
    took: timedelta
    finish_at: datetime | None

    @property
    def percent(self) -> int:
        return min(100, round(100 * self.done / self.total)) if self.total else 100


def of(run: Run) -> Progress:
    """A run counts what was due at its start; what came due later makes it longer."""
    now = timezone.now()
    running = run.status == RunStatus.RUNNING
    took = max((run.finished_at or now) - run.started_at, timedelta())
    done, seconds = run.done_count, took.total_seconds()
    total = max(run.total, done)
    pace = done / seconds if seconds > 0 else 0.0
    finish_at = now + timedelta(seconds=(total - done) / pace) if running and pace > 0 else None
    return Progress(done, total, pace, took, finish_at)
