"""How the stand-in reads bodies and shapes its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.google import sandbox_refusals as refusals
from connectors.google.sandbox_examination import PARTS, mask
from connectors.google.sandbox_people import Contact, shown


def members(body: Any, known: set[str], at: str = "") -> dict[str, Any]:
    if not isinstance(body, dict):
        raise refusals.invalid()
    for name in body.keys() - known:
        raise refusals.unknown_name(name, at)
    return body


def answered(text: str | None) -> list[str]:
    return mask(text, "personFields") if text else ["metadata", *PARTS]


def row(contact: Contact, text: Any) -> dict[str, Any]:
    asked = mask(text, "readMask") if text else []
    row = {"httpStatusCode": 200, "person": shown(contact, asked), "requestedResourceName": contact.name}
    return {**row, "status": {}}


def told(name: str, rows: Any, body: Mapping[str, Any]) -> dict[str, Any]:
    """Without a readMask nothing comes back at all."""
    return {name: rows} if body.get("readMask") else {}


def plain(contact: Contact) -> dict[str, Any]:
    names = (contact.lists.get("names") or [{}])[0]
    address = (contact.lists.get("emailAddresses") or [{}])[0].get("value")
    told = {"id": contact.name, **{part: text for part, text in names.items() if part != "_main"}}
    organization = (contact.lists.get("organizations") or [{}])[0]
    told |= {part: organization[part] for part in ("name", "title") if part in organization}
    return {**told, "emailAddresses": address, "email": address}
