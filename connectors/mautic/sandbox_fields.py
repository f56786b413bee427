"""The stand-in's contact fields: what each takes, and what Mautic makes of it (sheets 4 and 8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from connectors.mautic.sandbox_refusals import bad_values

_EMAIL = re.compile(r"[^@\s^&*%]+@[^@\s^&*%]+\.[^@\s.]{2,}")
_NOT_IN_EMAIL = re.compile(r"[,;<>\"\s]")
_TAG = re.compile(r"<[^<>]*>")
# A few of the built-in lists are enough to refuse the rest.
_LISTS = {
    "country": ("Germany", "Russia", "United States", "France"),
    "region": ("Bavaria", "Berlin", "California", "Moscow"),
    "timezone": ("Europe/Berlin", "Europe/Moscow", "UTC"),
    "locale": ("en_US", "de_DE", "ru_RU"),
}
_TYPES = {
    "email": "email",
    "phone": "tel",
    "mobile": "tel",
    "points": "number",
    "attribution": "number",
    "attribution_date": "datetime",
    "last_active": "datetime",
    "country": "country",
    "state": "region",
    "timezone": "timezone",
    "preferred_locale": "locale",
    "website": "url",
}
_ALIASES = (
    "title firstname lastname company position email mobile phone points fax address1 address2 city state zipcode "
    "country preferred_locale timezone last_active attribution_date attribution website facebook foursquare instagram "
    "linkedin skype twitter"
)
SOCIAL = ("facebook", "foursquare", "instagram", "linkedin", "skype", "twitter")


def definition(number: int, alias: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "isPublished": True,
        "id": number,
        "label": alias,
        "alias": alias,
        "type": kind,
        "group": "social" if alias in SOCIAL else "core",
        "order": number,
        "object": "lead",
        "defaultValue": None,
        "isRequired": False,
        "isFixed": False,
        "isListable": True,
        "isVisible": True,
        "isShortVisible": False,
        "isUniqueIdentifier": False,
        "isPubliclyUpdatable": False,
        "properties": [],
        **more,
    }


def defaults() -> dict[str, dict[str, Any]]:
    """Definitions by alias of a site as it is installed."""
    return {
        alias: definition(number, alias, _TYPES.get(alias, "text"), isFixed=True, isUniqueIdentifier=alias == "email")
        for number, alias in enumerate(_ALIASES.split(), 1)
    }


def cleaned(item: Mapping[str, Any], fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of known fields as they are stored, "" for blanks. Refused(400) for those that are not taken."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for alias, value in item.items():
        if alias not in fields:
            continue
        values[alias] = value = _stored(value, str(fields[alias]["type"]))
        problem = _problem(value, fields[alias]) if value != "" else ""
        if problem:
            problems[alias] = problem
    if problems:
        raise bad_values(problems)
    return {alias: value for alias, value in values.items() if value is not None}


def _stored(value: Any, kind: str) -> Any:
    """None for dates that cannot be read: they are dropped silently."""
    if value is None or value == "":
        return ""
    match kind:
        case "email":
            return _NOT_IN_EMAIL.sub("", str(value))
        case "number":
            return float(value) if "." in str(value) else int(value)
        case "boolean":
            return str(int(bool(int(value))))
        case "datetime" | "date":
            return _stored_time(str(value), kind)
    return _TAG.sub("", str(value)).strip()


def _stored_time(text: str, kind: str) -> str | None:
    try:
        if kind == "date":
            return date.fromisoformat(text[:10]).isoformat()
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    utc = at.astimezone(UTC) if at.tzinfo is not None else at
    return f"{utc:%Y-%m-%d %H:%M}:00"


def _problem(value: Any, field: Mapping[str, Any]) -> str:
    kind = str(field["type"])
    if kind == "email":
        return "" if _EMAIL.fullmatch(value) else f"{value} is invalid."
    declared = _LISTS.get(kind)
    if kind in ("select", "multiselect"):
        declared = tuple(one["value"] for one in field["properties"]["list"])
    if declared is not None:
        given = value.split("|") if kind == "multiselect" else [value]
        return "" if set(given) <= set(declared) else "This value is not valid."
    longest = int(field.get("charLengthLimit") or 191)
    return "This value is too long." if isinstance(value, str) and len(value) > longest else ""
