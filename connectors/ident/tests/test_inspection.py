"""What is said about a clinic's database before anything is read: objects, columns, rights. Never a patient."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from connectors import services
from connectors.core.errors import ApiError, ErrorKind
from connectors.ident.address import SQL_SERVER
from connectors.ident.configuration import Source
from connectors.ident.dialects import DIALECTS
from connectors.ident.inspection import Inspector
from connectors.ident.statements import CHANGE_COLUMNS, PATIENT_COLUMNS, RECEPTION_COLUMNS, Statements
from connectors.ident.tests.conftest import Clinic
from connectors.models import Connection

COLUMNS = {"patients": PATIENT_COLUMNS, "receptions": RECEPTION_COLUMNS, "changes": CHANGE_COLUMNS}


class Server:
    """A SQL Server that has what it is told to have."""

    def __init__(self, columns: dict[str, Any] | None = None, rights: tuple[Any, ...] = (0, 0, 0, 0, 0)) -> None:
        self._columns = {**COLUMNS, **(columns or {})}
        self._rights = rights
        self.asked: list[tuple[str, list[Any]]] = []

    def columns(self, what: str, sql: str) -> list[str]:
        found = next(held for name, held in self._columns.items() if f"crmsync_{name}]" in sql)
        if isinstance(found, ApiError):
            raise found
        return list(found)

    def rows(self, what: str, sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
        self.asked.append((sql, list(params)))
        return [self._rights] if "HAS_PERMS" in sql else [("11.0.7001.0", "Express Edition", 0, 1)]


def inspector(**told: Any) -> tuple[Inspector, Server]:
    server = Server(**told)
    made = Statements(DIALECTS[SQL_SERVER], Source.of({}))
    return Inspector(server, made, SQL_SERVER), server  # type: ignore[arg-type]


def test_nothing_is_missing() -> None:
    found, server = inspector()
    assert (found.missing(), found.excess()) == ([], [])
    found.require_everything()
    assert server.asked[0][1] == ["[dbo].[crmsync_patients]"]
    assert found.server() == {
        "version": "11.0.7001.0",
        "edition": "Express Edition",
        "read_committed_snapshot": False,
        "snapshot_isolation": True,
    }


def test_every_missing_column_and_view_is_named() -> None:
    gone = ApiError(ErrorKind.CONFIG, "missing")
    less = [name for name in PATIENT_COLUMNS if name not in ("snils", "debt")]
    found, _ = inspector(columns={"patients": less, "receptions": RECEPTION_COLUMNS[1:], "changes": gone})
    assert found.missing() == [
        "The view dbo.crmsync_patients lacks the columns snils, debt: adapt the set-up script and run it again.",
        "The view dbo.crmsync_receptions lacks the column reception_id: adapt the set-up script and run it again.",
        "The view dbo.crmsync_changes is missing or broken: "
        "run the set-up script, or correct its name in the settings.",
    ]
    with pytest.raises(ApiError, match="snils, debt") as raised:
        found.require_everything()
    assert raised.value.kind is ErrorKind.CONFIG


@pytest.mark.parametrize(
    "error", [ApiError(ErrorKind.TRANSIENT, "away"), ApiError(ErrorKind.CONFIG, "The login may not read it")]
)
def test_other_trouble_is_not_taken_for_a_missing_view(error: ApiError) -> None:
    found, _ = inspector(columns={"patients": error})
    with pytest.raises(ApiError) as raised:
        found.missing()
    assert raised.value is error


@pytest.mark.parametrize(
    ("place", "word"), list(enumerate(["may change", "sysadmin", "db_owner", "db_datawriter", "db_datareader"]))
)
def test_every_right_too_many_is_told(place: int, word: str) -> None:
    found, _ = inspector(rights=tuple(1 if n == place else None for n in range(5)))
    (sentence,) = found.excess()
    assert word in sentence


def test_a_login_that_may_write_is_refused_where_the_settings_say_so(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Inspector, "excess", lambda self: ["Too many rights."])
    assert clinic.connector().check().warnings == ("Too many rights.",)
    with pytest.raises(ApiError, match="Too many rights") as raised:
        clinic.connector(config={"refuse_rights": True}).check()
    assert raised.value.kind is ErrorKind.CONFIG
    clinic.config = {"refuse_rights": True}
    with pytest.raises(ApiError, match="Too many rights"):
        clinic.full()


@pytest.fixture
def connection(clinic: Clinic) -> Iterator[Connection]:
    made = services.create_connection("ident", "ident", clinic.ident.config(""))
    yield made
    Connection.objects.all().delete()


def told(*arguments: str) -> tuple[str, str, int]:
    out = StringIO()
    try:
        call_command("ident_inspect", *arguments, stdout=out)
    except CommandError as e:
        return out.getvalue(), str(e), e.returncode
    return out.getvalue(), "", 0


def test_the_command_says_that_nothing_is_missing_and_shows_nobody(clinic: Clinic, connection: Connection) -> None:
    clinic.ident.fill(5)
    text, _error, code = told()
    assert (code, "Nothing is missing." in text) == (0, True)
    answer = json.loads(told("--json")[0])
    assert (answer["ok"], answer["problems"]) == (True, [])
    names = {person["last_name"] for person in clinic.ident.people()}
    assert not any(name in text + json.dumps(answer, ensure_ascii=False) for name in names)


def test_the_command_names_what_is_missing(clinic: Clinic, connection: Connection) -> None:
    connection.config |= {"changes_view": "no_such_view", "patients_view": "crmsync_changes"}
    connection.save()
    _text, error, code = told()
    assert code == 2
    assert "no_such_view is missing" in error
    assert "lacks the columns last_name" in error
    assert json.loads(told("--json")[0])["ok"] is False


def test_the_command_says_in_one_sentence_that_the_server_is_away(clinic: Clinic, connection: Connection) -> None:
    connection.secrets = {"database_url": "postgres://nobody:hunter2@127.0.0.1:1/ident"}
    connection.save()
    text, error, code = told()
    assert (text, error, code) == ("", "The clinic's database server does not answer; it is tried again.", 2)
