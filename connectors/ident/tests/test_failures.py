"""Errors as the drivers raise them, each one clear sentence: no person's data, no secret, no server's prose."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import ReadMode, ReadQuery
from connectors.ident import failures
from connectors.ident.failures import failure
from connectors.ident.tests.conftest import Clinic

T, A, C = ErrorKind.TRANSIENT, ErrorKind.AUTH, ErrorKind.CONFIG
PERSONAL = "Белова Анна +79161234567 hunter2"
MS = "[Microsoft][ODBC Driver 18 for SQL Server]"

# (Django's class, the driver's arguments, kind, sentence): states and numbers of pyodbc, FreeTDS and mssql-python.
TOLD: tuple[tuple[type[Exception], tuple[Any, ...], ErrorKind, str], ...] = (
    (
        OperationalError,
        ("08001", f"[08001] {MS}TCP Provider: Error code 0x2749 (10057) (SQLDriverConnect)"),
        T,
        failures.AWAY,
    ),
    (OperationalError, ("08S01", f"[08S01] {MS}Communication link failure (0) (SQLExecDirectW)"), T, failures.AWAY),
    (OperationalError, ("HYT00", f"[HYT00] {MS}Login timeout expired (0) (SQLDriverConnect)"), T, failures.AWAY),
    (
        OperationalError,
        ("08001", "[08001] [FreeTDS][SQL Server]Unable to connect to data source (0) (SQLDriverConnect)"),
        T,
        failures.AWAY,
    ),
    (OperationalError, ("HYT00", f"[HYT00] {MS}Query timeout expired (0) (SQLExecDirectW)"), T, failures.SLOW),
    (ProgrammingError, ("HYT01", f"[HYT01] {MS}Timed out (0)"), T, failures.SLOW),
    (
        OperationalError,
        ("42000", f"[42000] {MS}[SQL Server]Lock request time out period exceeded. (1222) (SQLExecDirectW)"),
        T,
        failures.LOCKED,
    ),
    (
        OperationalError,
        ("40001", f"[40001] {MS}[SQL Server]Transaction (Process ID 61) was deadlocked on lock resources (1205)"),
        T,
        failures.LOCKED,
    ),
    (
        DatabaseError,
        ("42000", f"[42000] {MS}[SQL Server]Could not continue scan with NOLOCK due to data movement. (601)"),
        T,
        failures.LOCKED,
    ),
    (
        InterfaceError,
        ("28000", f"[28000] {MS}[SQL Server]Login failed for user '{PERSONAL}'. (18456) (SQLDriverConnect)"),
        A,
        failures.REFUSED,
    ),
    (
        OperationalError,
        (f"Login failed for user '{PERSONAL}'.; DDBC Error: [Microsoft][SQL Server]Login failed (18456)",),
        A,
        failures.REFUSED,
    ),
    (
        InterfaceError,
        ("42000", f'[42000] {MS}[SQL Server]Cannot open database "IDENT" requested by the login. (4060)'),
        C,
        failures.NO_DATABASE,
    ),
    (
        OperationalError,
        ("08001", f"[08001] {MS}SSL Provider: [error:0A000086:SSL routines::certificate verify failed] (-1)"),
        C,
        failures.CERTIFICATE,
    ),
    (
        DatabaseError,
        ("01000", "[01000] [unixODBC][Driver Manager]Can't open lib 'FreeTDS' : file not found (0)"),
        C,
        failures.NO_DRIVER,
    ),
    (InterfaceError, ("IM002", "[IM002] [unixODBC][Driver Manager]Data source name not found"), C, failures.NO_DRIVER),
    (
        ProgrammingError,
        ("42000", f"[42000] {MS}[SQL Server]Snapshot isolation transaction failed: not allowed (3952)"),
        C,
        failures.NO_SNAPSHOT,
    ),
    (
        ProgrammingError,
        ("42S02", f"[42S02] {MS}[SQL Server]Invalid object name 'dbo.crmsync_changes'. (208) (SQLExecDirectW)"),
        C,
        failures.MISSING.format(name="dbo.crmsync_changes"),
    ),
    (
        ProgrammingError,
        ("42S22", f"[42S22] {MS}[SQL Server]Invalid column name 'snils'. (207) (SQLExecDirectW)"),
        C,
        failures.MISSING_COLUMN.format(name="snils"),
    ),
    (
        ProgrammingError,
        ("42000", f"[42000] {MS}The SELECT permission was denied on the object 'crmsync_patients' (229)"),
        C,
        failures.NO_RIGHT.format(name="crmsync_patients"),
    ),
    (
        DatabaseError,
        ("22018", f"[22018] {MS}[SQL Server]Conversion failed when converting the value '{PERSONAL}' (245)"),
        C,
        failures.ODD,
    ),
    (OperationalError, (f"something new about {PERSONAL}",), T, failures.AWAY),
)


def raised_by(kind: type[Exception], arguments: tuple[Any, ...]) -> Exception:
    """As Django raises it: with the driver's own as its cause."""
    try:
        raise kind(*arguments) from RuntimeError(*arguments)
    except kind as e:
        return e


@pytest.mark.parametrize(("kind", "arguments", "expected", "sentence"), TOLD)
def test_a_drivers_error(kind: type[Exception], arguments: tuple[Any, ...], expected: ErrorKind, sentence: str) -> None:
    found = failure(raised_by(kind, arguments))
    assert (found.kind, found.message) == (expected, sentence)
    for secret in PERSONAL.split():
        assert secret not in found.message + found.detail
    assert "Microsoft" not in found.message + found.detail


def test_the_detail_keeps_the_numbers_that_help() -> None:
    found = failure(raised_by(OperationalError, TOLD[6][1]))
    assert found.detail == "OperationalError 42000 (1222)"


@pytest.mark.parametrize("error", [ImproperlyConfigured("no module mssql at /opt/x"), ImportError("libodbc.so.2")])
def test_a_driver_that_is_not_installed(error: Exception) -> None:
    found = failure(error)
    assert (found.kind, found.message) == (C, failures.NOT_INSTALLED)


@pytest.mark.parametrize(
    ("config", "kind", "word"),
    [
        ({"database_url": "postgres://nobody:hunter2@127.0.0.1:1/ident"}, T, failures.AWAY),
        ({"patients_view": "no_such_view"}, C, "no_such_view"),
        ({"schema": "no_such_schema"}, C, "no_such_schema"),
        ({"time_zone": "Mars/Olympus"}, C, "Time zone"),
        ({"overlap_minutes": "soon"}, C, "Overlap"),
        ({"database_url": "mysql://a:hunter2@b/c"}, C, "mssql://"),
    ],
)
@pytest.mark.parametrize("verb", ["check", "inspect", "read"])
def test_each_ends_in_one_sentence(
    clinic: Clinic, config: dict[str, Any], kind: ErrorKind, word: str, verb: str
) -> None:
    connector = clinic.connector(config=config, max_tries=2)
    began = clinic.ident.clock.monotonic()
    if verb == "inspect" and word.startswith("no_such"):
        assert any(word in problem for problem in connector.inspect().problems)
        return
    with pytest.raises(ApiError) as raised:
        list(connector.read(read_everything())) if verb == "read" else getattr(connector, verb)()
    assert raised.value.kind is kind
    assert word in raised.value.message
    assert "hunter2" not in f"{raised.value.message} {raised.value.detail}"
    assert "\n" not in raised.value.message
    assert clinic.ident.clock.monotonic() - began == (1.0 if kind is T else 0.0)


def read_everything() -> ReadQuery:
    return ReadQuery(mode=ReadMode.FULL)


def test_a_column_that_is_gone_is_named(clinic: Clinic) -> None:
    clinic.ident._run(
        "CREATE OR REPLACE VIEW ident_sandbox.narrow AS "
        "SELECT patient_id, last_name FROM ident_sandbox.crmsync_patients"
    )
    with pytest.raises(ApiError) as raised:
        list(clinic.connector(config={"patients_view": "narrow"}).read(read_everything()))
    assert raised.value.kind is C
    assert "lacks the columns first_name, middle_name" in raised.value.message
    clinic.ident._run("DROP VIEW ident_sandbox.narrow")
