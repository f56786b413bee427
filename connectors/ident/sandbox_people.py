"""Made-up patients for the stand-in, the same every time: families on one phone, archived ones, cells full of junk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

_MALE = (
    (("Иван", "Петрович"), ("Дмитрий", "Олегович"), ("Пётр", "Ильич"), ("Алексей", "Сергеевич"), ("Юрий", "Львович")),
    ("Соколов", "Щукин", "Ершов", "Кузнецов", "Фёдоров", "Белов", "Чайкин"),
)
_FEMALE = (
    (
        ("Анна", "Сергеевна"),
        ("Мария", "Алексеевна"),
        ("Елена", "Викторовна"),
        ("Ольга", "Ивановна"),
        ("Яна", "Юрьевна"),
    ),
    ("Соколова", "Щукина", "Ершова", "Кузнецова", "Фёдорова", "Белова", "Чайкина"),
)
_SPELLINGS = (
    "+7 (999) {0}-{1}-{2}", "8 999 {0} {1} {2}", "8999{0}{1}{2}", "999{0}{1}{2}", "7999{0}{1}{2}",
    "8(999){0}-{1}-{2}", "8-999-{0}-{1}-{2}", "8\u00a0999\u00a0{0}\u00a0{1}\u00a0{2}", "тел. 8 999 {0} {1} {2} мама",
)  # fmt: skip
_JUNK = (None, "", " ", "нет", "-", "000", "12-34")
_COMMENTS = (
    None, "", "Звонить после 18:00", "Боится уколов 😬\nПросит врача-женщину", "Аллергия на лидокаин",
)  # fmt: skip
DOCTORS = ("Орлова В. А.", "Громов К. Н.", "Зимина Т. П.")
REASONS = ("Переезд", "Отказ от лечения", "Дубль карты")
BRANCHES = ("Центр", "Заречный")

PATIENT_COLUMNS = (
    "id", "last_name", "first_name", "middle_name", "sex", "birth_date", "phone", "phone2", "email", "card_number",
    "patient_number", "comment", "discount_percent", "sms_optout", "archive_reason", "snils", "inn", "branch",
    "changed_at",
)  # fmt: skip
RECEPTION_COLUMNS = ("patient_id", "starts_at", "ends_at", "doctor", "status", "changed_at")
PAYMENT_COLUMNS = ("patient_id", "amount", "debt", "changed_at")


def phone(number: int) -> str:
    """A cell as some clerk would type it; every tenth patient is a child with a parent's number."""
    if number % 15 == 14:
        return _JUNK[number // 15 % len(_JUNK)] or ""
    owner = number - 1 if number % 10 == 9 else number
    digits = f"{owner:07d}"
    return _SPELLINGS[number % len(_SPELLINGS)].format(digits[:3], digits[3:5], digits[5:7])


def landline(number: int) -> str:
    """An office with an extension; one patient in a thousand shares the clinic's own."""
    digits = f"{number // 13 % 1_000_000:06d}" if number % 1001 else "123456"
    return f"8 (343) 2{digits[:2]}-{digits[2:4]}-{digits[4:]} доб. 12"


def patient(number: int, changed_at: datetime) -> tuple[Any, ...]:
    """The row of one patient, by PATIENT_COLUMNS. `number` counts from 1."""
    names, families = _FEMALE if number % 2 else _MALE
    first, middle = names[number % len(names)]
    is_child = number % 10 == 9
    born = date(2015 if is_child else 1950 + number % 55, number % 12 + 1, number % 28 + 1)
    return (
        number,
        families[number // 10 % len(families)],
        first,
        middle if number % 7 else None,
        0 if number % 23 == 0 else 2 if number % 2 else 1,
        born if number % 19 else None,
        phone(number),
        landline(number) if number % 13 == 0 else None,
        f"patient{number}@example.com" if number % 3 == 0 and not is_child else "",
        f"{number:06d}",
        f"{number:06d}",
        _COMMENTS[number % len(_COMMENTS)],
        Decimal(number % 4 * 5),
        int(number % 11 == 0),
        REASONS[number % len(REASONS)] if number % 12 == 0 else None,
        f"{number % 1000:03d}-000-{number // 1000 % 1000:03d} 00" if number % 4 == 0 else None,
        f"{number:012d}" if number % 6 == 0 else None,
        BRANCHES[number % len(BRANCHES)],
        changed_at,
    )


def receptions(number: int, today: date) -> Iterator[tuple[Any, ...]]:
    """The visits of one patient, by RECEPTION_COLUMNS: up to five in the past, one to come for some."""
    for visit in range(number % 6):
        day = today - timedelta(days=30 * (visit + 1) + number % 30)
        starts_at = datetime.combine(day, time(9 + (number + visit) % 9))
        status = "cancelled" if (number + visit) % 9 == 0 else "done"
        ends_at = starts_at + timedelta(minutes=40)
        yield number, starts_at, ends_at, DOCTORS[(number + visit) % len(DOCTORS)], status, ends_at
    if number % 5 == 0:
        starts_at = datetime.combine(today + timedelta(days=number % 20 + 1), time(10))
        made_at = datetime.combine(today - timedelta(days=3), time(12))
        yield number, starts_at, starts_at + timedelta(minutes=40), DOCTORS[number % len(DOCTORS)], "scheduled", made_at


def payments(number: int, today: date) -> Sequence[tuple[Any, ...]]:
    """The payments of one patient, by PAYMENT_COLUMNS."""
    if number % 8:
        return ()
    paid_at = datetime.combine(today - timedelta(days=number % 60 + 2), time(15))
    return ((number, Decimal(1500), Decimal(250) if number % 16 == 0 else Decimal(0), paid_at),)
