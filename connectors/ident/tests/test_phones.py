"""Phones as clerks type them (sheet 6)."""

from __future__ import annotations

import pytest

from connectors.ident.phones import numbers, points

CELL = "+79123456789"


@pytest.mark.parametrize(
    "typed",
    [
        "+7 (912) 345-67-89",
        "8 912 345 67 89",
        "89123456789",
        "9123456789",
        "79123456789",
        "8(912)3456789",
        "8-912-345-67-89",
        "8\u00a0912\u00a0345\u00a067\u00a089",
        "8\u202f912\u202f345\u202f67\u202f89",
        "тел. 89123456789",
        "8 912 345 67 89 мама",
        "мама: 8-912-345-67-89 (звонить вечером)",
        "  +7 912 345 67 89  ",
        "8 912 345 67 89 доб. 12",
        "8 912 345 67 89 доб.12",
        "8 912 345 67 89 #12",
        "+7 912 345-67-89\n",
        "8.912.345.67.89",
    ],
)
def test_one_number_however_it_is_typed(typed: str) -> None:
    assert numbers(typed, "RU") == (CELL,)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("8 912 345 67 89, 8-343-222-11-00", (CELL, "+73432221100")),
        ("8 912 345 67 89; 89123456780", (CELL, "+79123456780")),
        ("89123456789/89123456780", (CELL, "+79123456780")),
        ("89123456789 89123456780", (CELL, "+79123456780")),
        ("89123456789 мама 89123456780 папа", (CELL, "+79123456780")),
        ("+79123456789+79123456780", (CELL, "+79123456780")),
        ("89123456789, 8-343-22", (CELL,)),
        ("89123456789, +7 912 345 67 89", (CELL,)),
        ("8 (343) 212-34-56", ("+73432123456",)),
        ("8 (343) 212-34-56 доб. 12", ("+73432123456",)),
        ("8 800 555 35 35", ("+78005553535",)),
        ("+375 29 123-45-67", ("+375291234567",)),
        ("+998 90 123 45 67", ("+998901234567",)),
        ("+49 30 901820", ("+4930901820",)),
        ("+8 912 345 67 89", ()),
    ],
)
def test_several_foreign_and_landlines(typed: str, expected: tuple[str, ...]) -> None:
    assert numbers(typed, "RU") == expected


@pytest.mark.parametrize(
    "typed",
    ["", " ", "нет", "-", "000", "0", "12-34", "212-34-56", "0000000000", "99999999999", "8", "+7", "доб. 12", "???",
     "8912345678", "1234567890123456789", "нет телефона", "8 000 000 00 00", "2000-01-01"],
)  # fmt: skip
def test_junk_is_no_phone(typed: str) -> None:
    assert numbers(typed, "RU") == ()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("212-34-56", "+73432123456"),
        ("12-34-56", ""),
        ("2123456 доб 3", "+73432123456"),
        ("8-12-34-56", ""),
        ("+2123456", ""),
    ],
)
def test_local_numbers_need_an_area_code(typed: str, expected: str) -> None:
    assert numbers(typed, "RU", "343") == ((expected,) if expected else ())


def test_other_regions() -> None:
    assert numbers("0171 1234567", "DE") == ("+491711234567",)
    assert numbers("8 701 234 56 78", "KZ") in ((), ("+77012345678",))


def test_the_first_valid_one_is_the_primary() -> None:
    found = points("нет, 8 912 345 67 89", "8 (343) 212-34-56, 89123456789", "RU")
    assert [(point.value, point.label, point.primary) for point in found] == [
        (CELL, "mobile", True),
        ("+73432123456", "home", False),
    ]
    assert [(p.value, p.primary) for p in points("-", "8 (343) 212-34-56", "RU")] == [("+73432123456", True)]
    assert points("нет", "000", "RU") == []
