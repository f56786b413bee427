"""Where the database is, and what each driver is told (sheet 5.1). Connection strings are looked at, never logged."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from connectors.core.errors import ApiError, ErrorKind
from connectors.ident.address import POSTGRESQL, SQL_SERVER, AddressInvalid, address_of
from connectors.ident.drivers import database_settings
from connectors.ident.tests.sqlserver import PASSWORD, engine, settings_for, wrapper

ODBC = "ODBC Driver 18 for SQL Server"


def string_of(**config: Any) -> dict[str, str]:
    """The connection string, by its keys in small letters."""
    made = wrapper(config)
    options = made.get_connection_params()["OPTIONS"]
    text = made._build_connection_string(made.get_connection_params(), options.get("driver", ""))
    escaped = "{" + PASSWORD.replace("}", "}}") + "}"
    assert escaped in text
    parts = [part.partition("=") for part in text.replace(escaped, "PASSWORD").split(";") if part]
    keys = [key.lower() for key, _sign, _value in parts]
    assert len(keys) == len(set(keys)), "a driver refuses a key that is there twice"
    return {key.lower(): value for key, _sign, value in parts}


def test_mssql_python_is_the_usual_one() -> None:
    assert string_of() == {
        "server": "clinic.example.com,1433",
        "database": "IDENT",
        "uid": "crmsync_ro",
        "pwd": "PASSWORD",
        "encrypt": "yes",
        "trustservercertificate": "yes",
    }
    assert wrapper()._uses_mssql_python(wrapper().get_connection_params())


def test_freetds_for_old_servers() -> None:
    found = string_of(driver="FreeTDS", encrypt=False)
    assert found == {
        "driver": "FreeTDS",
        "server": "clinic.example.com",
        "port": "1433",
        "database": "IDENT",
        "uid": "crmsync_ro",
        "pwd": "PASSWORD",
        "tds_version": "7.4",
        "clientcharset": "UTF-8",
        "encryption": "off",
    }
    assert "encryption" not in string_of(driver="freetds")


def test_microsofts_driver_by_its_name() -> None:
    found = string_of(driver="{ODBC Driver 18 for SQL Server}", trust_certificate=False)
    assert found["driver"].strip("{}") == ODBC
    assert (found["server"], found["encrypt"], found["trustservercertificate"]) == (
        "clinic.example.com,1433",
        "yes",
        "no",
    )


def test_a_named_instance_needs_no_port() -> None:
    assert string_of(host="SERVER\\IDENT", port="")["server"] == "SERVER\\IDENT"


def test_further_options_replace_ours() -> None:
    assert string_of(driver_options="Encrypt=strict; HostNameInCertificate=sql")["encrypt"] == "strict"
    assert string_of(driver="FreeTDS", driver_options="TDS_Version=7.1")["tds_version"] == "7.1"


@pytest.mark.parametrize("options", ["PWD=x", "Server=other", "uid=sa", "a", "a=b;DATABASE=x", "x={a;b}"])
def test_options_with_a_login_or_a_server_are_refused(options: str) -> None:
    with pytest.raises(ApiError, match="Further driver options") as raised:
        settings_for({"driver_options": options})
    assert raised.value.kind is ErrorKind.CONFIG


@pytest.mark.parametrize("driver", ["x;PWD=y", "a}b", "x=y"])
def test_a_driver_that_is_no_name_is_refused(driver: str) -> None:
    with pytest.raises(ApiError, match="name of a driver"):
        settings_for({"driver": driver})


@pytest.mark.parametrize(
    ("name", "value"), [("lock_timeout", 0), ("query_timeout", "x"), ("connect_timeout", 601), ("isolation", "DIRTY")]
)
def test_limits_are_checked(name: str, value: object) -> None:
    with pytest.raises(ApiError) as raised:
        settings_for({name: value})
    assert raised.value.kind is ErrorKind.CONFIG


def test_limits_are_told_to_the_engine() -> None:
    options = settings_for({"lock_timeout": 3, "query_timeout": 20, "isolation": "SNAPSHOT"})["OPTIONS"]
    assert (options["lock_timeout"], options["query_timeout"], options["connection_timeout"]) == (3000, 20, 10)
    assert (options["isolation_level"], options["connection_retries"]) == ("SNAPSHOT", 0)
    whole = settings_for()
    assert "isolation_level" not in whole["OPTIONS"]
    assert (whole["CONN_MAX_AGE"], whole["AUTOCOMMIT"], whole["TIME_ZONE"]) == (0, True, "Europe/Moscow")


def test_the_session_waits_briefly_for_locks_and_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older engine or a server that merely speaks the protocol may refuse the second: that is no failure."""
    made = wrapper({"lock_timeout": 3})
    sent: list[str] = []

    class Cursor:
        def execute(self, sql: str, params: Any = ()) -> None:
            sent.append(sql)
            if "DEADLOCK" in sql:
                raise made.Database.Error("unknown")

        def close(self) -> None:
            sent.append("closed")

    monkeypatch.setattr("mssql.base.DatabaseWrapper.init_connection_state", lambda self: None)
    monkeypatch.setattr(made, "create_cursor", Cursor)
    made.init_connection_state()
    assert sent == ["SET LOCK_TIMEOUT 3000", "SET DEADLOCK_PRIORITY LOW", "closed"]


def test_postgresql_is_told_to_read_only_and_when_to_give_up() -> None:
    address = address_of({}, "postgres://u:p@db/x", "")
    options = database_settings(address, {"lock_timeout": 2, "query_timeout": 7}, "Europe/Moscow")["OPTIONS"]
    assert options["options"] == ("-c default_transaction_read_only=on -c lock_timeout=2000 -c statement_timeout=7000")


def test_the_password_is_not_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    engine()
    with caplog.at_level(logging.DEBUG):
        address = address_of({"host": "h", "name": "n", "user": "u"}, "", PASSWORD)
        string_of()
    assert PASSWORD not in repr(address)
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mssql://u:p%40%3A@clinic:1433/IDENT", (SQL_SERVER, "clinic", "IDENT", "u", "p@:", "1433")),
        ("mssql+pyodbc://u:p@CLINIC%5CIDENT/db", (SQL_SERVER, "CLINIC\\IDENT", "db", "u", "p", "")),
        ("sqlserver://clinic/IDENT", (SQL_SERVER, "clinic", "IDENT", "", "", "")),
        ("postgres://u@:5433/x?host=/run/pg", (POSTGRESQL, "/run/pg", "x", "u", "", "5433")),
        (
            "Server=tcp:clinic,1433;Database=IDENT;UID=u;PWD={p;}}x}",
            (SQL_SERVER, "clinic", "IDENT", "u", "p;}x", "1433"),
        ),
        (
            "Driver={FreeTDS};SERVER=c;PORT=1444;DATABASE=d;User Id=u;Password=p",
            (SQL_SERVER, "c", "d", "u", "p", "1444"),
        ),
    ],
)
def test_addresses_as_people_write_them(url: str, expected: tuple[str, ...]) -> None:
    found = address_of({}, url, "ignored")
    assert (found.engine, found.host, found.name, found.user, found.password, found.port) == expected


def test_an_address_may_name_the_driver_and_encryption() -> None:
    for url in ("mssql://u:p@c/d?driver=FreeTDS&Encrypt=no", "Driver={FreeTDS};Server=c;Database=d;Encrypt=no"):
        options = settings_for(url=url)["OPTIONS"]
        assert (options["driver"], options["extra_params"].endswith("Encryption=off")) == ("FreeTDS", True)


def test_single_settings_and_a_port_behind_a_comma() -> None:
    found = address_of({"host": "clinic, 1444", "name": "IDENT", "user": "u"}, "", "secret")
    assert (found.host, found.port, found.password) == ("clinic", "1444", "secret")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hunter2@h/d",
        "mssql://u:hunter2@h",
        "mssql://u:hunter2@h:x/d",
        "PWD=hunter2",
        "mssql://u:hu[nter2@[h/d",
    ],
)
def test_an_address_that_cannot_be_read_is_not_quoted(url: str) -> None:
    with pytest.raises(AddressInvalid) as raised:
        address_of({}, url, "")
    assert "nter2" not in str(raised.value)
