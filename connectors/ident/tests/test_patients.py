"""A row of the view → values: dates in every dress, amounts, texts, visits; the same row is the same every time."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.ident import patients, visits
from connectors.ident.configuration import Source
from connectors.ident.patients import FIELDS, amount, birth_date, emails, text
from connectors.ident.statements import PATIENT_COLUMNS

TODAY = date(2026, 3, 2)


def at(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)


def row(**columns: Any) -> tuple[Any, ...]:
    given = {"patient_id": 17, **columns}
    assert given.keys() <= set(PATIENT_COLUMNS)
    return tuple(given.get(name) for name in PATIENT_COLUMNS)


def values(*held: visits.Visit, config: dict[str, Any] | None = None, **columns: Any) -> dict[str, Any]:
    return dict(patients.record(row(**columns), held, Source.of(config or {}), TODAY).values)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (date(2019, 3, 4), date(2019, 3, 4)),
        (at("2019-03-04T00:00:00"), date(2019, 3, 4)),
        ("04.03.2019", date(2019, 3, 4)),
        ("2019-03-04", date(2019, 3, 4)),
        ("2019-03-04 00:00:00.000", date(2019, 3, 4)),
        (" 04.03.2019 ", date(2019, 3, 4)),
        ("2000-02-29", date(2000, 2, 29)),
        (TODAY, TODAY),
        (date(1900, 1, 1), None),
        (at("1900-01-01T00:00:00"), None),
        (date(1753, 1, 1), None),
        (date(2026, 3, 3), None),
        ("30.02.2019", None),
        ("нет", None),
        ("", None),
        (None, None),
    ],
)
def test_birth_dates(held: Any, expected: date | None) -> None:
    assert birth_date(held, TODAY) == expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (Decimal("0E-8"), 0),
        (Decimal("1500.0000000000"), 1500),
        (Decimal("0.1000000000"), 0.1),
        (Decimal("10.005"), 10.01),
        (Decimal("-3.5"), 0),
        (Decimal("0.004"), 0),
        (12.5, 12.5),
        ("7.50", 7.5),
        (None, 0),
        ("", 0),
        ("нет", 0),
        (Decimal("NaN"), 0),
    ],
)
def test_amounts(held: Any, expected: float) -> None:
    assert amount(held) == expected
    assert type(amount(held)) is type(expected)


def test_texts_keep_zeros_and_lose_what_differs_between_machines() -> None:
    found = values(
        card_number="000123 ", patient_number=" 007", snils="001-234-567 89", inn="012345678901",
        comment="Боится уколов 😬\r\nЗвонить\rпосле 18\0", last_name="  Белова", first_name=None,
    )  # fmt: skip
    assert (found["card_number"], found["patient_number"]) == ("000123", "007")
    assert (found["snils"], found["inn"]) == ("001-234-567 89", "012345678901")
    assert found["comment"] == "Боится уколов 😬\nЗвонить\nпосле 18"
    assert (found["last_name"], found["first_name"]) == ("Белова", "")
    assert text(None) == ""


def test_choices_and_switches() -> None:
    for held, word in ((1, "Мужской"), (2, "Женский"), (0, "Не указан"), (None, "Не указан"), (9, "Не указан")):
        assert values(sex=held)["sex"] == word
    for held, word in ((0, "Активный"), (False, "Активный"), (None, "Активный"), (1, "Архивный"), (True, "Архивный")):
        assert values(is_archived=held)["status"] == word
    for held, told in ((True, True), (1, True), (0, False), (None, False)):
        assert values(sms_optout=held)["sms_optout"] is told


def test_a_branch_of_its_own_goes_before_the_settings() -> None:
    assert values(branch="Центр", config={"branch": "Юг"})["branch"] == "Центр"
    assert values(branch=" ", config={"branch": "Юг"})["branch"] == "Юг"


def test_mails_out_of_a_cell() -> None:
    assert [mail.value for mail in emails("Ann@Example.com; ann@example.com, нет, b@example.org.")] == [
        "ann@example.com",
        "b@example.org",
    ]
    assert emails("нет") == []


def test_times_get_the_clinics_zone() -> None:
    found = values(next_visit_at=at("2026-03-05T10:00:00"), config={"time_zone": "Asia/Yekaterinburg"})
    assert found["next_visit"] == datetime(2026, 3, 5, 10, tzinfo=ZoneInfo("Asia/Yekaterinburg"))
    assert found["last_visit"] is None


def test_the_same_row_is_the_same_on_the_same_day() -> None:
    one = values(birth_date="2000-02-29", phone="8 912 345 67 89", debt=Decimal("1.10"))
    again = values(birth_date=date(2000, 2, 29), phone="8 912 345 67 89", debt=Decimal("1.1000000000"))
    assert one == again
    assert one.keys() == {spec.key for spec in FIELDS}
    assert all(spec.read_only for spec in FIELDS)


def test_what_is_kept_of_the_row_as_it_was_is_the_phones_alone() -> None:
    found = patients.record(row(phone="8912", snils="1"), (), Source.of({}), TODAY)
    assert found.raw == {"phone": "8912", "phone2": None}


VISITS = (
    (at("2026-03-05T10:00:00"), "Орлова В. А.", "scheduled"),
    (at("2026-02-01T09:30:00"), " Громов\n К. Н. ", "done"),
    (at("2026-01-01T09:30:00"), "", "CANCELLED "),
    (at("2025-12-01T09:30:00"), "", "перенесён"),
)
LINES = [
    "05.03.2026 10:00, запланирован, Орлова В. А.",
    "01.02.2026 09:30, завершён, Громов К. Н.",
    "01.01.2026 09:30, отменён",
    "01.12.2025 09:30, перенесён",
]


def test_visits_are_whole_lines_newest_first() -> None:
    assert visits.history(VISITS, 250) == "\n".join(LINES)
    assert visits.history((), 250) == ""


@pytest.mark.parametrize("limit", range(20, 160, 7))
def test_visits_are_cut_to_the_limit_between_lines(limit: int) -> None:
    found = visits.history(VISITS, limit)
    assert len(found) <= limit
    lines = found.split("\n")
    assert lines == LINES[: len(lines)] or (len(lines) == 1 and LINES[0].startswith(lines[0]))
    following = LINES[len(lines) : len(lines) + 1]
    assert all(len(found) + 1 + len(line) > limit for line in following)


def test_visits_by_patient_keep_the_order_of_the_rows() -> None:
    rows = [(2, at("2026-02-01T09:30:00"), None, "done"), (1, *VISITS[0]), (2, at("2026-01-01T09:30:00"), "A", None)]
    assert visits.grouped(rows) == {
        1: [VISITS[0]],
        2: [(at("2026-02-01T09:30:00"), "", "done"), (at("2026-01-01T09:30:00"), "A", "")],
    }
