"""Where the reading of a mirrored entity stands: its cursor, kept apart from that of the hub's own pulls."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from connectors.core.types import Page, ReadMode, ReadQuery
from syncjobs.mirror import database, guard
from syncjobs.mirror.load import Loader
from syncjobs.models import Cursor, MirrorEntity

# The two clocks may differ, and a record that is being written may show a little late.
OVERLAP = timedelta(minutes=5)


class Reading:
    """Full where it has to be or was begun, else what changed since the last one."""

    def __init__(self, mirror: MirrorEntity, *, full: bool) -> None:
        self.mirror = mirror
        self.cursor, _made = Cursor.objects.get_or_create(connection=mirror.connection, entity=cursor_name(mirror))
        changes = mirror.connection.spec.entities[mirror.entity].changes
        self._full = full or self.cursor.full_at is None or not changes or self._is_due(mirror)

    def begin(self, loader: Loader) -> None:
        """Once the table is as the fields are: these may ask for everything to be read again."""
        self.loader = loader
        if self.cursor.full_since is None and self._full_wanted:
            self.begin_full()

    @property
    def is_full(self) -> bool:
        return self.cursor.full_since is not None

    @property
    def full_since(self) -> datetime | None:
        return self.cursor.full_since

    def begin_full(self) -> None:
        """From the first record on; what fields were made meanwhile is told by the next look at them."""
        cursor = self.cursor
        with database.page():
            self.loader.forget_notes()
            cursor.full_since, cursor.position = _now(), None
            cursor.save()
            self._full = False
            self.mirror.read_again = False
            self.mirror.save(update_fields=["read_again"])

    def query(self) -> ReadQuery:
        """What is to be read now, or will be once the reading has begun."""
        cursor = self.cursor
        if self.is_full or self._full_wanted:
            position = cursor.position if self.is_full else None
            return ReadQuery(self.mirror.entity, ReadMode.FULL, position)
        since = cursor.full_at - OVERLAP if cursor.full_at is not None else None
        return ReadQuery(self.mirror.entity, ReadMode.CHANGES, cursor.position, since)

    def store(self, page: Page) -> None:
        """How far it has come; belongs into the transaction of the page's rows."""
        self.cursor.position = dict(page.cursor) if page.cursor is not None else None
        self.cursor.updated_at = timezone.now()
        self.cursor.save(update_fields=["position", "updated_at"])

    def finish(self) -> None:
        """The full read is over: the next one starts at the changes made since it began."""
        cursor = self.cursor
        with database.page():
            cursor.full_at, cursor.full_since = cursor.full_since, None
            cursor.save(update_fields=["full_at", "full_since"])
            self.loader.forget_notes()

    @property
    def _full_wanted(self) -> bool:
        return self._full or self.mirror.read_again

    def _is_due(self, mirror: MirrorEntity) -> bool:
        full_at = self.cursor.full_at
        is_old = full_at is not None and full_at < timezone.now() - timedelta(hours=mirror.full_hours)
        # Only a full read finds the deletions that a person has allowed.
        return is_old or guard.is_allowed(mirror)


def cursor_name(mirror: MirrorEntity) -> str:
    return f"mirror:{mirror.entity}"


def was_read(mirror: MirrorEntity) -> bool:
    """Whether a full read of it has ever finished."""
    return Cursor.objects.filter(
        connection=mirror.connection_id, entity=cursor_name(mirror), full_at__isnull=False
    ).exists()


def _now() -> Any:
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]
