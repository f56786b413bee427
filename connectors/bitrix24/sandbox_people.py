"""Made-up contacts of a large portal, each made anew from its number whenever it is read."""

from __future__ import annotations

from typing import Any

_FIRST = ("Анна", "Иван", "Мария", "Дмитрий", "Grace", "Henry", "Zoë", "Пётр")
_LAST = ("Белова", "Соколов", "Фёдорова", "Щукин", "Okafor", "Ashdown", "Marlowe", "Ершов")
_NOTE = "Made up for a portal of many contacts: [b]calls[/b] in the morning, &laquo;writes&raquo; in the evening. "


def contact(number: int, row: dict[str, Any]) -> dict[str, Any]:
    """A contact with most of its fields filled, about as large as real ones are."""
    row.update(
        NAME=_FIRST[number % 8],
        LAST_NAME=f"{_LAST[number // 8 % 8]} {number}",
        POST="Director",
        BIRTHDATE=f"19{50 + number % 50}-0{1 + number % 9}-1{number % 10}T00:00:00+03:00",
        COMMENTS=_NOTE,
        COMPANY_ID=str(number % 1000),
        SOURCE_ID="WEB",
        TYPE_ID="CLIENT",
        ASSIGNED_BY_ID=str(1 + number % 20),
        HAS_PHONE="Y",
        HAS_EMAIL="Y",
        PHONE=[_point(2 * number, "PHONE", f"+7926{number:07d}")],
        EMAIL=[_point(2 * number + 1, "EMAIL", f"filled{number}@example.com")],
        UF_CRM_STRING=f"Договор {number}",
        UF_CRM_INTEGER=str(number),
        UF_CRM_DOUBLE=f"{number}.5",
        UF_CRM_BOOLEAN=str(number % 2),
        UF_CRM_DATE="2024-08-15T00:00:00+03:00",
        UF_CRM_DATETIME="2024-08-15T10:38:21+03:00",
        UF_CRM_MONEY=f"{number}|RUB",
        UF_CRM_INTEGER_LIST=[number, number + 1],
        UF_CRM_STRING_LIST=["one", "two"],
    )
    return row


def _point(number: int, kind: str, value: str) -> dict[str, str]:
    return {"ID": str(number), "VALUE_TYPE": "WORK", "VALUE": value, "TYPE_ID": kind}
