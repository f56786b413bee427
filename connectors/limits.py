"""Rate-limit slots in PostgreSQL, so that all processes and hosts together keep a remote account's limit."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from connectors.core.errors import ApiError, ErrorKind

_RESERVE = """
INSERT INTO connectors_rateslot AS slot (key, next_at)
VALUES (%(key)s, extract(epoch FROM clock_timestamp()) + %(interval)s)
ON CONFLICT (key) DO UPDATE
SET next_at = greatest(slot.next_at, extract(epoch FROM clock_timestamp())) + %(interval)s
RETURNING next_at - extract(epoch FROM clock_timestamp()) - %(burst)s * %(interval)s
"""

# Of the units that a window may hold besides these, the youngest one too many has to be older than the window.
_RESERVE_UNITS = """
INSERT INTO connectors_rateslot AS slot (key, next_at, spent)
VALUES (%(key)s, 0, array_fill(extract(epoch FROM clock_timestamp())::float8, ARRAY[%(units)s]))
ON CONFLICT (key) DO UPDATE SET spent = (
    SELECT (slot.spent || array_fill(free.at, ARRAY[%(units)s]))[
        greatest(cardinality(slot.spent) + %(units)s - %(most)s + 1, 1):]
    FROM (SELECT greatest(
        extract(epoch FROM clock_timestamp())::float8, slot.next_at, slot.spent[cardinality(slot.spent)],
        slot.spent[cardinality(slot.spent) - (%(most)s - %(units)s)] + %(seconds)s) AS at) AS free)
RETURNING spent[cardinality(spent)] - extract(epoch FROM clock_timestamp())
"""

_HOLD = """
INSERT INTO connectors_rateslot AS slot (key, next_at)
VALUES (%(key)s, extract(epoch FROM clock_timestamp()) + %(seconds)s)
ON CONFLICT (key) DO UPDATE SET next_at = greatest(slot.next_at, excluded.next_at)
"""


class PostgresLimiter:
    """Slots counted by the database's clock. One statement a claim, on a connection of its own.

    Its connection is in autocommit, because a claim inside a caller's transaction would keep the row locked and stop
    every other worker; and commits without waiting for the disk, because losing the last moments costs nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: BaseDatabaseWrapper | None = None
        self._pid = 0

    def reserve(self, key: str, interval: float, burst: int = 1) -> float:
        row = self._run(_RESERVE, {"key": key, "interval": interval, "burst": burst}, returns=True)
        return float(row[0])

    def reserve_units(self, key: str, units: int, most: int, seconds: float) -> float:
        params = {"key": key, "units": units, "most": most, "seconds": seconds}
        return float(self._run(_RESERVE_UNITS, params, returns=True)[0])

    def hold(self, key: str, seconds: float) -> None:
        self._run(_HOLD, {"key": key, "seconds": seconds}, returns=False)

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _run(self, sql: str, params: dict[str, Any], *, returns: bool) -> Sequence[Any]:
        """Raises ApiError (TRANSIENT) when the database does not answer twice; at worst a slot is lost."""
        with self._lock:
            try:
                return self._execute(sql, params, returns=returns)
            except DatabaseError:
                self._drop()
            try:
                return self._execute(sql, params, returns=returns)
            except DatabaseError as e:
                self._drop()
                detail = type(e).__name__
                raise ApiError(ErrorKind.TRANSIENT, "The hub's own database does not answer.", detail=detail) from e

    def _execute(self, sql: str, params: dict[str, Any], *, returns: bool) -> Sequence[Any]:
        with self._open().cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchone() if returns else ()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> BaseDatabaseWrapper:
        if self._connection is None or self._pid != os.getpid():
            connection = connections.create_connection(DEFAULT_DB_ALIAS)
            connection.inc_thread_sharing()
            with connection.cursor() as cursor:
                cursor.execute("SET synchronous_commit = off")
            self._connection, self._pid = connection, os.getpid()
        return self._connection


def seconds_to_wait(key: str) -> float:
    """How long a claim made now would wait for its slot, without making one; 0 when the limit is not in use."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT greatest(next_at - extract(epoch FROM clock_timestamp()), 0) FROM connectors_rateslot "
            "WHERE key = %s",
            [key],
        )
        row = cursor.fetchone()
    return float(row[0]) if row else 0.0


limiter = PostgresLimiter()
