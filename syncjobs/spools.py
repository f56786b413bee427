"""What a connector would read, read ahead into a file: a rehearsal works on it without waiting for anybody."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from connectors import services as connections
from connectors.core.base import Connector
from connectors.core.errors import ApiError
from connectors.core.metrics import Totals
from connectors.core.types import CONTACTS, MatchKey, Page, ReadMode, ReadQuery, RemoteRecord
from connectors.models import Connection
from syncjobs.models import Run
from syncjobs.pulling.cursors import Reading
from syncjobs.pulling.rules import PullRules

IN_MEMORY = 8_000_000


class Spool:
    """The pages of one read, and what ended it before its time."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by close()
        self._error: ApiError | None = None
        self.totals = Totals()
        self.page_count = self.record_count = 0

    def fill(self, pages: Iterable[Page], limit: int | None = None, most_pages: int | None = None) -> None:
        """Keeps the pages, up to `limit` records. An ApiError is kept, too: it is raised where the pages end."""
        try:
            for page in islice(pages, most_pages):
                left = None if limit is None else limit - self.record_count
                if self._keep(page, left):
                    return
        except ApiError as e:
            self._error = e

    def _keep(self, page: Page, left: int | None) -> bool:
        """True once nothing more is wanted."""
        records = list(page.records)[:left]
        full = left is not None and len(page.records) >= left
        cut = full and not (page.last and len(records) == len(page.records))
        kept = Page(records, page.cursor, page.last and not cut, page.deleted_ids, page.total)
        pickle.dump(kept, self._file, pickle.HIGHEST_PROTOCOL)
        self.page_count += 1
        self.record_count += len(records)
        return full

    def pages(self) -> Iterator[Page]:
        """Raises the ApiError that ended the read."""
        self._file.seek(0)
        for _page in range(self.page_count):
            yield pickle.load(self._file)  # noqa: S301 - written by this very process
        if self._error is not None:
            raise self._error

    def count_in(self, run: Run) -> None:
        """Adds the requests of the read to the run that used it."""
        Run.objects.filter(pk=run.pk).update(
            requests=F("requests") + self.totals.requests,
            retries=F("retries") + self.totals.retries,
            rate_limit_hits=F("rate_limit_hits") + self.totals.rate_limit_hits,
        )

    def close(self) -> None:
        self._file.close()


class Replayed:
    """A connector that answers its long read from a spool, and everything else itself.

    With `hasty`, it looks for nobody beyond that.
    """

    def __init__(self, connector: Connector, spool: Spool, *, hasty: bool = False) -> None:
        self._connector, self._spool, self._hasty = connector, spool, hasty

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    def read(self, query: ReadQuery) -> Iterator[Page]:
        if query.mode in (ReadMode.FULL, ReadMode.CHANGES):
            return self._spool.pages()
        return self._connector.read(query)

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        if self._hasty:
            return {key: [] for key in keys}
        return self._connector.find(entity, keys)


def spooled(
    connection: Connection, *, full: bool, takes: bool, limit: int | None = None, most_pages: int | None = None
) -> Spool:
    """What a pull of the connection would read now, or the beginning of it. Nothing is stored.

    `takes`: contacts are taken in, and not only looked at.
    """
    spool = Spool()
    try:
        connector = connections.open_connector(connection, recorder=spool.totals)
    except ApiError as e:
        spool.fill(_raising(e))
        return spool
    try:
        spool.fill(_pages(connection, connector, full=full, takes=takes), limit, most_pages)
    finally:
        connector.close()
    return spool


def _pages(connection: Connection, connector: Connector, *, full: bool, takes: bool) -> Iterator[Page]:
    known = {field.key: field for field in connector.describe(CONTACTS)}
    rules = PullRules(connection.rules.filter(entity=CONTACTS), known, settings.PHONE_REGION)
    with transaction.atomic():
        query = Reading(connection, full=full, takes=takes).query(rules.watched)
        transaction.set_rollback(True)
    yield from connector.read(query)


def _raising(error: ApiError) -> Iterator[Page]:
    raise error
    yield
