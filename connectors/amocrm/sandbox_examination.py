"""How the stand-in finds fault with items that are written: the first complaint about each, with its path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.amocrm import sandbox_settings as settings

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
_SHARED = {"id", "name", "responsible_user_id", "request_id", "custom_fields_values"}
MEMBERS = {
    "contacts": _SHARED | {"first_name", "last_name"},
    "companies": _SHARED,
    "leads": _SHARED | {"price", "status_id", "pipeline_id", "loss_reason_id"},
}
_TEXTS = ("name", "first_name", "last_name")
_NUMBERS = ("price", "status_id", "pipeline_id", "responsible_user_id")

Complaint = tuple[str, str]


def field_id(held: Mapping[str, Any], fields: Mapping[int, Mapping[str, Any]]) -> int:
    """A field named by its id or its code; 0 for a code that there is not."""
    code = held.get("field_code")
    named = next((number for number, known in fields.items() if code and known["code"] == code), 0)
    return int(held.get("field_id") or named)


def wrong_member(item: Mapping[str, Any]) -> Complaint | None:
    """A member of the record itself that is of another type, or too long."""
    for name in _TEXTS:
        if not isinstance(item.get(name, ""), str):
            return "InvalidType", name
        if len(item.get(name, "")) > 255:
            return "TooLong", name
    for name in _NUMBERS:
        if not isinstance(item.get(name, 0), int) or isinstance(item.get(name), bool):
            return "InvalidType", name
    return None


def wrong_choice(
    item: Mapping[str, Any], now: Mapping[str, Any], pipelines: list[dict[str, Any]], people: list[dict[str, Any]]
) -> Complaint | None:
    """Somebody or a status that there is not, or a status of another pipeline; `now` is the record so far."""
    if "responsible_user_id" in item and item["responsible_user_id"] not in {user["id"] for user in people}:
        return "NotSupportedChoice", "responsible_user_id"
    if not {"status_id", "pipeline_id"} & item.keys():
        return None
    by_id = {pipeline["id"]: pipeline for pipeline in pipelines}
    pipeline = by_id.get(item.get("pipeline_id", now.get("pipeline_id", settings.SALES)))
    if pipeline is None:
        return "NotSupportedChoice", "pipeline_id"
    known = settings.statuses(pipeline)
    if item.get("status_id", now.get("status_id", known[0])) not in known:
        return "NotSupportedChoice", "status_id"
    return None


def wrong_field(item: Mapping[str, Any], fields: Mapping[int, Mapping[str, Any]]) -> Complaint | None:
    """A custom field that there is not, or that does not take its value."""
    for i, held in enumerate(item.get("custom_fields_values") or ()):
        known = fields.get(field_id(held, fields))
        code = "NotSupportedChoice" if known is None else _wrong_value(held, known)
        if code:
            return code, f"custom_fields_values.{i}.values"
    return None


def _wrong_value(held: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    options = {e["id"] for e in known["enums"] or ()}
    for row in held.get("values") or ():
        if known["type"] == "select":
            if row.get("enum_id") not in options:
                return "NotSupportedChoice"
            continue
        if known["type"] in ("text", "multitext", "url") and not isinstance(row.get("value"), str):
            return "InvalidType"
        if known["type"] in ("text", "url") and len(row["value"]) > 256:
            return "TooLong"
        if known["type"] == "checkbox" and not isinstance(row.get("value"), bool):
            return "InvalidType"
        # Which addresses the real system refuses is not documented; this one knows some that it does.
        if known["code"] == "EMAIL" and not _EMAIL.fullmatch(row["value"]):
            return "InvalidValue"
    return ""
