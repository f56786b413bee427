"""The clinic's database under a Django alias of its own, as long as somebody reads from it.

Django's database layer is this connector's driver (mssql-django needs it), so it alone is imported, and only once there
is something to read: nothing else of the hub waits for the clinic's server.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.metrics import Exchange
from connectors.ident.failures import failure
from connectors.ident.router import ALIAS_PREFIX

R = TypeVar("R")
Row = tuple[Any, ...]

# A reader that is kept waiting longer lets go of its connection.
IDLE_SECONDS = 2.0
_registry = threading.Lock()
_users: Counter[str] = Counter()
log = logging.getLogger(__name__)


def alias_of(settings: Mapping[str, Any]) -> str:
    """The same for the same settings, so that an alias never means two databases."""
    text = orjson.dumps(dict(settings), option=orjson.OPT_SORT_KEYS)
    return ALIAS_PREFIX + hashlib.blake2b(text, digest_size=6).hexdigest()


class Database:
    """Runs reading statements, one at a time; what fails for a while is tried again `context.max_tries` times."""

    def __init__(self, settings: Mapping[str, Any], context: Context) -> None:
        self.alias = alias_of(settings)
        self._settings, self._context = dict(settings), context
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._held: Any = None
        self._registered = False

    def rows(self, what: str, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of a statement. `what` names it in counts. Raises ApiError."""
        return self._patiently(what, lambda cursor: self._fetched(cursor, sql, params))

    def columns(self, what: str, sql: str) -> list[str]:
        """The names of the columns a statement answers, in lower case. Raises ApiError."""
        return self._patiently(what, lambda cursor: self._described(cursor, sql))

    def pause(self) -> None:
        """Nobody may ask for a while: unless the next statement comes soon, the connection is let go of."""
        with self._lock:
            self._cancel()
            self._timer = threading.Timer(IDLE_SECONDS, self.release)
            self._timer.daemon = True
            self._timer.start()

    def release(self) -> None:
        """Lets go of the connection; the next statement opens one."""
        with self._lock:
            self._cancel()
            held, self._held = self._held, None
            if held is not None:
                _quietly(held.close)
                held.dec_thread_sharing()

    def close(self) -> None:
        """Lets go of the connection and of the alias."""
        self.release()
        with self._lock:
            if self._registered:
                self._registered = False
                _forget(self.alias)

    @property
    def is_connected(self) -> bool:
        return self._held is not None

    def _patiently(self, what: str, work: Callable[[Any], R]) -> R:
        tries = max(self._context.max_tries, 1)
        for number in range(1, tries + 1):
            try:
                return self._once(what, work, retry=number > 1)
            except ApiError as e:
                if e.kind is not ErrorKind.TRANSIENT or number == tries:
                    raise
                log.warning("reading again: %s", e.detail)
                self._context.clock.sleep(2.0 ** (number - 1))
        raise AssertionError("unreachable")

    def _once(self, what: str, work: Callable[[Any], R], *, retry: bool) -> R:
        began = self._context.clock.monotonic()
        status = None
        with self._lock:
            self._cancel()
            try:
                with self._connection().cursor() as cursor:
                    found = work(cursor)
                status = 200
                return found
            except Exception as e:
                self.release()
                if not _is_of_a_database(e):
                    raise
                raise failure(e) from e
            finally:
                self._note(what, status, self._context.clock.monotonic() - began, retry)

    def _connection(self) -> Any:
        """The calling thread's connection under our alias."""
        from django.db import connections

        if not self._registered:
            _remember(self.alias, self._settings)
            self._registered = True
        here = connections[self.alias]
        if self._held is not here:
            self.release()
            # So that the timer's thread may close it while nobody uses it.
            here.inc_thread_sharing()
            self._held = here
        return here

    def _note(self, what: str, status: int | None, seconds: float, retry: bool) -> None:
        if self._context.recorder is not None:
            self._context.recorder.record(Exchange("SELECT", what, status, seconds, 0.0, retry))

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @staticmethod
    def _fetched(cursor: Any, sql: str, params: Sequence[Any]) -> list[Row]:
        # Without parameters a percent sign is one; with them the driver asks for a list.
        cursor.execute(sql, list(params) or None)
        return [tuple(row) for row in cursor.fetchall()]

    @staticmethod
    def _described(cursor: Any, sql: str) -> list[str]:
        cursor.execute(sql)
        return [str(column[0]).lower() for column in cursor.description or ()]


def _remember(alias: str, settings: Mapping[str, Any]) -> None:
    from django.db import connections

    with _registry:
        _users[alias] += 1
        connections.settings[alias] = dict(settings)


def _forget(alias: str) -> None:
    from django.db import connections

    with _registry:
        _users[alias] -= 1
        if _users[alias] > 0:
            return
        del _users[alias]
        connections.settings.pop(alias, None)
        # Where this thread has never used it, there is nothing to take away.
        with contextlib.suppress(AttributeError):
            del connections[alias]


def _is_of_a_database(error: Exception) -> bool:
    from django.core.exceptions import ImproperlyConfigured
    from django.db import Error

    # Drivers raise some errors that Django does not wrap, at connecting above all.
    foreign = type(error).__module__.split(".")[0] in ("pyodbc", "mssql_python", "psycopg")
    return foreign or isinstance(error, Error | ImproperlyConfigured | ImportError | OSError)


def _quietly(close: Callable[[], None]) -> None:
    try:
        close()
    except Exception as e:
        if not _is_of_a_database(e):
            raise
        log.info("a connection was gone before it was closed: %s", type(e).__name__)
