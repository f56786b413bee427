"""A row of the view of patients → the patient's values. Pure; the same row on the same day gives the same values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from connectors.core.types import FieldSpec, FieldType, MultiValue, RemoteRecord
from connectors.ident import phones
from connectors.ident.configuration import Source
from connectors.ident.statements import PATIENT_COLUMNS
from connectors.ident.visits import Visit, history

SEXES = {1: "Мужской", 2: "Женский"}
UNKNOWN_SEX = "Не указан"
# The longest of a view's columns that are no comments.
SHORT = 200
ACTIVE, ARCHIVED = "Активный", "Архивный"
# What SQL Server makes of an empty text is no birth date.
_EARLIEST_BIRTH = date(1900, 1, 2)
_CENT = Decimal("0.01")
_MAILS = re.compile(r"[^\s,;<>]+@[^\s,;<>]+")


def _field(
    key: str, label: str, kind: FieldType = FieldType.TEXT, options: Sequence[str] = (), *, long: bool = False
) -> FieldSpec:
    choices = tuple((text, text) for text in options)
    several = kind in (FieldType.PHONES, FieldType.EMAILS)
    most = SHORT if kind is FieldType.TEXT and not long else None
    return FieldSpec(key, label, kind, read_only=True, multiple=several, options=choices, max_length=most)


# Labelled as the clinic's staff know them.
FIELDS = (
    _field("patient_id", "ID пациента IDENT"),
    _field("last_name", "Фамилия"),
    _field("first_name", "Имя"),
    _field("middle_name", "Отчество"),
    _field("phones", "Телефон", FieldType.PHONES),
    _field("emails", "E-mail", FieldType.EMAILS),
    _field("age", "Возраст", FieldType.INTEGER),
    _field("sex", "Пол", FieldType.CHOICE, (*SEXES.values(), UNKNOWN_SEX)),
    _field("visits", "Приемы", long=True),
    _field("visits_count", "Всего визитов", FieldType.INTEGER),
    _field("card_number", "Номер карты"),
    _field("birth_date", "Дата рождения", FieldType.DATE),
    _field("comment", "Комментарий", long=True),
    _field("discount", "Скидка", FieldType.NUMBER),
    _field("sms_optout", "Отказ от SMS", FieldType.BOOLEAN),
    _field("archive_reason", "Причина архивации"),
    _field("status", "Статус", FieldType.CHOICE, (ACTIVE, ARCHIVED)),
    _field("snils", "СНИЛС"),
    _field("inn", "ИНН"),
    _field("branch", "Филиал"),
    _field("patient_number", "Номер пациента"),
    _field("advance", "Аванс", FieldType.NUMBER),
    _field("debt", "Долг", FieldType.NUMBER),
    _field("last_visit", "Последний визит", FieldType.DATETIME),
    _field("next_visit", "Следующий визит", FieldType.DATETIME),
)


def record(row: Sequence[Any], visits: Iterable[Visit], source: Source, today: date) -> RemoteRecord:
    """`row` has the columns of PATIENT_COLUMNS; `today` is the clinic's."""
    raw = dict(zip(PATIENT_COLUMNS, row, strict=True))
    number = str(int(raw["patient_id"]))
    return RemoteRecord(
        number, values(raw, visits, source, today), raw={"phone": raw["phone"], "phone2": raw["phone2"]}
    )


def values(raw: Mapping[str, Any], visits: Iterable[Visit], source: Source, today: date) -> dict[str, Any]:
    born = birth_date(raw["birth_date"], today)
    cell, landline = text(raw["phone"]), text(raw["phone2"])
    return {
        "patient_id": str(int(raw["patient_id"])),
        "last_name": text(raw["last_name"]),
        "first_name": text(raw["first_name"]),
        "middle_name": text(raw["middle_name"]),
        "phones": phones.points(cell, landline, source.region, source.area_code),
        "emails": emails(text(raw["email"])),
        "age": age(born, today) if born else None,
        "sex": SEXES.get(whole(raw["sex"]), UNKNOWN_SEX),
        "visits": history(visits, source.visits_limit),
        "visits_count": whole(raw["visits_count"]),
        "card_number": text(raw["card_number"]),
        "birth_date": born,
        "comment": text(raw["comment"]),
        "discount": amount(raw["discount_percent"]),
        "sms_optout": bool(whole(raw["sms_optout"])),
        "archive_reason": text(raw["archive_reason"]),
        "status": ARCHIVED if whole(raw["is_archived"]) else ACTIVE,
        "snils": text(raw["snils"]),
        "inn": text(raw["inn"]),
        "branch": text(raw["branch"]) or source.branch,
        "patient_number": text(raw["patient_number"]),
        "advance": amount(raw["advance"]),
        "debt": amount(raw["debt"]),
        "last_visit": local_time(raw["last_visit_at"], source),
        "next_visit": local_time(raw["next_visit_at"], source),
    }


def text(value: Any) -> str:
    """Never a number: card numbers, SNILS and INN begin with zeros. Lines end the same way everywhere."""
    if value is None:
        return ""
    return str(value).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip()


def emails(cell: str) -> list[MultiValue]:
    found = list(dict.fromkeys(mail.strip(".").lower() for mail in _MAILS.findall(cell)))
    return [MultiValue(mail, primary=place == 0) for place, mail in enumerate(found)]


def whole(value: Any) -> int:
    """0 where there is no number."""
    try:
        return int(value) if value is not None else 0
    except (TypeError, ValueError):
        return 0


def amount(value: Any) -> int | float:
    """An amount of two decimals that is never negative: 0 is 0, however many zeros the server sends."""
    try:
        number = Decimal(str(value if value is not None else 0)).quantize(_CENT, ROUND_HALF_UP)
    except InvalidOperation:
        return 0
    if number.is_nan() or number <= 0:
        return 0
    return int(number) if number == number.to_integral_value() else float(number)


def birth_date(value: Any, today: date) -> date | None:
    """From a date, a time or a text (04.03.2019, 2019-03-04); None where nobody can have been born then."""
    found = value.date() if isinstance(value, datetime) else value if isinstance(value, date) else _date(text(value))
    return found if found is not None and _EARLIEST_BIRTH <= found <= today else None


def _date(written: str) -> date | None:
    for form in ("%d.%m.%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(written[:10], form).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
    return None


def age(born: date, today: date) -> int:
    """Whole years; who was born on 29 February is a year older on 1 March."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def local_time(value: Any, source: Source) -> datetime | None:
    """The clinic's naive time with its zone."""
    return value.replace(tzinfo=source.zone) if isinstance(value, datetime) else None
