"""What the stand-in stores: contacts, companies and leads of one account."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.amocrm import sandbox_examination as examination
from connectors.amocrm import sandbox_settings as settings
from connectors.core.clock import Clock
from connectors.core.types import CONTACTS

_A_YEAR = 365 * 86_400
_NOT_KEPT = {"id", "request_id", "custom_fields_values"}


class Account:
    """Records by entity and id, and what they may hold."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.records: dict[str, dict[int, dict[str, Any]]] = {entity: {} for entity in examination.MEMBERS}
        self.fields = settings.fields()
        self.users, self.pipelines = settings.users(), settings.pipelines()
        self._next = 40401635

    @property
    def contacts(self) -> dict[int, dict[str, Any]]:
        return self.records[CONTACTS]

    def now(self) -> int:
        return int(self._clock.now().timestamp())

    def examine(self, item: Any, index: int, entity: str, *, update: bool) -> tuple[str, str, str] | None:
        """What is wrong with an item, None when nothing is."""
        trace = str(item.get("request_id", index)) if isinstance(item, dict) else str(index)
        if not isinstance(item, dict) or item.keys() - examination.MEMBERS[entity]:
            return trace, "InvalidType", ""
        if update and item.get("id") not in self.records[entity]:
            return trace, "NotSupportedChoice", "id"
        known = self.records[entity].get(item.get("id", 0), {})
        found = (
            examination.wrong_member(item)
            or examination.wrong_choice(item, known, self.pipelines, self.users)
            or examination.wrong_field(item, self.fields[entity])
        )
        return (trace, *found) if found else None

    def create(self, item: Mapping[str, Any], entity: str = CONTACTS) -> dict[str, Any]:
        now, number = self.now(), self._next
        self._next += 1
        self.records[entity][number] = {
            "id": number, "name": "", **_OWN[entity], "responsible_user_id": settings.USER_ID, "group_id": 0,
            "created_by": 0, "updated_by": 0, "created_at": now, "updated_at": now, "closest_task_at": None,
            "is_deleted": False, "custom_fields_values": None, "account_id": settings.ACCOUNT_ID,
            "_embedded": {"tags": [], "companies": []},
        }  # fmt: skip
        pipeline = item.get("pipeline_id", settings.SALES)
        first = {"status_id": _first_status(self.pipelines, pipeline)} if entity == "leads" else {}
        return self.update({**first, **item, "id": number}, entity)

    def fill(self, people: int) -> None:
        """That many contacts more, none of whom exists, last changed a year ago."""
        then = self.now() - _A_YEAR
        for number in range(people):
            fields = (("EMAIL", f"filled{number}@example.com"), ("PHONE", f"+7926{number:07d}"))
            made = self.create(
                {
                    "first_name": f"Имя{number}",
                    "last_name": f"Фамилия{number}",
                    "custom_fields_values": [
                        {"field_code": code, "values": [{"value": text, "enum_code": "WORK"}]} for code, text in fields
                    ],
                }
            )
            made["created_at"] = made["updated_at"] = then

    def update(self, item: Mapping[str, Any], entity: str = CONTACTS) -> dict[str, Any]:
        """Keys and fields that are not sent stay; the values of a field that is sent are replaced."""
        record = self.records[entity][item["id"]]
        record.update({name: value for name, value in item.items() if name not in _NOT_KEPT})
        if "first_name" in item or "last_name" in item:
            record["name"] = f"{record['first_name']} {record['last_name']}".strip()
        held = {f["field_id"]: f for f in record["custom_fields_values"] or ()}
        for sent in item.get("custom_fields_values") or ():
            known = self.fields[entity][examination.field_id(sent, self.fields[entity])]
            held.pop(known["id"], None)
            if sent.get("values"):
                held[known["id"]] = {
                    "field_id": known["id"],
                    "field_name": known["name"],
                    "field_code": known["code"],
                    "field_type": known["type"],
                    "values": [_stored(row, known) for row in sent["values"]],
                }
        record["custom_fields_values"] = list(held.values()) or None
        record["updated_at"] = self.now()
        return record

    def matching(self, ids: Sequence[str], since: str, words: str, entity: str = CONTACTS) -> list[dict[str, Any]]:
        found = list(self.records[entity].values())
        if ids:
            wanted = {int(i) for i in ids}
            found = [r for r in found if r["id"] in wanted]
        if since:
            found = [r for r in found if r["updated_at"] >= int(since)]
        if words:
            found = [r for r in found if words.lower() in _text(r)]
        return found


_OWN: dict[str, dict[str, Any]] = {
    "contacts": {"first_name": "", "last_name": "", "is_unsorted": False},
    "companies": {},
    "leads": {
        "price": 0, "status_id": None, "pipeline_id": settings.SALES, "loss_reason_id": None, "closed_at": None,
        "score": None, "labor_cost": None,
    },
}  # fmt: skip


def _first_status(pipelines: list[dict[str, Any]], number: int) -> int:
    return settings.statuses(next(p for p in pipelines if p["id"] == number))[0]


def _stored(row: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    if known["type"] == "multitext":
        code = row.get("enum_code") or "WORK"
        number = next((e["id"] for e in known["enums"] if e["value"] == code), None)
        return {"value": row["value"], "enum_id": number, "enum_code": code}
    if known["type"] == "select":
        text = next(e["value"] for e in known["enums"] if e["id"] == row["enum_id"])
        return {"value": text, "enum_id": row["enum_id"], "enum_code": None}
    return {"value": row["value"] if known["type"] == "checkbox" else str(row["value"])}


def _text(record: Mapping[str, Any]) -> str:
    """What full-text search looks through: names, fields, and numbers by their digits."""
    values = [str(v["value"]) for f in record["custom_fields_values"] or () for v in f["values"]]
    digits = [re.sub(r"\D", "", value) for value in values]
    return "\n".join([record["name"], *values, *digits]).lower()


def person(contact: Mapping[str, Any]) -> dict[str, Any]:
    """Somebody as tests compare them: id, names, and the first value of each field by its code."""
    held = contact["custom_fields_values"] or ()
    first = {f["field_code"] or f"cf_{f['field_id']}": f["values"][0]["value"] for f in held}
    return {"id": contact["id"], "first_name": contact["first_name"], "last_name": contact["last_name"], **first}
