"""The read-only engines: nothing gets past them that writes, migrates, or makes a test database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import NotSupportedError, connections
from django.db.migrations.exceptions import MigrationSchemaMissing

from connectors.ident.router import Router, WriteRefused
from connectors.ident.tests.conftest import Clinic
from connectors.ident.tests.sqlserver import wrapper
from connectors.models import Connection

WRITES = (
    "INSERT INTO ident_sandbox.patient (id, changed_at) VALUES (1, now())",
    "UPDATE ident_sandbox.patient SET phone = ''",
    "DELETE FROM ident_sandbox.patient",
    "MERGE INTO ident_sandbox.patient p USING (SELECT 1) x ON false WHEN NOT MATCHED THEN DO NOTHING",
    "EXEC sp_who",
    "SELECT * INTO ident_sandbox.copy FROM ident_sandbox.patient",
    "WITH gone AS (DELETE FROM ident_sandbox.patient RETURNING 1) SELECT * FROM gone",
    "SELECT 1; DROP VIEW ident_sandbox.crmsync_patients",
    "SELECT 1 /* DELETE */ DELETE FROM ident_sandbox.patient",
)


class FakeCursor:
    """A driver's cursor that keeps what reaches it."""

    description = ()

    def __init__(self, sent: list[str]) -> None:
        self.sent = sent

    def execute(self, sql: str, params: Any = ()) -> FakeCursor:
        self.sent.append(sql)
        return self

    executemany = callproc = bulkcopy = execute

    def fetchall(self) -> list[Any]:
        return []

    def close(self) -> None: ...


@pytest.fixture(params=["postgresql", "sqlserver"])
def opened(request: pytest.FixtureRequest) -> Iterator[tuple[Any, list[str]]]:
    """A connection of each engine whose driver is a fake, and the statements that reached that."""
    sent: list[str] = []
    if request.param == "sqlserver":
        made = wrapper()
    else:
        from connectors.ident.readonly.postgresql.base import DatabaseWrapper

        made = DatabaseWrapper({**connections["default"].settings_dict}, "ident-test")
    made.ensure_connection = lambda: None
    made.create_cursor = lambda name=None: FakeCursor(sent)
    made.connection = object()
    yield made, sent
    made.connection = None


@pytest.mark.parametrize("sql", WRITES)
def test_a_writing_statement_does_not_reach_the_driver(opened: tuple[Any, list[str]], sql: str) -> None:
    connection, sent = opened
    with pytest.raises(NotSupportedError), connection.cursor() as cursor:
        cursor.execute(sql)
    assert sent == []


def test_reading_reaches_the_driver(opened: tuple[Any, list[str]]) -> None:
    connection, sent = opened
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == []
    assert sent == ["SELECT 1"]


def test_batches_procedures_and_bulk_copies_are_refused(opened: tuple[Any, list[str]]) -> None:
    connection, sent = opened
    with connection.cursor() as cursor:
        with pytest.raises(NotSupportedError, match="executemany"):
            cursor.executemany("SELECT 1", [()])
        with pytest.raises(NotSupportedError, match="procedure"):
            cursor.callproc("sp_who")
        for further in ("bulkcopy", "copy", "copy_expert", "stream", "setinputsizes"):
            with pytest.raises(NotSupportedError, match=further):
                getattr(cursor, further)
    assert sent == []


def test_a_debug_cursor_keeps_no_log_of_patients(opened: tuple[Any, list[str]]) -> None:
    connection, _sent = opened
    connection.force_debug_cursor = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM x WHERE patient_id = %s", [17])
    assert list(connection.queries_log) == []


def test_tables_are_not_changed_and_no_test_database_is_made(opened: tuple[Any, list[str]]) -> None:
    connection, sent = opened
    with pytest.raises(NotSupportedError):
        connection.schema_editor()
    for name in ("create_test_db", "clone_test_db", "destroy_test_db"):
        with pytest.raises(NotSupportedError):
            getattr(connection.creation, name)("IDENT", 1, True)
    assert sent == []


@pytest.fixture
def alias(clinic: Clinic) -> Iterator[str]:
    """The alias of a connector that is reading: with a real connection."""
    connector = clinic.connector()
    connector.check()
    database = connector.database
    database.rows("probe", "SELECT 1")
    yield database.alias
    connector.close()


def test_migrate_ends_there_and_leaves_nothing(clinic: Clinic, alias: str) -> None:
    tables = "SELECT count(*) FROM information_schema.tables"
    before = clinic.ident._rows(tables)
    with pytest.raises((MigrationSchemaMissing, NotSupportedError, CommandError)):
        call_command("migrate", "contacts", "zero", database=alias, verbosity=0)
    assert clinic.ident._rows(tables) == before


@pytest.mark.parametrize("sql", [sql for sql in WRITES if "EXEC" not in sql])
def test_the_stand_in_is_not_written_to_through_django_either(clinic: Clinic, alias: str, sql: str) -> None:
    patient = clinic.patient()
    with pytest.raises(NotSupportedError), connections[alias].cursor() as cursor:
        cursor.execute(sql)
    assert [str(person["id"]) for person in clinic.ident.people()] == [patient]


def test_the_server_itself_refuses_what_would_get_past(
    clinic: Clinic, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is read-only: the guard is a second lock, not the only one."""
    from django.db import InternalError

    connection = connections[alias]
    monkeypatch.setattr(connection, "execute_wrappers", [])
    with pytest.raises(InternalError, match="read-only"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ident_sandbox.patient")


def test_models_do_not_go_there(clinic: Clinic, alias: str) -> None:
    with pytest.raises(NotSupportedError):
        Connection.objects.using(alias).update(label="x")
    router, foreign = Router(), Connection()
    foreign._state.db = alias
    with pytest.raises(WriteRefused):
        router.db_for_write(Connection, instance=foreign)
    assert router.db_for_write(Connection, instance=Connection()) is None
    assert router.allow_migrate(alias, "contacts") is False
    assert router.allow_migrate("default", "contacts") is None
    assert router.allow_relation(foreign, Connection()) is False
    assert router.allow_relation(Connection(), Connection()) is None


def test_an_alias_goes_with_its_last_user(clinic: Clinic) -> None:
    one, other = clinic.connector(), clinic.connector()
    for connector in (one, other):
        connector.check()
    alias = one.database.alias
    assert other.database.alias == alias
    one.close()
    assert alias in connections.settings
    other.close()
    assert alias not in connections.settings
    assert alias not in list(connections)
