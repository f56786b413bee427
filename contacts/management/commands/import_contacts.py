"""Imports contacts from a CSV or vCard file: see `manage.py import_contacts --help`."""

from __future__ import annotations

import csv
import json
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from contacts.importing.columns import IGNORE, TARGETS, Column
from contacts.importing.run import Counters, Options, Progress, Refusal, import_file
from contacts.importing.text_files import UnusableFile

OnRefused = Callable[[Refusal], None]


class Command(BaseCommand):
    help = (
        "Imports contacts from a CSV (, ; or tab; UTF-8, UTF-16 or Windows-1251) or vCard (2.1, 3, 4) file.\n"
        "A row is an existing contact when it shares an e-mail with it; a row without e-mail when it has the same full "
        "name and a phone in common, or the same name and company. Empty cells never clear anything; e-mails and "
        "phones are added. Where one file names a contact twice, the first row that has a value wins.\n"
        "The same file imported twice changes nothing. Columns that are not known are left out unless --keep-unknown."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--map",
            nargs="+",
            action="extend",
            default=[],
            metavar="THEIRS=OURS",
            help=f"which field a column fills: {', '.join(TARGETS)}, attributes.NAME, or {IGNORE} to leave it out",
        )
        parser.add_argument("--keep-unknown", action="store_true", help="keep unknown columns as attributes")
        parser.add_argument("--source", default="", help="who is named as the origin of the values")
        parser.add_argument("--region", default="", help="country of phones written without a country code, as in US")
        parser.add_argument("--errors", type=Path, metavar="FILE", help="write the refused rows to this CSV file")
        parser.add_argument("--json", action="store_true", help="print one line of final counters")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        started = time.monotonic()
        importing = Options(
            source=options["source"] or f"import:{path.name}"[:200],
            region=(options["region"] or settings.PHONE_REGION).upper(),
            columns=_mapping(options["map"]),
            keep_unknown=options["keep_unknown"],
        )
        try:
            with self._refusals(options["errors"]) as on_refused, self._progress() as on_progress:
                counters = import_file(
                    path,
                    importing,
                    on_refused=on_refused,
                    on_progress=on_progress,
                    on_columns=self._tell_columns,
                )
        except UnusableFile as error:
            raise CommandError(str(error), returncode=2) from error
        self._report(counters, int((time.monotonic() - started) * 1000), as_json=options["json"])
        if counters.refused:
            sys.exit(1)

    def _tell_columns(self, columns: list[Column]) -> None:
        left_out = [column.header for column in columns if column.target == IGNORE and column.header.strip()]
        if left_out:
            self.stderr.write(f"Columns left out: {', '.join(left_out)} (--keep-unknown or --map would keep them).")

    @contextmanager
    def _progress(self) -> Iterator[Callable[[Progress], None]]:
        with tqdm(unit="B", unit_scale=True, disable=None, file=sys.stderr, desc="import") as bar:

            def show(progress: Progress) -> None:
                bar.total = progress.size
                bar.set_postfix(asdict(progress.counters), refresh=False)
                bar.update(progress.position - bar.n)

            yield show

    @contextmanager
    def _refusals(self, path: Path | None) -> Iterator[OnRefused]:
        """Refused rows go to stderr, and to the file when one is given."""
        if path is None:
            yield self._tell_refused
            return
        try:
            file = path.open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.", returncode=2) from error
        with file:
            writer = csv.writer(file)
            writer.writerow(["line", "reason"])

            def keep(refusal: Refusal) -> None:
                self._tell_refused(refusal)
                writer.writerow([refusal.line, refusal.reason])

            yield keep

    def _tell_refused(self, refusal: Refusal) -> None:
        tqdm.write(f"line {refusal.line}: {refusal.reason}", file=self.stderr)

    def _report(self, counters: Counters, duration_ms: int, *, as_json: bool) -> None:
        if as_json:
            zeros = dict.fromkeys(("skipped", "failed", "conflicts", "requests", "retries", "rate_limit_hits"), 0)
            self.stdout.write(json.dumps({"run": None, **asdict(counters), **zeros, "duration_ms": duration_ms}))
            return
        self.stdout.write(
            f"{counters.created} created, {counters.updated} updated, {counters.unchanged} unchanged,"
            f" {counters.refused} refused in {duration_ms / 1000:.1f} s."
        )


def _mapping(pairs: list[str]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        theirs, equals, ours = pair.rpartition("=")
        if not equals or not theirs.strip():
            raise CommandError(f"--map {pair!r} is not of the form theirs=ours.", returncode=2)
        mapping[theirs] = ours.strip()
    return mapping
