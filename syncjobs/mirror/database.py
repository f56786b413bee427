"""The database that holds the mirrored tables: that of MIRROR_DATABASE_URL, else the hub's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from psycopg import sql

ALIAS = "mirror"


def alias() -> str:
    return ALIAS if ALIAS in settings.DATABASES else DEFAULT_DB_ALIAS


@contextmanager
def cursor() -> Iterator[Any]:
    with connections[alias()].cursor() as found:
        yield found


def copy(statement: sql.Composable, block: bytes) -> None:
    """COPY … FROM STDIN of the whole block. Raises Django's errors, as other statements do."""
    connection = connections[alias()]
    with connection.cursor() as found, connection.wrap_database_errors, found.copy(statement) as target:
        target.write(block)


@contextmanager
def page() -> Iterator[None]:
    """A page's rows and how far the read has come: one transaction where there is one database.

    Where there are two, the rows are committed first: what is read twice is stored once.
    """
    with transaction.atomic(), transaction.atomic(using=alias()):
        yield


@contextmanager
def attempt() -> Iterator[None]:
    """What fails in here is undone, and what was done before it stays."""
    with transaction.atomic(using=alias()):
        yield
