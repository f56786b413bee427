"""Reading everything and by id: pages, statements, birthdays, and the connection that is not held."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connections

from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import ReadMode, ReadQuery
from connectors.ident import database as database_module
from connectors.ident.database import alias_of
from connectors.ident.tests.conftest import Clinic


def test_a_full_read_takes_two_statements_a_page(clinic: Clinic) -> None:
    clinic.ident.fill(25)
    clinic.asked.clear()
    assert len(clinic.full(limit=10)) == 25
    beginning = ["changes"] * 3
    assert [what for what in clinic.asked if what != "rights"] == [*beginning, *["patients", "receptions"] * 3]


def test_a_full_read_goes_on_from_every_page(clinic: Clinic) -> None:
    clinic.ident.fill(23)
    pages = clinic.pages(ReadMode.FULL, limit=5)
    seen: list[str] = []
    for page in pages[:-1]:
        seen += [record.id for record in page.records]
        rest = clinic.pages(ReadMode.FULL, cursor=page.cursor, limit=5)
        assert [*seen, *(r.id for p in rest for r in p.records)] == [str(n) for n in range(1, 24)]
        assert rest[-1].cursor == pages[-1].cursor


@pytest.mark.parametrize("count", [0, 5, 10])
def test_the_last_page_is_told_at_its_edge(clinic: Clinic, count: int) -> None:
    if count:
        clinic.ident.fill(count)
    pages = clinic.pages(ReadMode.FULL, limit=5)
    assert sum(len(page.records) for page in pages) == count
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]


def test_patients_by_id_in_their_order_and_strange_ids(clinic: Clinic) -> None:
    clinic.ident.fill(3)
    (page,) = clinic.pages(ReadMode.IDS, ids=["2", "1", "2", "99", "abc", "-1", "99999999999", "١"])
    assert [record.id for record in page.records] == ["1", "2"]
    assert sorted(page.deleted_ids) == sorted(["99", "abc", "-1", "99999999999", "١"])


def test_only_active_patients_where_the_clinic_says_so(clinic: Clinic) -> None:
    one, gone = clinic.patient(), clinic.patient(archive_reason="Переезд")
    clinic.config = {"only_active": True}
    assert clinic.full() == [one]
    (page,) = clinic.pages(ReadMode.IDS, ids=[one, gone])
    assert ([r.id for r in page.records], list(page.deleted_ids)) == ([one], [])


@pytest.mark.parametrize(
    ("now", "age"),
    [
        ("2027-02-28T23:59:59+03:00", 26),
        ("2027-03-01T00:00:00+03:00", 27),
        ("2028-02-28T23:59:59+03:00", 27),
        ("2028-02-29T00:00:00+03:00", 28),
    ],
)
def test_a_birthday_changes_the_age_in_the_clinics_zone_and_no_row(clinic: Clinic, now: str, age: int) -> None:
    clinic.patient(birth_date="2000-02-29", changed_at="2025-01-01")
    clinic.ident.clock = ManualClock(datetime.fromisoformat(now).astimezone(ZoneInfo("UTC")))
    ((record,),) = (page.records for page in clinic.pages(ReadMode.FULL))
    assert record.values["age"] == age


def test_birthdays_are_seen_by_a_full_read_alone(clinic: Clinic) -> None:
    patient = clinic.patient(changed_at=clinic.at(minutes=1))
    clinic.full()
    clinic.ident.have_birthday(int(patient), 30)
    assert clinic.changes() == []
    ((record,),) = (page.records for page in clinic.pages(ReadMode.FULL))
    assert record.values["age"] == 30


def test_the_connection_is_let_go_of_when_pages_are_not_taken(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "IDLE_SECONDS", 0.05)
    clinic.ident.fill(9)
    connector = clinic.connector()
    pages = connector.read(ReadQuery(mode=ReadMode.FULL, limit=3))
    next(pages)
    assert connector.database.is_connected
    until = time.monotonic() + 10
    while connector.database.is_connected and time.monotonic() < until:
        time.sleep(0.01)
    assert not connector.database.is_connected
    assert [len(page.records) for page in pages] == [3, 3, 0]
    assert not connector.database.is_connected


def test_the_connection_is_let_go_of_at_the_end_and_when_a_reader_gives_up(clinic: Clinic) -> None:
    clinic.ident.fill(5)
    connector = clinic.connector()
    list(connector.read(ReadQuery(mode=ReadMode.FULL)))
    assert not connector.database.is_connected
    pages = connector.read(ReadQuery(mode=ReadMode.FULL, limit=2))
    next(pages)
    pages.close()
    assert not connector.database.is_connected


def test_a_server_that_dies_between_pages_is_asked_again(clinic: Clinic) -> None:
    clinic.ident.fill(9)
    connector = clinic.connector()
    pages = connector.read(ReadQuery(mode=ReadMode.FULL, limit=3))
    seen = [record.id for record in next(pages).records]
    clinic.ident._run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%crmsync_receptions%'"
    )
    seen += [record.id for page in pages for record in page.records]
    assert seen == [str(n) for n in range(1, 10)]


def test_a_statement_that_takes_too_long_is_ended_by_the_server(clinic: Clinic) -> None:
    connector = clinic.connector(config={"query_timeout": 1}, max_tries=1)
    began = time.monotonic()
    with pytest.raises(ApiError, match="too long") as raised:
        connector.database.rows("probe", "SELECT pg_sleep(30)")
    assert raised.value.kind is ErrorKind.TRANSIENT
    assert time.monotonic() - began < 15
    assert not connector.database.is_connected


def test_a_lock_is_waited_for_briefly(clinic: Clinic) -> None:
    import psycopg

    connector = clinic.connector(config={"lock_timeout": 1}, max_tries=1)
    held = connections["default"].get_connection_params()
    held = {name: value for name, value in held.items() if name in ("host", "port", "user", "password", "dbname")}
    with psycopg.connect(**held) as blocker:
        blocker.execute("LOCK TABLE ident_sandbox.patient IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(ApiError, match="a lock was not released") as raised:
            list(connector.read(ReadQuery(mode=ReadMode.FULL)))
        blocker.rollback()
    assert raised.value.kind is ErrorKind.TRANSIENT


def test_what_fails_for_a_while_is_tried_again_with_pauses(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    clinic.ident.fill(2)
    connector = clinic.connector(max_tries=4)
    fetched, left = connector.database._fetched, [3]

    def failing(*given: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise OperationalError("HYT00", "[HYT00] Login timeout expired")
        return fetched(*given)

    monkeypatch.setattr(connector.database, "_fetched", failing)
    began = clinic.ident.clock.monotonic()
    assert connector.database.rows("probe", "SELECT 1") == [(1,)]
    assert clinic.ident.clock.monotonic() - began == 1 + 2 + 4


def test_the_same_settings_are_the_same_alias() -> None:
    assert alias_of({"NAME": "a", "HOST": "b"}) == alias_of({"HOST": "b", "NAME": "a"})
    assert alias_of({"NAME": "a"}) != alias_of({"NAME": "b"})
    assert "secret" not in alias_of({"PASSWORD": "secret"})
