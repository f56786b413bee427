"""Where a pull stands: the cursor of an entity, and what a full read has met so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as database
from django.utils import timezone

from connectors.core.types import CONTACTS, Page, ReadMode, ReadQuery
from connectors.models import Connection
from syncjobs.models import Cursor, Scanned

# The two clocks may differ, and a record that is being written may show a little late.
OVERLAP = timedelta(minutes=5)

_MISSING = """
SELECT external_id FROM syncjobs_contactsync
WHERE connection_id = %(connection)s AND external_id <> '' AND gone_at IS NULL
  AND greatest(created_at, synced_at) < %(since)s
EXCEPT
SELECT external_id FROM syncjobs_scanned WHERE cursor_id = %(cursor)s AND scan = %(scan)s
"""


_NOTE = """
INSERT INTO syncjobs_scanned (cursor_id, scan, external_id)
SELECT %(cursor)s, %(scan)s, unnest(%(ids)s::varchar[])
"""


class Reading:
    """One connection's reading of its contacts: full when it has to be, else only what changed.

    `takes`: contacts are taken in, which what was only looked at so far has to be read for once more.
    """

    def __init__(self, connection: Connection, *, full: bool, takes: bool = True) -> None:
        self.connection, self._takes = connection, takes
        self.cursor, _created = Cursor.objects.get_or_create(connection=connection, entity=CONTACTS)
        changes = connection.spec.entities[CONTACTS].changes
        starts = self.cursor.full_since is None and (full or self.cursor.full_at is None or not changes)
        if starts or (takes and not self.cursor.keeps_strays):
            self.begin_full()

    @property
    def is_full(self) -> bool:
        return self.cursor.full_since is not None

    def begin_full(self) -> None:
        """From the first record on. The moment is the database's, as those of the links are."""
        cursor = self.cursor
        Scanned.objects.filter(cursor=cursor).delete()
        cursor.full_since, cursor.position, cursor.scan = _now(), None, cursor.scan + 1
        cursor.keeps_strays = self._takes
        cursor.save()

    def query(self, fields: Sequence[str]) -> ReadQuery:
        cursor = self.cursor
        if self.is_full:
            return ReadQuery(CONTACTS, ReadMode.FULL, cursor.position, fields=fields)
        since = cursor.full_at - OVERLAP if cursor.full_at is not None else None
        return ReadQuery(CONTACTS, ReadMode.CHANGES, cursor.position, since, fields=fields)

    def store(self, page: Page, ids: Sequence[str], *, scan: bool) -> None:
        """Stores how far the read has come, in the transaction of the page's records."""
        if self.is_full and scan:
            self._note(ids)
        self.cursor.position = dict(page.cursor) if page.cursor is not None else None
        self.cursor.updated_at = timezone.now()
        self.cursor.save(update_fields=["position", "updated_at"])

    def missing(self) -> list[str]:
        """The remote ids of links that the full read has not met, though they were there when it began."""
        cursor = self.cursor
        with database.cursor() as sql:
            sql.execute(
                _MISSING,
                {
                    "connection": self.connection.pk,
                    "since": cursor.full_since,
                    "cursor": cursor.pk,
                    "scan": cursor.scan,
                },
            )
            return [row[0] for row in sql.fetchall()]

    def finish(self) -> None:
        """The full read is over: the next one starts at the changes made since it began."""
        cursor = self.cursor
        cursor.full_at, cursor.full_since = cursor.full_since, None
        cursor.save(update_fields=["full_at", "full_since"])
        Scanned.objects.filter(cursor=cursor).delete()

    def _note(self, ids: Sequence[str]) -> None:
        params: dict[str, Any] = {"cursor": self.cursor.pk, "scan": self.cursor.scan, "ids": list(ids)}
        with database.cursor() as sql:
            sql.execute(_NOTE, params)


def _now() -> datetime:
    with database.cursor() as sql:
        sql.execute("SELECT clock_timestamp()")
        return sql.fetchone()[0]
