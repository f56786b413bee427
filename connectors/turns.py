"""Turns in PostgreSQL, so that all processes and hosts together send one request of a kind at a time to an account."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from connectors.core.errors import ApiError, ErrorKind

_SPACE = b"turn:"
# Longer than several of those ahead may need for waiting out a quota of a minute and for their requests.
_PATIENCE = "600s"


class PostgresTurns:
    """A turn is an advisory lock of a session of its own: it ends with its holder, however that dies."""

    @contextmanager
    def taken(self, key: str) -> Iterator[None]:
        number = int.from_bytes(hashlib.blake2b(_SPACE + key.encode(), digest_size=8).digest(), "big", signed=True)
        session = connections.create_connection(DEFAULT_DB_ALIAS)
        try:
            try:
                with session.cursor() as cursor:
                    cursor.execute("SELECT set_config('lock_timeout', %s, false)", [_PATIENCE])
                    cursor.execute("SELECT pg_advisory_lock(%s)", [number])
            except DatabaseError as e:
                sentence = "Another process keeps writing to this account, or the hub's own database does not answer."
                raise ApiError(ErrorKind.TRANSIENT, sentence, detail=type(e).__name__) from e
            yield
        finally:
            session.close()


turns = PostgresTurns()
