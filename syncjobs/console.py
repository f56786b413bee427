"""What commands share: a progress bar, the line of final counters, and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from connectors import services as connections
from connectors.models import Connection
from syncjobs.models import Run, RunStatus
from syncjobs.route_runs import RouteRun, line

DONE, SOME_FAILED, REFUSED = 0, 1, 2
COUNTERS = (
    "created", "updated", "unchanged", "skipped", "failed", "conflicts", "requests", "retries", "rate_limit_hits",
)  # fmt: skip


class SyncCommand(BaseCommand):
    """A command with --json, progress on a terminal, and sentences instead of tracebacks for what people can mend."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one line of final counters")

    def connection(self, key: str) -> Connection:
        """The connection of a key; exits with 2 and the list of known ones."""
        try:
            return connections.by_key(key)
        except connections.ConnectionProblem as problem:
            raise CommandError(str(problem), returncode=REFUSED) from None

    def conclude(self, run: Run, options: dict[str, Any]) -> None:
        """Prints how the run went and exits with the fitting code."""
        run.refresh_from_db()
        if options["json"]:
            self.stdout.write(orjson.dumps(counters(run)).decode())
        else:
            self.stdout.write(summary(run))
        if run.status == RunStatus.STOPPED:
            raise CommandError(run.message, returncode=REFUSED)
        if run.failed or run.conflicts:
            sys.exit(SOME_FAILED)

    def conclude_all(self, runs: Sequence[Run], options: dict[str, Any]) -> None:
        """Prints how several runs went, in --json as one line of sums, and exits with the fitting code."""
        for run in runs:
            run.refresh_from_db()
        if options["json"]:
            told = [counters(run) for run in runs]
            sums = {name: sum(one[name] for one in told) for name in (*COUNTERS, "duration_ms")}
            sums["deleted"] = sum(run.deleted for run in runs)
            last = told[-1]["run"] if told else None
            self.stdout.write(orjson.dumps({"run": last, "runs": [one["run"] for one in told], **sums}).decode())
        else:
            self.stdout.writelines(f"{run.entity}: {summary(run)}\n" for run in runs)
        stopped = [run for run in runs if run.status == RunStatus.STOPPED]
        if stopped:
            raise CommandError("\n".join(run.message for run in stopped), returncode=REFUSED)
        if any(run.failed or run.conflicts for run in runs):
            sys.exit(SOME_FAILED)

    def conclude_route(self, done: RouteRun, options: dict[str, Any]) -> None:
        """Prints how a route's run went and exits with the fitting code."""
        told = line(done)
        if options["json"]:
            self.stdout.write(orjson.dumps(told).decode())
        else:
            parts = [f"{told[name]} {name.replace('_', ' ')}" for name in COUNTERS if told[name]]
            parts += [f"{done.deleted} deleted"] if done.deleted else []
            runs = ", ".join(str(run.pk) for run in done.runs)
            words = ", ".join(parts) or "nothing was due"
            self.stdout.write(f"Runs {runs}: {words}, in {told['duration_ms'] / 1000:.1f} s.")
            self.stdout.writelines(run.message for run in done.runs if run.message and run is not done.stopped)
        if done.stopped is not None:
            raise CommandError(done.stopped.message, returncode=REFUSED)
        if told["failed"] or told["conflicts"]:
            sys.exit(SOME_FAILED)


def counters(run: Run) -> dict[str, Any]:
    """The final counters in their public names."""
    end = run.finished_at or run.heartbeat_at
    duration = int((end - run.started_at).total_seconds() * 1000)
    return {"run": run.pk, **{name: getattr(run, name) for name in COUNTERS}, "duration_ms": duration}


def summary(run: Run) -> str:
    told = [f"{getattr(run, name)} {name.replace('_', ' ')}" for name in COUNTERS if getattr(run, name)]
    seconds = counters(run)["duration_ms"] / 1000
    lines = [f"Run {run.pk}: {', '.join(told) or 'nothing was due'}, in {seconds:.1f} s."]
    if run.message and run.status != RunStatus.STOPPED:
        lines.append(run.message)
    return "\n".join(lines)


def progress_bar(
    label: str, stream: TextIO | None = None, *, unit: str = " contacts"
) -> tuple[Callable[[Run, int], None], Callable[[], None]]:
    """(advance, close): a bar with an estimate on a terminal, silence elsewhere."""
    stream = stream or sys.stderr
    bar: tqdm | None = None

    def advance(run: Run, done: int) -> None:
        nonlocal bar
        if not stream.isatty():
            return
        if bar is None:
            bar = tqdm(total=run.total or None, desc=label, unit=unit, file=stream, smoothing=0.1)
        bar.update(done)

    def close() -> None:
        if bar is not None:
            bar.close()

    return advance, close
