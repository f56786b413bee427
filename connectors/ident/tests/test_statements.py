"""The T-SQL that a clinic's server is sent, word for word and without a server (sheet 4.1, 4.2 and 5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from connectors.core.clock import ManualClock
from connectors.core.types import ReadMode, ReadQuery
from connectors.ident.address import SQL_SERVER
from connectors.ident.configuration import Source
from connectors.ident.dialects import DIALECTS
from connectors.ident.reading import IDS_AT_ONCE, PAGE, Reader
from connectors.ident.readonly.guard import require_reading
from connectors.ident.statements import PATIENT_COLUMNS, Statements

COLUMNS = (
    "patient_id, last_name, first_name, middle_name, sex, birth_date, phone, phone2, email, card_number, "
    "patient_number, comment, discount_percent, sms_optout, archive_reason, is_archived, snils, inn, branch, "
    "visits_count, last_visit_at, next_visit_at, advance, debt"
)
VISITS = (
    "SELECT patient_id, starts_at, doctor, status FROM (SELECT patient_id, starts_at, doctor, status, "
    "ROW_NUMBER() OVER (PARTITION BY patient_id ORDER BY starts_at DESC, reception_id DESC) AS place "
    "FROM [dbo].[crmsync_receptions] WHERE {} AND starts_at IS NOT NULL) AS visits "
    "WHERE place <= 15 ORDER BY patient_id, place"
)
MILLISECONDS = (
    "CAST(DATEDIFF(minute, '20000101', changed_at) AS bigint) * 60000 + DATEPART(second, changed_at) * 1000"
    " + DATEPART(millisecond, changed_at)"
)


def statements(**config: Any) -> Statements:
    return Statements(DIALECTS[SQL_SERVER], Source.of(config))


def every(made: Statements) -> Iterator[str]:
    yield from (made.shape(name) for name in made.objects)
    yield from (made.page(PAGE), made.patients(3), made.visits_between(), made.visits_of(3))
    yield from (made.changes(PAGE), made.totals(), made.latest())


def test_a_page_of_patients_goes_by_the_key() -> None:
    assert statements().page(2000) == (
        f"SELECT TOP (2000) {COLUMNS} FROM [dbo].[crmsync_patients] WHERE patient_id > %s ORDER BY patient_id"
    )
    assert " AND is_archived = 0 ORDER BY" in statements(only_active=True).page(2000)


def test_patients_by_id() -> None:
    assert statements(only_active=True).patients(3) == (
        f"SELECT {COLUMNS} FROM [dbo].[crmsync_patients] WHERE patient_id IN (%s, %s, %s) ORDER BY patient_id"
    )


def test_visits_of_a_page_are_one_statement() -> None:
    assert statements().visits_between() == VISITS.format("patient_id > %s AND patient_id <= %s")
    assert statements().visits_of(2) == VISITS.format("patient_id IN (%s, %s)")
    assert "place <= 4 " in statements(visits_limit=60).visits_between()


def test_a_time_is_compared_as_the_column_has_it() -> None:
    assert statements().changes(2000) == (
        "SELECT TOP (2000) found.patient_id, CONVERT(varchar(23), found.changed_at, 126), "
        "CONVERT(varchar(23), GETDATE(), 126) "
        "FROM (SELECT 1 AS always) AS clock LEFT JOIN (SELECT patient_id, changed_at FROM [dbo].[crmsync_changes] "
        "WHERE changed_at >= CAST(%s AS datetime) AND patient_id > %s) AS found ON 1 = 1 "
        "ORDER BY found.patient_id, found.changed_at"
    )


def test_totals_and_the_newest_change() -> None:
    assert statements().totals() == (
        f"SELECT COUNT(*), SUM(CAST(patient_id AS bigint)), SUM({MILLISECONDS}) FROM [dbo].[crmsync_changes] "
        "WHERE changed_at >= CAST(%s AS datetime)"
    )
    assert statements().latest() == (
        "SELECT CONVERT(varchar(23), (SELECT MAX(changed_at) FROM [dbo].[crmsync_changes]), 126), "
        "CONVERT(varchar(23), GETDATE(), 126)"
    )


def test_the_shape_of_a_view_costs_no_row() -> None:
    assert statements().shape("[dbo].[crmsync_patients]") == "SELECT TOP (0) * FROM [dbo].[crmsync_patients]"


def test_names_come_from_the_settings_and_are_quoted() -> None:
    renamed = statements(schema="crm", patients_view="Пациенты 2", receptions_view="visits", changes_view="a$changes")
    assert list(renamed.objects) == ["[crm].[Пациенты 2]", "[crm].[visits]", "[crm].[a$changes]"]
    for sql in every(renamed):
        assert "dbo" not in sql
        assert "crmsync_" not in sql
    assert DIALECTS[SQL_SERVER].quoted("a]; DROP TABLE x") == "[a]]; DROP TABLE x]"


@pytest.mark.parametrize("name", ["", "x" * 129, "a]b", "a;b", "a'b", "1a", "a.b", "-- a"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    if name:
        with pytest.raises(Exception, match="is not a name"):
            Source.of({"patients_view": name})
    else:
        assert Source.of({"patients_view": name}).patients == "crmsync_patients"


def test_every_statement_only_reads_and_is_bounded() -> None:
    for sql in every(statements()):
        require_reading(sql)
        tree = sqlglot.parse_one(sql.replace("%s", "1"), read="tsql")
        assert isinstance(tree, exp.Select)
        written = {type(node) for node in tree.walk()}
        assert written.isdisjoint({exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Into})
        condition = tree.find(exp.Where)
        sums = all(node.find(exp.AggFunc) for node in tree.selects[:1])
        assert tree.args.get("limit") or condition is not None or sums, sql


class Recorded:
    """Stands in for a database that has every patient asked for: keeps the statements and how many values each had."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, list[Any]]] = []

    def rows(self, what: str, sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
        self.sent.append((what, sql, list(params)))
        if what != "patients":
            return []
        return [tuple(i if name == "patient_id" else None for name in PATIENT_COLUMNS) for i in params]

    def pause(self) -> None: ...

    def release(self) -> None: ...


def test_at_most_a_thousand_ids_go_into_a_statement() -> None:
    database = Recorded()
    reader = Reader(database, statements(), Source.of({}), ManualClock())  # type: ignore[arg-type]
    ids = [str(number) for number in range(1, 2502)]
    pages = list(reader.read(ReadQuery(mode=ReadMode.IDS, ids=ids)))
    assert sum(len(page.records) for page in pages) == 2501
    assert [(what, len(params)) for what, _sql, params in database.sent] == [
        (what, size) for size in (IDS_AT_ONCE, IDS_AT_ONCE, 501) for what in ("patients", "receptions")
    ]
    assert IDS_AT_ONCE == 1000
    assert all(sql.count("%s") == len(params) for _what, sql, params in database.sent)


def test_a_moment_travels_naive_and_in_whole_seconds() -> None:
    class Changes(Recorded):
        def rows(self, what: str, sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
            super().rows(what, sql, params)
            return [(None, None, "2026-03-02T12:00:00.003")]

    database = Changes()
    reader = Reader(database, statements(), Source.of({}), ManualClock())  # type: ignore[arg-type]
    cursor = {"watermark": "2026-03-02T11:50:00.007"}
    list(reader.read(ReadQuery(mode=ReadMode.CHANGES, cursor=cursor)))
    ((_what, _sql, params),) = database.sent
    assert params == [datetime.fromisoformat("2026-03-02T11:40:00"), 0]
