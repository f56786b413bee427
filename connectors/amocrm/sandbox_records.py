"""What the stand-in stores and how it refuses: contacts, field definitions, error bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.core.clock import Clock
from connectors.core.sandbox import Refused

ACCOUNT_ID = 31287990
EMAIL_ID, PHONE_ID, POSITION_ID = 2161203, 2161201, 2161199
_CODES = {"EMAIL": EMAIL_ID, "PHONE": PHONE_ID, "POSITION": POSITION_ID}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
_MEMBERS = {"id", "name", "first_name", "last_name", "responsible_user_id", "request_id", "custom_fields_values"}


def problem(status: int, title: str, detail: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "type": f"https://httpstatus.es/{status}", "status": status, "detail": detail, **more}


def bad_request(detail: str) -> Refused:
    return Refused(400, problem(400, "Bad Request", detail))


def invalid(found: Sequence[tuple[str, str, str]]) -> Refused:
    """(request_id, code, path) of every item that is wrong."""
    listed = [
        {"request_id": trace, "errors": [{"code": code, "path": path, "detail": "This value is not valid."}]}
        for trace, code, path in found
    ]
    body = problem(400, "Bad Request", "Request validation failed")
    return Refused(400, {"validation-errors": listed, **body})


def definition(
    number: int, name: str, kind: str, code: str | None = None, options: Sequence[str] = ()
) -> dict[str, Any]:
    enums = [{"id": number * 10 + i, "value": text, "sort": i} for i, text in enumerate(options, 1)]
    return {
        "id": number, "name": name, "type": kind, "account_id": ACCOUNT_ID, "code": code, "sort": 511,
        "is_api_only": False, "enums": enums or None, "group_id": None, "required_statuses": [],
        "is_deletable": code is None, "is_predefined": code is not None, "entity_type": "contacts",
        "tracking_callback": None, "remind": None, "triggers": [], "currency": None, "hidden_statuses": [],
        "chained_lists": None,
    }  # fmt: skip


def predefined() -> dict[int, dict[str, Any]]:
    """The fields that every account has, and two of this one's own."""
    listed = [
        definition(POSITION_ID, "Должность", "text", "POSITION"),
        definition(PHONE_ID, "Телефон", "multitext", "PHONE", ("WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER")),
        definition(EMAIL_ID, "Email", "multitext", "EMAIL", ("WORK", "PRIV", "OTHER")),
        definition(4457223, "Пол", "select", None, ("Мужской", "Женский", "Не указан")),
        definition(4457225, "Дата рождения", "birthday"),
        definition(4457227, "Возраст", "numeric"),
    ]
    return {d["id"]: d for d in listed}


class Account:
    """Contacts by id and their field definitions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.contacts: dict[int, dict[str, Any]] = {}
        self.fields = predefined()
        self._next = 40401635

    def now(self) -> int:
        return int(self._clock.now().timestamp())

    def examine(self, item: Any, index: int, *, update: bool) -> tuple[str, str, str] | None:
        """What is wrong with an item, None when nothing is."""
        trace = str(item.get("request_id", index)) if isinstance(item, dict) else str(index)
        if not isinstance(item, dict) or item.keys() - _MEMBERS:
            return trace, "InvalidType", ""
        if update and item.get("id") not in self.contacts:
            return trace, "NotSupportedChoice", "id"
        for name in ("name", "first_name", "last_name"):
            if not isinstance(item.get(name, ""), str):
                return trace, "InvalidType", name
            if len(item.get(name, "")) > 255:
                return trace, "TooLong", name
        for i, held in enumerate(item.get("custom_fields_values") or ()):
            wrong = self._wrong_value(held)
            if wrong:
                return trace, wrong, f"custom_fields_values.{i}.values"
        return None

    def _wrong_value(self, held: Mapping[str, Any]) -> str:
        known = self.fields.get(self.field_id(held))
        if known is None:
            return "NotSupportedChoice"
        options = {e["id"] for e in known["enums"] or ()}
        for row in held.get("values") or ():
            if known["type"] == "select":
                if row.get("enum_id") not in options:
                    return "NotSupportedChoice"
                continue
            if known["type"] in ("text", "multitext") and not isinstance(row.get("value"), str):
                return "InvalidType"
            # Which addresses the real system refuses is not documented; this one knows some that it does.
            if known["code"] == "EMAIL" and not _EMAIL.fullmatch(row["value"]):
                return "InvalidValue"
        return ""

    def field_id(self, held: Mapping[str, Any]) -> int:
        return int(held.get("field_id") or _CODES.get(str(held.get("field_code")), 0))

    def create(self, item: Mapping[str, Any]) -> dict[str, Any]:
        now, number = self.now(), self._next
        self._next += 1
        self.contacts[number] = {
            "id": number, "name": "", "first_name": "", "last_name": "", "responsible_user_id": 10072086,
            "group_id": 0, "created_by": 0, "updated_by": 0, "created_at": now, "updated_at": now,
            "closest_task_at": None, "is_deleted": False, "is_unsorted": False, "custom_fields_values": None,
            "account_id": ACCOUNT_ID, "_embedded": {"tags": [], "companies": []},
        }  # fmt: skip
        return self.update({**item, "id": number})

    def update(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Keys and fields that are not sent stay; the values of a field that is sent are replaced."""
        contact = self.contacts[item["id"]]
        members = ("name", "first_name", "last_name", "responsible_user_id")
        contact.update({name: item[name] for name in members if name in item})
        if "first_name" in item or "last_name" in item:
            contact["name"] = f"{contact['first_name']} {contact['last_name']}".strip()
        held = {f["field_id"]: f for f in contact["custom_fields_values"] or ()}
        for sent in item.get("custom_fields_values") or ():
            known = self.fields[self.field_id(sent)]
            held.pop(known["id"], None)
            if sent.get("values"):
                held[known["id"]] = {
                    "field_id": known["id"],
                    "field_name": known["name"],
                    "field_code": known["code"],
                    "field_type": known["type"],
                    "values": [_stored(row, known) for row in sent["values"]],
                }
        contact["custom_fields_values"] = list(held.values()) or None
        contact["updated_at"] = self.now()
        return contact

    def matching(self, ids: Sequence[str], since: str, words: str) -> list[dict[str, Any]]:
        found = list(self.contacts.values())
        if ids:
            wanted = {int(i) for i in ids}
            found = [c for c in found if c["id"] in wanted]
        if since:
            found = [c for c in found if c["updated_at"] >= int(since)]
        if words:
            found = [c for c in found if words.lower() in _text(c)]
        return found


def _stored(row: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    if known["type"] == "multitext":
        code = row.get("enum_code") or "WORK"
        number = next((e["id"] for e in known["enums"] if e["value"] == code), None)
        return {"value": row["value"], "enum_id": number, "enum_code": code}
    if known["type"] == "select":
        text = next(e["value"] for e in known["enums"] if e["id"] == row["enum_id"])
        return {"value": text, "enum_id": row["enum_id"], "enum_code": None}
    return {"value": str(row["value"])}


def _text(contact: Mapping[str, Any]) -> str:
    """What full-text search looks through: names, fields, and numbers by their digits."""
    values = [str(v["value"]) for f in contact["custom_fields_values"] or () for v in f["values"]]
    digits = [re.sub(r"\D", "", value) for value in values]
    return "\n".join([contact["name"], *values, *digits]).lower()
