"""The pages of one mirror run, from the connector into the table."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import connection as hub
from django.db import connections as databases
from django.utils import timezone

from connectors.core.base import Connector
from connectors.core.errors import CursorExpired
from connectors.core.fanout import ahead, batched
from connectors.core.types import Deletes, Page, ReadMode, ReadQuery
from syncjobs.mirror import database, guard
from syncjobs.mirror.layout import Row, id_fits
from syncjobs.mirror.load import Loader, Stored
from syncjobs.mirror.reading import Reading
from syncjobs.mirror.schema import Table
from syncjobs.models import MirrorEntity, Run, RunItem, RunMode

Progress = Callable[[Run, int], None]

# Small pages that come quickly are stored together; what comes slowly is stored as it comes.
STORED_TOGETHER = 5000
STORE_AFTER_SECONDS = 0.5
PAGES_AHEAD = 4
IDS_AT_ONCE = 1000
_MISFITS_NAMED = 20

_COUNT = """
UPDATE syncjobs_run SET created = created + %s, updated = updated + %s, unchanged = unchanged + %s,
    failed = failed + %s, deleted = deleted + %s, heartbeat_at = %s
WHERE id = %s RETURNING cancel_requested
"""


@dataclass
class Batch:
    """What is to be stored together. `unfit` are ids that the table's key cannot hold."""

    rows: list[Row] = field(default_factory=list)
    deleted_ids: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)


class Copying:
    """One run with its connector and its table. `stopped` once somebody asked it to stop."""

    def __init__(
        self, mirror: MirrorEntity, run: Run, connector: Connector, *, progress: Progress | None, deletions: bool
    ) -> None:
        self.mirror, self.run, self.connector = mirror, run, connector
        self.progress, self.deletions = progress, deletions
        self.table = Table(mirror)
        self.capabilities = connector.capabilities(mirror.entity)
        self.stopped, self.messages = False, list[str]()
        self._misfits: Counter[str] = Counter()

    def read(self, *, full: bool) -> None:
        """Everything, or what changed since the last time; first the table grows. Raises ApiError."""
        reading = Reading(self.mirror, full=full)
        self.connector.expect(reading.query())
        changes = self.table.grow(self.connector.describe(self.mirror.entity))
        self.messages += [f"{c.get_kind_display()}: {c.column}" for c in changes if c.pk]
        self._lay_out()
        reading.begin(self.loader)
        try:
            self._read(reading)
        except CursorExpired:
            reading.begin_full()
            self._read(reading)
        self._tell_misfits()

    def read_ids(self, ids: Sequence[str]) -> None:
        """These records; those that no longer exist are marked as deleted. Raises ApiError."""
        self._lay_out()
        self._read_ids(ids)
        self._tell_misfits()

    def _lay_out(self) -> None:
        self.layout = self.table.layout(self.connector.readers(self.mirror.entity))
        self.loader = Loader(self.table, self.layout)

    def _read(self, reading: Reading) -> None:
        mode = RunMode.FULL if reading.is_full else RunMode.INCREMENTAL
        # How many there are is known only roughly before they are read; the progress bar is content with that.
        self.run.total = self.loader.live() if reading.is_full else 0
        Run.objects.filter(pk=self.run.pk).update(mode=mode, total=self.run.total)
        finished = False
        for batch, last in self._gathered(reading.query()):
            with database.page():
                stored = self._store(batch)
                if reading.is_full and stored.unchanged:
                    self.loader.note(stored.unchanged)
                reading.store(last)
            finished = last.last
            if self.stopped:
                return
        if reading.is_full and finished:
            self._look_for_missing(reading)
            reading.finish()

    def _read_ids(self, ids: Sequence[str]) -> None:
        for some in batched(dict.fromkeys(ids), IDS_AT_ONCE):
            for page in self.connector.read(ReadQuery(self.mirror.entity, ReadMode.IDS, ids=some)):
                with database.page():
                    self._store(self._added(Batch(), page))
                if self.stopped:
                    return

    def _gathered(self, query: ReadQuery) -> Iterator[tuple[Batch, Page]]:
        """Batches with the last page of each. Values become cells in the thread that reads."""
        depth = max(PAGES_AHEAD, STORED_TOGETHER // self.capabilities.page_size)
        fetched = ahead(self._encoded(query), depth, databases.close_all)
        batch, since = Batch(), time.monotonic()
        try:
            for page, found in fetched:
                batch.rows += found.rows
                batch.deleted_ids += found.deleted_ids
                batch.unfit += found.unfit
                late = time.monotonic() - since > STORE_AFTER_SECONDS
                if page.last or late or len(batch.rows) >= STORED_TOGETHER:
                    yield batch, page
                    batch, since = Batch(), time.monotonic()
        finally:
            fetched.close()

    def _encoded(self, query: ReadQuery) -> Iterator[tuple[Page, Batch]]:
        for page in self.connector.read(query):
            yield page, self._added(Batch(), page)

    def _added(self, batch: Batch, page: Page) -> Batch:
        id_type = self.layout.id_type
        fitting = [record for record in page.records if id_fits(record.id, id_type)]
        if len(fitting) < len(page.records):
            batch.unfit += [record.id for record in page.records if not id_fits(record.id, id_type)]
        batch.rows += self.layout.rows(fitting)
        batch.deleted_ids += page.deleted_ids
        return batch

    def _store(self, batch: Batch) -> Stored:
        """Six statements for new rows, as many again where some have changed, whatever their number."""
        stored = self.loader.store(batch.rows)
        for row in batch.rows:
            if row.misfits:
                self._misfits.update(row.misfits)
        deleted = self.loader.delete(batch.deleted_ids) if batch.deleted_ids else 0
        failed = [(i, "Its id does not fit the table's key.") for i in batch.unfit]
        failed += [(i, "The database refused its values; they are kept in _raw.") for i in stored.refused]
        if failed:
            RunItem.objects.bulk_create(
                RunItem(run=self.run, external_id=i[:255], action=RunItem.Action.FAIL, message=m) for i, m in failed
            )
        counts = [stored.created, stored.updated, len(stored.unchanged), len(failed), deleted]
        with hub.cursor() as cursor:
            cursor.execute(_COUNT, [*counts, timezone.now(), self.run.pk])
            told = cursor.fetchone()
        self.stopped = self.stopped or (told is not None and told[0])
        if self.progress is not None:
            self.progress(self.run, len(batch.rows))
        return stored

    def _look_for_missing(self, reading: Reading) -> None:
        """Rows that a finished full read has not met are asked for by id: a lost right looks like a deletion."""
        if self.capabilities.deletes is Deletes.NONE:
            return
        missing, live = self.loader.missing(reading.full_since), self.loader.live()
        if guard.are_many(len(missing), live) and not (self.deletions or guard.is_allowed(self.mirror)):
            guard.ask(self.mirror, len(missing), live)
            self.messages.append(
                f"{len(missing)} of {live} records were not found. So many are marked as deleted only when a person"
                f" says so: among the questions, or by manage.py mirror {self.mirror.connection.key}"
                f" {self.mirror.entity} --full --allow-deletions"
            )
            return
        self._read_ids(missing)
        if not self.stopped:
            guard.settle(self.mirror)

    def _tell_misfits(self) -> None:
        if self._misfits:
            named = [f"{name} ({count})" for name, count in self._misfits.most_common(_MISFITS_NAMED)]
            self.messages.append(f"Values that do not fit their columns are kept in _raw: {', '.join(named)}.")
