"""A connection whose entities are mirrored, its sandbox, and short words for looking into the tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection as database

from connectors import services
from connectors.bitrix24.sandbox import BitrixSandbox
from connectors.core.clock import ManualClock
from connectors.core.sandbox import Sandbox
from connectors.core.testing import SandboxAdapter
from connectors.models import Connection
from syncjobs.mirror import schedule
from syncjobs.mirror.names import quoted, table_of
from syncjobs.mirror.runs import mirror
from syncjobs.models import MirrorEntity, Run
from tests.api.conftest import client_of, operator  # noqa: F401 - fixtures
from tests.engine.conftest import clock  # noqa: F401 - the fixture
from tests.mirror.truth import differences


class Mirrored:
    """A connection of a sandbox, and what its mirror holds."""

    def __init__(self, connection: Connection, sandbox: Any) -> None:
        self.connection, self.sandbox = connection, sandbox

    def entity(self, name: str = "contacts") -> MirrorEntity:
        return schedule.entity(self.connection, name)

    def run(self, name: str = "contacts", **options: Any) -> Run:
        done = mirror(self.entity(name), trigger="test", **options)
        done.refresh_from_db()
        return done

    def rows(self, table: str = "contact", where: str = "") -> dict[str, dict[str, Any]]:
        """Every row by its id, as text; of a view too."""
        name = quoted(self.connection.key, table).as_string(None)
        with database.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {name} {where}")
            names = [column.name for column in cursor.description]
            return {str(row[names.index("id")]): dict(zip(names, row, strict=True)) for row in cursor.fetchall()}

    def differences(self, entity: str = "contacts") -> dict[str, Any]:
        """What the table does not hold as the portal does; nothing where both are the same, field by field."""
        rows = self.rows(table_of(entity), "WHERE _deleted_at IS NULL")
        return differences(self.sandbox, entity, rows)

    def types(self, table: str = "contact") -> dict[str, str]:
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_schema = %s AND table_name = %s",
                [self.connection.key, table],
            )
            return dict(cursor.fetchall())


@pytest.fixture
def drop_tables() -> Iterator[None]:
    """For tests that commit: what a mirror makes is none of the tables that Django empties."""
    yield
    with database.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS bitrix24 CASCADE")


def connected(slug: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Mirrored:
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: SandboxAdapter(sandbox))
    values = sandbox.config("https://sandbox.example.com") | {"rps": 0}
    return Mirrored(services.create_connection(slug, slug, values), sandbox)


@pytest.fixture
def portal(db: None, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Mirrored:  # noqa: F811
    """A portal with no records of its own."""
    return connected("bitrix24", BitrixSandbox(clock, enforce_limits=False), monkeypatch)


@pytest.fixture
def large_portal(db: None, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Mirrored:  # noqa: F811
    """A portal of 6,000 contacts."""
    return connected("bitrix24", BitrixSandbox(clock, enforce_limits=False, people=6000), monkeypatch)
