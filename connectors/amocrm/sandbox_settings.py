"""What the stand-in's account consists of besides records: its fields, people and pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ACCOUNT_ID = 31287990
EMAIL_ID, PHONE_ID, POSITION_ID = 2161203, 2161201, 2161199
USER_ID, COLLEAGUE_ID = 10072086, 10072087
SALES, REPEAT = 7001, 7002
WON, LOST = 142, 143
_PHONES, _EMAILS = ("WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER"), ("WORK", "PRIV", "OTHER")


def definition(
    number: int,
    name: str,
    kind: str,
    code: str | None = None,
    options: Sequence[str] = (),
    entity: str = "contacts",
    *,
    predefined: bool | None = None,
) -> dict[str, Any]:
    enums = [{"id": number * 10 + i, "value": text, "sort": i} for i, text in enumerate(options, 1)]
    ready_made = code is not None if predefined is None else predefined
    return {
        "id": number, "name": name, "type": kind, "account_id": ACCOUNT_ID, "code": code, "sort": 511,
        "is_api_only": False, "enums": enums or None, "group_id": None, "required_statuses": [],
        "is_deletable": not ready_made, "is_predefined": ready_made, "entity_type": entity,
        "tracking_callback": None, "remind": None, "triggers": [], "currency": None, "hidden_statuses": [],
        "chained_lists": None,
    }  # fmt: skip


def fields() -> dict[str, dict[int, dict[str, Any]]]:
    """By entity and id: the fields that every account has, and some of this one's own."""
    listed = [
        definition(POSITION_ID, "Должность", "text", "POSITION"),
        definition(PHONE_ID, "Телефон", "multitext", "PHONE", _PHONES),
        definition(EMAIL_ID, "Email", "multitext", "EMAIL", _EMAILS),
        definition(4457223, "Пол", "select", None, ("Мужской", "Женский", "Не указан")),
        definition(4457225, "Дата рождения", "birthday"),
        definition(4457227, "Возраст", "numeric"),
        definition(2161301, "Телефон", "multitext", "PHONE", _PHONES, "companies"),
        definition(2161303, "Email", "multitext", "EMAIL", _EMAILS, "companies"),
        definition(2161305, "Web", "url", "WEB", (), "companies"),
        definition(4458001, "Источник", "select", None, ("Сайт", "Звонок"), "leads"),
        definition(4458003, "Номер договора", "text", "CONTRACT", (), "leads", predefined=False),
        definition(4458005, "Дата визита", "date", None, (), "leads"),
        definition(4458007, "Срочно", "checkbox", None, (), "leads"),
    ]
    found: dict[str, dict[int, dict[str, Any]]] = {"contacts": {}, "companies": {}, "leads": {}}
    for known in listed:
        found[known["entity_type"]][known["id"]] = known
    return found


def users() -> list[dict[str, Any]]:
    rights = {"is_admin": True, "is_active": True}
    named = ((USER_ID, "Анна", "anna"), (COLLEAGUE_ID, "Борис", "boris"))
    return [
        {"id": number, "name": name, "email": f"{short}@example.com", "lang": "ru", "rights": rights}
        for number, name, short in named
    ]


def pipelines() -> list[dict[str, Any]]:
    return [
        _pipeline(SALES, "Продажи", ("Первичный контакт", "Переговоры", "Договор"), is_main=True),
        _pipeline(REPEAT, "Повторные", ("Напоминание", "Запись"), is_main=False),
    ]


def statuses(pipeline: dict[str, Any]) -> list[int]:
    """The ids of a pipeline's statuses, in order."""
    return [status["id"] for status in pipeline["_embedded"]["statuses"]]


def _pipeline(number: int, name: str, stages: Sequence[str], *, is_main: bool) -> dict[str, Any]:
    own = [(number * 100 + i, stage) for i, stage in enumerate(stages)]
    listed = [_status(i, stage, number) for i, stage in (*own, (WON, "Успешно"), (LOST, "Закрыто"))]
    return {
        "id": number, "name": name, "sort": 1, "is_main": is_main, "is_unsorted_on": False, "is_archive": False,
        "account_id": ACCOUNT_ID, "_embedded": {"statuses": listed},
    }  # fmt: skip


def _status(number: int, name: str, pipeline: int) -> dict[str, Any]:
    return {
        "id": number, "name": name, "sort": 10, "is_editable": number not in (WON, LOST), "pipeline_id": pipeline,
        "color": "#99ccff", "type": 0, "account_id": ACCOUNT_ID,
    }  # fmt: skip
