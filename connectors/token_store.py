"""Tokens in PostgreSQL: one refresher at a time over all processes and hosts, each step durable by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.utils import CursorWrapper

from connectors.core.auth import Grant, GrantRow, Tokens, TokenStore
from connectors.core.clock import SystemClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.crypto import decrypt, encrypt

_LOCK_SPACE = 0x746F6B  # any number of ours
# Longer than a refresher may need for its request.
_LOCK_TIMEOUT = "90s"

_LOAD = "SELECT tokens, renewing_since, broken FROM connectors_oauthgrant WHERE connection_id = %s"
_SAVE = """
INSERT INTO connectors_oauthgrant (connection_id, tokens, expires_at, renewing_since, broken, spent_code, updated_at)
VALUES (%s, %s, %s, %s, %s, '', now())
ON CONFLICT (connection_id) DO UPDATE SET tokens = excluded.tokens, expires_at = excluded.expires_at,
    renewing_since = excluded.renewing_since, broken = excluded.broken, updated_at = now()
"""


class PostgresTokenStore(TokenStore):
    """The tokens of one connection.

    It works on a database connection of its own in autocommit: the mark must be stored before the refresh token is
    spent and the pair before it is used, whatever transaction the caller is in. The lock is an advisory one of that
    session, because a row lock would have to be given up to store the mark; it ends when its holder dies.
    """

    def __init__(self, connection_id: int) -> None:
        super().__init__(SystemClock())
        self._connection_id = connection_id

    def peek(self) -> Grant:
        with _session() as cursor:
            return _Row(cursor, self._connection_id).load()

    @contextmanager
    def locked(self) -> Iterator[GrantRow]:
        with _session() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [_LOCK_TIMEOUT])
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [_LOCK_SPACE, self._connection_id])
            try:
                yield _Row(cursor, self._connection_id)
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_SPACE, self._connection_id])


class _Row:
    def __init__(self, cursor: CursorWrapper, connection_id: int) -> None:
        self._cursor, self._connection_id = cursor, connection_id

    def load(self) -> Grant:
        self._cursor.execute(_LOAD, [self._connection_id])
        row = self._cursor.fetchone()
        return Grant() if row is None else Grant(_decoded(row[0]), row[1], row[2])

    def save(self, grant: Grant) -> None:
        expires_at = grant.tokens.expires_at if grant.tokens else None
        values: list[Any] = [
            self._connection_id,
            _encoded(grant.tokens),
            expires_at,
            grant.renewing_since,
            grant.broken,
        ]
        self._cursor.execute(_SAVE, values)


def _encoded(tokens: Tokens | None) -> str:
    if tokens is None:
        return ""
    until = tokens.expires_at.isoformat() if tokens.expires_at else None
    held = {
        "access": tokens.access,
        "refresh": tokens.refresh,
        "expires_at": until,
        "account": tokens.account,
        "scope": tokens.scope,
    }
    return encrypt(orjson.dumps(held))


def _decoded(text: str) -> Tokens | None:
    if not text:
        return None
    held: dict[str, Any] = orjson.loads(decrypt(text))
    until = datetime.fromisoformat(held["expires_at"]) if held["expires_at"] else None
    return Tokens(held["access"], held["refresh"], until, held.get("account", ""), held.get("scope", ""))


@contextmanager
def _session() -> Iterator[CursorWrapper]:
    """A database session of its own. Raises ApiError (TRANSIENT) when the database does not answer."""
    session = connections.create_connection(DEFAULT_DB_ALIAS)
    try:
        with session.cursor() as cursor:
            yield cursor
    except DatabaseError as e:
        sentence = "The hub's own database does not answer, or another process is still renewing the access."
        raise ApiError(ErrorKind.TRANSIENT, sentence, detail=type(e).__name__) from e
    finally:
        session.close()
