"""Who may write the links of a connection at once: any number of pushes, or one pull.

Each has its own rows in its own order; side by side, a pull and a push would each wait for a row that the other holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, transaction
from django.db import connection as database
from psycopg.errors import DeadlockDetected

from connectors.models import Connection

_LOCK = 0x70756C6C << 32
ATTEMPTS = 4

Answer = TypeVar("Answer")


def alone(connection: Connection) -> None:
    """Until the transaction ends nobody else stores what became of the connection's links. Its first statement."""
    _take("pg_advisory_xact_lock", connection)


def together(connection: Connection) -> None:
    """Until the transaction ends no pull of the connection stores a page; other pushes may. Its first statement."""
    _take("pg_advisory_xact_lock_shared", connection)


def stored(store: Callable[[], Answer]) -> Answer:
    """Carries out a transaction; once more where the database gave it up for another that waited for it in turn.

    Pages of other connections make links due here, too. Raises what ended the last attempt.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            with transaction.atomic():
                return store()
        except OperationalError as e:
            if not is_deadlock(e):
                raise
    with transaction.atomic():
        return store()


def is_deadlock(error: Exception) -> bool:
    """Whether the database gave the transaction up so that another could go on."""
    return isinstance(error.__cause__, DeadlockDetected)


def _take(function: str, connection: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [_LOCK + connection.pk])
