"""What a look at the changes finds: ties, late commits, wrong clocks, clock changes, merged cards, bulk edits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.core.types import ReadMode, ReadQuery
from connectors.ident.changes import BEGINNING, Found, Position, window_start
from connectors.ident.database import Database
from connectors.ident.tests.conftest import Clinic

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")
TEN = timedelta(minutes=10)


@pytest.fixture
def few_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small edit is a bulk edit."""
    for module in ("changes", "reading"):
        monkeypatch.setattr(f"connectors.ident.{module}.REMEMBERED", 5)


def test_with_nothing_new_a_look_is_one_statement(clinic: Clinic) -> None:
    clinic.ident.fill(10)
    assert len(clinic.full()) == 10
    assert clinic.changes() == []
    clinic.asked.clear()
    assert clinic.changes() == []
    assert clinic.asked == ["changes"]


def test_what_was_met_is_not_read_again_and_an_edit_is(clinic: Clinic) -> None:
    one, other = clinic.patient(), clinic.patient()
    clinic.full()
    clinic.ident.edit_patient(int(other), phone="8 912 345 67 89", changed_at=clinic.at(minutes=-0.01))
    assert clinic.changes() == [other]
    assert clinic.changes() == []
    assert one not in clinic.changes()


def test_a_late_commit_within_the_overlap_is_found(clinic: Clinic) -> None:
    clinic.patient(changed_at=clinic.at(minutes=1))
    clinic.full()
    late = clinic.patient(changed_at=clinic.at(minutes=9))
    assert clinic.changes() == [late]
    assert clinic.changes() == []


def test_a_commit_later_than_the_overlap_is_left_to_the_deep_run(clinic: Clinic) -> None:
    clinic.patient(changed_at=clinic.at(minutes=1))
    clinic.full()
    late = clinic.patient(changed_at=clinic.at(minutes=30))
    assert clinic.changes() == []
    assert late in clinic.full()


def test_one_moment_over_the_edge_of_a_page(clinic: Clinic) -> None:
    clinic.patient(changed_at=clinic.at(minutes=1))
    clinic.full()
    moment = clinic.at(seconds=5)
    many = [clinic.patient(changed_at=moment) for _ in range(23)]
    assert clinic.changes(limit=5) == many
    assert clinic.changes(limit=5) == []


def test_a_patient_whose_lines_fill_more_than_a_page_is_met_whole(clinic: Clinic) -> None:
    busy, other = clinic.patient(changed_at=clinic.at(minutes=1)), clinic.patient(changed_at=clinic.at(minutes=1))
    clinic.full()
    for hour in range(7):
        clinic.ident.add_visit(int(busy), clinic.at(days=hour), changed_at=clinic.at(seconds=hour))
    clinic.ident.edit_patient(int(other), changed_at=clinic.at(seconds=3))
    found = clinic.changes(limit=3)
    assert set(found) == {busy, other}
    assert found.count(other) == 1
    seen = set()
    for _ in range(3):
        seen |= set(clinic.changes(limit=3))
    assert seen <= {busy}
    clinic.ident.add_visit(int(busy), clinic.at(days=9), changed_at=clinic.at())
    assert busy in clinic.changes(limit=3)


def test_a_workstation_in_the_future_hides_nothing(clinic: Clinic) -> None:
    clinic.patient(changed_at=clinic.at(minutes=1))
    clinic.full()
    ahead = clinic.patient(changed_at=clinic.at(days=-365))
    assert clinic.changes() == [ahead]
    usual = clinic.patient(changed_at=clinic.at(seconds=1))
    assert clinic.changes() == [usual]
    assert clinic.changes() == []


def test_a_full_read_begins_at_the_servers_time_even_with_a_card_from_the_future(clinic: Clinic) -> None:
    clinic.patient(changed_at=clinic.at(days=-365))
    clinic.full()
    usual = clinic.patient(changed_at=clinic.at(minutes=2))
    assert clinic.changes() == [usual]


def test_a_workstation_in_the_past_is_found_within_the_overlap(clinic: Clinic) -> None:
    clinic.patient(changed_at=clinic.at(minutes=0))
    clinic.full()
    behind = clinic.patient(changed_at=clinic.at(minutes=8))
    assert clinic.changes() == [behind]


def test_the_overlap_is_a_setting(clinic: Clinic) -> None:
    clinic.config = {"overlap_minutes": 60}
    clinic.patient(changed_at=clinic.at(minutes=1))
    clinic.full()
    behind = clinic.patient(changed_at=clinic.at(minutes=50))
    assert clinic.changes() == [behind]


@pytest.mark.parametrize(
    ("watermark", "zone", "expected"),
    [
        ("2026-10-25T01:30:00.003", MOSCOW, "2026-10-25T01:20:00"),
        # At 3:00 Berlin's clocks go back to 2:00: what is saved at 2:05 afterwards lies before a mark of 2:58.
        ("2026-10-25T02:58:00", BERLIN, "2026-10-25T01:48:00"),
        ("2026-10-25T01:55:00", BERLIN, "2026-10-25T00:45:00"),
        ("2026-10-25T12:00:00", BERLIN, "2026-10-25T11:50:00"),
        ("2026-03-29T03:05:00", BERLIN, "2026-03-29T02:55:00"),
        ("1753-01-01T00:05:00", MOSCOW, "1753-01-01T00:00:00"),
    ],
)
def test_where_a_look_begins(watermark: str, zone: ZoneInfo, expected: str) -> None:
    assert window_start(watermark, TEN, zone) == datetime.fromisoformat(expected)


def test_the_first_look_begins_at_the_beginning() -> None:
    assert window_start(None, TEN, MOSCOW) == BEGINNING


def test_a_watermark_stays_as_the_server_gave_it_and_never_goes_back() -> None:
    position = Position(watermark="2026-03-02T12:00:00.007")
    position.take(Found({"1": ["2026-03-02T11:55:00.003"]}, "2026-03-02T12:30:00.120", None))
    cursor = position.finished("2026-03-02T12:30:00.120", TEN, MOSCOW)
    assert cursor["watermark"] == "2026-03-02T12:00:00.007"
    assert cursor["recent"] == {"1": ["2026-03-02T11:55:00.003"]}


def test_a_watermark_is_the_newest_time_met() -> None:
    position = Position(watermark="2026-03-02T12:00:00.007")
    stamps = ["2026-03-02T12:11:00.003", "2026-03-02T12:29:00.003"]
    position.take(Found({"1": stamps, "2": stamps[:1]}, "2026-03-02T12:30:00.120", None))
    cursor = position.finished("2026-03-02T12:30:00.120", TEN, MOSCOW)
    assert cursor == {"watermark": stamps[1], "recent": {"1": stamps[1:]}}


def test_when_the_servers_clock_is_set_back_the_mark_follows() -> None:
    position = Position(watermark="2026-10-25T02:58:00")
    cursor = position.finished("2026-10-25T02:03:00", TEN, BERLIN)
    assert cursor["watermark"] == "2026-10-25T02:03:00"


@pytest.mark.parametrize("limit", range(1, 9))
def test_pages_of_any_size_tell_the_same(limit: int) -> None:
    rows = [(p, f"2026-03-02T12:00:0{n}.000", "2026-03-02T13:00:00.000") for p in (1, 2, 3) for n in range(3)]
    told: dict[str, set[str]] = {}
    after: int | None = 0
    pages = 0
    while after is not None:
        page = [row for row in rows if row[0] > after][:limit] or [(None, None, rows[0][2])]
        found = Found.of(page, limit, after=after)
        for patient, stamps in found.stamps.items():
            told.setdefault(patient, set()).update(stamps)
        assert found.after is None or found.after > after, "it would not end"
        after, pages = found.after, pages + 1
    assert set(told) == {"1", "2", "3"}
    assert pages <= 10
    assert limit <= 3 or {len(stamps) for stamps in told.values()} == {3}


def test_a_visit_or_a_payment_is_a_change_of_the_patient(clinic: Clinic) -> None:
    one, other, third = (clinic.patient(changed_at=clinic.at(minutes=1)) for _ in range(3))
    clinic.full()
    clinic.ident.add_visit(int(one), clinic.at(days=1))
    clinic.ident.add_payment(int(other))
    assert clinic.changes() == [one, other]
    assert third not in clinic.changes()


def test_a_merged_card_is_told_as_deleted_when_the_list_names_it_and_by_a_full_read_ever(clinic: Clinic) -> None:
    kept, gone = (clinic.patient(changed_at=clinic.at(minutes=1)) for _ in range(2))
    clinic.ident.add_payment(int(gone))
    clinic.full()
    clinic.ident.merge_patients(int(kept), int(gone))
    assert clinic.full() == [kept]
    position = {"watermark": clinic.at(minutes=1).isoformat(timespec="milliseconds"), "recent": {}}
    clinic.cursor = position
    clinic.ident._run("INSERT INTO ident_sandbox.payment (patient_id, changed_at) VALUES (%s, %s)", [gone, clinic.at()])
    assert f"-{gone}" in clinic.changes()


def test_every_cursor_goes_on_where_it_was(clinic: Clinic) -> None:
    clinic.patient(changed_at=clinic.at(minutes=1))
    clinic.full()
    start = clinic.cursor
    many = [clinic.patient(changed_at=clinic.at(seconds=n % 3)) for n in range(17)]
    pages = clinic.pages(ReadMode.CHANGES, cursor=start, limit=4)
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    seen: list[str] = []
    for page in pages[:-1]:
        seen += [record.id for record in page.records]
        clinic.cursor = dict(page.cursor or {})
        assert [*seen, *clinic.changes(limit=4)] == many
        assert clinic.changes(limit=4) == []


def test_statements_of_a_page_are_three_however_full(clinic: Clinic) -> None:
    for count in (1, 50):
        clinic.patient(changed_at=clinic.at(minutes=1))
        clinic.full()
        clinic.ident.fill(count)
        clinic.ident._run("UPDATE ident_sandbox.patient SET changed_at = %s", [clinic.at()])
        clinic.asked.clear()
        clinic.changes()
        assert clinic.asked == ["changes", "patients", "receptions"]


# --- Bulk edits: more changes than are remembered one by one


def edited(clinic: Clinic, **ago: float) -> None:
    clinic.ident._run("UPDATE ident_sandbox.patient SET changed_at = %s", [clinic.at(**ago)])


def test_a_bulk_edit_is_met_once_and_then_costs_one_statement(clinic: Clinic, few_remembered: None) -> None:
    clinic.ident.fill(20)
    clinic.full()
    edited(clinic)
    assert len(clinic.changes(limit=7)) == 20
    while clinic.changes(limit=7):  # until its totals are certain
        assert len(clinic.asked) < 60
    clinic.asked.clear()
    assert clinic.changes(limit=7) == []
    assert clinic.asked == ["changes"]


def test_after_a_bulk_edit_every_further_change_is_found(clinic: Clinic, few_remembered: None) -> None:
    clinic.ident.fill(20)
    clinic.full()
    edited(clinic, minutes=3)
    for _ in range(3):
        clinic.changes(limit=7)
    new = clinic.patient(changed_at=clinic.at(minutes=5))
    assert new in clinic.changes(limit=7)
    clinic.changes(limit=7)
    clinic.ident.add_visit(3, clinic.at(days=1), changed_at=clinic.at(minutes=4))
    assert "3" in clinic.changes(limit=7)
    clinic.changes(limit=7)
    clinic.ident.edit_patient(4, changed_at=clinic.at(minutes=2))
    assert "4" in clinic.changes(limit=7)


@pytest.mark.parametrize("between", range(1, 14))
def test_what_is_committed_between_two_statements_is_not_lost(
    clinic: Clinic, few_remembered: None, monkeypatch: pytest.MonkeyPatch, between: int
) -> None:
    """At any place of a look a transaction may end: its patient is found by this look or by the next."""
    clinic.ident.fill(20)
    clinic.full()
    edited(clinic, minutes=2)
    rows, sent, made = Database.rows, [0], []

    def interrupted(self: Database, what: str, *rest: Any) -> Any:
        found = rows(self, what, *rest)
        sent[0] += 1
        if sent[0] == between:
            made.append(clinic.patient(changed_at=clinic.at(minutes=4)))
        return found

    monkeypatch.setattr(Database, "rows", interrupted)
    seen = [i for _ in range(4) for i in clinic.changes(limit=7)]
    assert len(made) == 1
    assert made[0] in seen
    assert {str(number) for number in range(1, 21)} <= set(seen)


@pytest.mark.parametrize("between", range(1, 7))
def test_what_is_committed_during_a_full_read_is_not_lost(
    clinic: Clinic, few_remembered: None, monkeypatch: pytest.MonkeyPatch, between: int
) -> None:
    clinic.ident.fill(20)
    edited(clinic, minutes=2)
    rows, sent, made = Database.rows, [0], []

    def interrupted(self: Database, what: str, *rest: Any) -> Any:
        found = rows(self, what, *rest)
        sent[0] += 1
        if sent[0] == between:
            made.append(clinic.ident.edit_patient(2, last_name="Новая", changed_at=clinic.at(minutes=1)))
        return found

    pages = []
    monkeypatch.setattr(Database, "rows", interrupted)
    pages += clinic.pages(ReadMode.FULL, limit=7)
    clinic.cursor = dict(pages[-1].cursor or {})
    for _ in range(3):
        pages += clinic.pages(ReadMode.CHANGES, cursor=clinic.cursor, limit=7)
        clinic.cursor = dict(pages[-1].cursor or {})
    assert len(made) == 1
    assert [r.values["last_name"] for page in pages for r in page.records if r.id == "2"][-1] == "Новая"


def test_a_read_since_a_time_uses_the_clinics_clock(clinic: Clinic) -> None:
    clinic.patient(changed_at=clinic.at(hours=2))
    new = clinic.patient(changed_at=clinic.at(minutes=1))
    since = clinic.ident.clock.now() - timedelta(minutes=5)
    connector = clinic.connector()
    found = [r.id for page in connector.read(ReadQuery(mode=ReadMode.CHANGES, since=since)) for r in page.records]
    assert found == [new]
