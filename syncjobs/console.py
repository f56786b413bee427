"""What commands share: a progress bar, the line of final counters, and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

import orjson
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from tqdm import tqdm

from connectors import services as connections
from connectors.models import Connection
from syncjobs.models import Run, RunStatus
from syncjobs.route_runs import RouteRun, line
from syncjobs.sentences import translated

DONE, SOME_FAILED, REFUSED = 0, 1, 2
WORDS = {
    "created": gettext_noop("created"),
    "updated": gettext_noop("updated"),
    "unchanged": gettext_noop("unchanged"),
    "skipped": gettext_noop("skipped"),
    "failed": gettext_noop("failed"),
    "conflicts": gettext_noop("conflicts"),
    "requests": gettext_noop("requests"),
    "retries": gettext_noop("retries"),
    "rate_limit_hits": gettext_noop("rate limit hits"),
}
COUNTERS = tuple(WORDS)


def spoken() -> Any:
    """The language of whoever sits at the terminal, as the locale says, while something is printed.

    Not while a command works: what it stores is read by others.
    """
    named = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    known = dict(settings.LANGUAGES)
    return translation.override(named[:2] if named[:2] in known else settings.LANGUAGE_CODE)


class SyncCommand(BaseCommand):
    """A command with --json, progress on a terminal, and sentences instead of tracebacks for what people can mend."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one line of final counters")

    def connection(self, key: str) -> Connection:
        """The connection of a key; exits with 2 and the list of known ones."""
        with spoken():
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
            raise CommandError(said(run), returncode=REFUSED)
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
            raise CommandError("\n".join(map(said, stopped)), returncode=REFUSED)
        if any(run.failed or run.conflicts for run in runs):
            sys.exit(SOME_FAILED)

    def conclude_route(self, done: RouteRun, options: dict[str, Any]) -> None:
        """Prints how a route's run went and exits with the fitting code."""
        told = line(done)
        if options["json"]:
            self.stdout.write(orjson.dumps(told).decode())
        else:
            self.stdout.write(route_summary(done, told))
            self.stdout.writelines(said(run) for run in done.runs if run.message and run is not done.stopped)
        if done.stopped is not None:
            raise CommandError(said(done.stopped), returncode=REFUSED)
        if told["failed"] or told["conflicts"]:
            sys.exit(SOME_FAILED)


def counters(run: Run) -> dict[str, Any]:
    """The final counters in their public names."""
    end = run.finished_at or run.heartbeat_at
    duration = int((end - run.started_at).total_seconds() * 1000)
    return {"run": run.pk, **{name: getattr(run, name) for name in COUNTERS}, "duration_ms": duration}


def summary(run: Run) -> str:
    """How the run went, for whoever sits at the terminal."""
    told = counters(run)
    with spoken():
        words = {"run": run.pk, "told": in_words(told), "seconds": f"{told['duration_ms'] / 1000:.1f}"}
        lines = [_("Run %(run)s: %(told)s, in %(seconds)s s.") % words]
    if run.message and run.status != RunStatus.STOPPED:
        lines.append(said(run))
    return "\n".join(lines)


def route_summary(done: RouteRun, told: dict[str, Any]) -> str:
    """How the runs of a route went; `told` is their line of counters."""
    with spoken():
        deleted = [f"{done.deleted} {_('deleted')}"] if done.deleted else []
        words = {
            "runs": ", ".join(str(run.pk) for run in done.runs),
            "told": in_words(told, deleted),
            "seconds": f"{told['duration_ms'] / 1000:.1f}",
        }
        return _("Runs %(runs)s: %(told)s, in %(seconds)s s.") % words


def in_words(told: Mapping[str, Any], more: Sequence[str] = ()) -> str:
    """The counters that are not zero, in the active language."""
    parts = [f"{told[name]} {_(word)}" for name, word in WORDS.items() if told[name]]
    return ", ".join([*parts, *more]) or _("nothing was due")


def said(run: Run) -> str:
    """The run's message, for whoever sits at the terminal."""
    with spoken():
        return translated(run.message)


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
