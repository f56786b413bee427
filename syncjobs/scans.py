"""Some records of a connection, chosen by id or by when they changed: read without moving any cursor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors import services as connections
from connectors.core.base import Connector
from connectors.core.errors import CursorExpired
from connectors.core.metrics import Totals
from connectors.core.types import CONTACTS, Page, ReadMode, ReadQuery, RemoteRecord
from connectors.models import Connection


@dataclass(frozen=True, slots=True)
class Filters:
    """Records with these ids, or all; changed since then, or ever; of those that are left, no more than `limit`."""

    ids: Sequence[str] = ()
    since: datetime | None = None
    limit: int | None = None

    def take(self, record: RemoteRecord) -> bool:
        return self.since is None or record.updated_at is None or record.updated_at >= self.since


@dataclass(slots=True)
class Scan:
    """The ids that were found, and what finding them cost."""

    ids: list[str] = field(default_factory=list)
    pages: int = 0
    totals: Totals = field(default_factory=Totals)


def scan(connection: Connection, filters: Filters, *, most_pages: int | None = None) -> Scan:
    """Reads until there are enough records. Raises ApiError."""
    found = Scan()
    connector = connections.open_connector(connection, recorder=found.totals)
    try:
        for page in _pages(connector, filters):
            found.pages += 1
            found.ids += [record.id for record in page.records if filters.take(record)]
            enough = filters.limit is not None and len(found.ids) >= filters.limit
            if enough or found.pages == most_pages:
                break
    finally:
        connector.close()
    found.ids = list(dict.fromkeys(found.ids))[: filters.limit]
    return found


def _pages(connector: Connector, filters: Filters) -> Iterator[Page]:
    if filters.ids:
        yield from connector.read(ReadQuery(CONTACTS, ReadMode.IDS, ids=list(dict.fromkeys(filters.ids))))
        return
    if filters.since is not None and connector.capabilities(CONTACTS).changes:
        try:
            yield from connector.read(ReadQuery(CONTACTS, ReadMode.CHANGES, since=filters.since))
            return
        except CursorExpired:
            # Systems that tell of changes by a token of their own know no times: what does not fit is left out here.
            pass
    yield from connector.read(ReadQuery(CONTACTS, ReadMode.FULL))
