"""The pages of one pull, from the connector into the hub."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import connections as databases
from django.utils import timezone

from connectors.core.base import Connector
from connectors.core.errors import ApiError, CursorExpired, ErrorKind
from connectors.core.fanout import ahead, batched
from connectors.core.types import CONTACTS, Deletes, Page, ReadMode, ReadQuery
from connectors.models import Connection
from syncjobs import deletions, questions, reviews, routes, strays
from syncjobs.models import Run
from syncjobs.pulling import store
from syncjobs.pulling.agreement import Agreement
from syncjobs.pulling.arrivals import Arrival, Batch
from syncjobs.pulling.cursors import Reading
from syncjobs.pulling.intake import Intake
from syncjobs.pulling.rules import PullRules
from syncjobs.rules import PushRules

Progress = Callable[[Run, int], None]

# Small pages that come quickly are stored together; what comes slowly is stored as it comes.
STORED_TOGETHER = 2500
STORE_AFTER_SECONDS = 0.5
# At least so many pages are fetched ahead, and as many as are stored together.
PAGES_AHEAD = 4
IDS_AT_ONCE = 1000
# How often records are looked at anew that the hub itself was just writing.
LOOKS = 5
BEING_WRITTEN = "Records were being written whenever they were read; the next run reads them again."


@dataclass
class Pull:
    """A run with everything it needs. `stopped` once somebody asked it to stop."""

    connection: Connection
    run: Run
    connector: Connector
    terms: routes.Terms
    progress: Progress | None = None
    stopped: bool = False

    def __post_init__(self) -> None:
        known = {field.key: field for field in self.connector.describe(CONTACTS)}
        rules = list(self.connection.rules.filter(entity=CONTACTS))
        self.rules = PullRules(rules, known, settings.PHONE_REGION)
        self.capabilities = self.connector.capabilities(CONTACTS)
        push = PushRules(rules, known, region=settings.PHONE_REGION) if self.capabilities.write else None
        self.intake = Intake(self.connection, self.run, self.rules, Agreement(self.rules, push), self.terms)
        self.scans = self.capabilities.deletes is Deletes.SCAN or not self.terms.takes
        if self.rules.left_out:
            names = ", ".join(self.rules.left_out)
            Run.objects.filter(pk=self.run.pk).update(message=f"{self.connection.spec.label} has no field {names}.")

    def read(self, *, full: bool) -> None:
        """Everything, or what changed since the last time. Raises ApiError."""
        reading = Reading(self.connection, full=full, takes=self.terms.takes)
        try:
            self._read(reading)
        except CursorExpired:
            reading.begin_full()
            self._read(reading)
        if self.intake.decided and not self.stopped:
            # Records that have not changed are read for the sake of what people have decided about them.
            self.read_ids(reviews.waiting_records(self.connection))

    def read_ids(self, ids: Sequence[str]) -> None:
        """These records; those that no longer exist become tombstones. Raises ApiError."""
        for some in batched(ids, IDS_AT_ONCE):
            for batch in self._by_ids(some):
                if self.stopped:
                    return
                self._take(batch, lambda: None)

    def _read(self, reading: Reading) -> None:
        finished = False
        for batch, last in self._gathered(reading.query(self.rules.watched)):
            ids = [arrival.record.id for arrival in batch.arrivals]
            self._take(batch, partial(reading.store, last, ids, scan=self.scans))
            finished = last.last
            if self.stopped:
                return
        if reading.is_full and finished:
            self._look_for_missing(reading)
            if self.scans:
                strays.clear_unseen(self.connection, reading.cursor)
            reading.finish()

    def _gathered(self, query: ReadQuery) -> Iterator[tuple[Batch, Page]]:
        """Pages to be stored together as one batch, and the last of them."""
        batch, since = Batch(), time.monotonic()
        depth = max(PAGES_AHEAD, STORED_TOGETHER // self.capabilities.page_size)
        fetched = ahead(self._arriving(query), depth, databases.close_all)
        try:
            for page, arrivals, asked_at in fetched:
                if batch.asked_at is None:
                    batch.asked_at = asked_at
                batch.arrivals += arrivals
                batch.deleted_ids += page.deleted_ids
                late = time.monotonic() - since > STORE_AFTER_SECONDS
                if page.last or late or len(batch.arrivals) >= STORED_TOGETHER:
                    yield batch, page
                    batch, since = Batch(), time.monotonic()
        finally:
            fetched.close()

    def _arriving(self, query: ReadQuery) -> Iterator[tuple[Page, list[Arrival], datetime]]:
        """Each page with a moment before it was asked for: a connector may have several requests in flight."""
        began: deque[datetime] = deque([timezone.now()], maxlen=self.capabilities.max_in_flight + 1)
        for page in self.connector.read(query):
            yield page, self.intake.arrivals.of(page.records), began[0]
            began.append(timezone.now())

    def _by_ids(self, ids: Sequence[str]) -> Iterator[Batch]:
        asked_at = timezone.now()
        for page in self.connector.read(ReadQuery(CONTACTS, ReadMode.IDS, ids=ids, fields=self.rules.watched)):
            yield Batch(self.intake.arrivals.of(page.records), list(page.deleted_ids), asked_at)

    def _take(self, batch: Batch, also: Callable[[], None]) -> None:
        """Stores the batch, and what `also` stores once nothing of the batch has to be looked at again."""
        count = len(batch.arrivals)
        for _ in range(LOOKS):
            stop, overtaken = self.intake.take(batch, also)
            self.stopped = stop or self.stopped
            if not overtaken:
                break
            batch = self._once_more(overtaken)
        else:
            raise ApiError(ErrorKind.TRANSIENT, BEING_WRITTEN)
        if self.progress is not None:
            self.progress(self.run, count)

    def _once_more(self, ids: Sequence[str]) -> Batch:
        whole = Batch(asked_at=timezone.now())
        for some in batched(ids, IDS_AT_ONCE):
            for batch in self._by_ids(some):
                whole.arrivals += batch.arrivals
                whole.deleted_ids += batch.deleted_ids
        return whole

    def _look_for_missing(self, reading: Reading) -> None:
        """Links whose records a finished full read has not met: asked for by id, as pages may shift while one reads."""
        if not self.scans:
            return
        missing = reading.missing()
        if len(missing) > deletions.limit(self.connection):
            if not reviews.deletions_allowed(self.connection):
                linked = store.links_of(self.connection)
                reviews.ask(self.connection, [questions.deletions(self.connection.spec.label, len(missing), linked)])
                return
            self.intake.guarded = False
        self.read_ids(missing)
