"""How the stand-in finds fault with people and masks that are sent to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.google import sandbox_refusals as refusals

_COMMON = {"metadata", "type", "formattedType"}
PARTS: dict[str, set[str]] = {
    "addresses": {
        *_COMMON,
        *("formattedValue", "poBox", "streetAddress", "extendedAddress", "city", "region", "postalCode"),
        *("country", "countryCode"),
    },
    "biographies": {"metadata", "value", "contentType"},
    "birthdays": {"metadata", "date", "text"},
    "clientData": {"metadata", "key", "value"},
    "emailAddresses": {*_COMMON, "value", "displayName"},
    "externalIds": {*_COMMON, "value"},
    "memberships": {"metadata", "contactGroupMembership", "domainMembership"},
    "names": {
        *("metadata", "displayName", "displayNameLastFirst", "unstructuredName", "familyName", "givenName"),
        *("middleName", "honorificPrefix", "honorificSuffix", "phoneticFullName", "phoneticFamilyName"),
        *("phoneticGivenName", "phoneticMiddleName", "phoneticHonorificPrefix", "phoneticHonorificSuffix"),
    },
    "nicknames": {"metadata", "value", "type"},
    "organizations": {
        *_COMMON,
        *("startDate", "endDate", "current", "name", "phoneticName", "department", "title", "jobDescription"),
        *("symbol", "domain", "location", "costCenter", "fullTimeEquivalentMillipercent"),
    },
    "phoneNumbers": {*_COMMON, "value", "canonicalForm"},
    "relations": {*_COMMON, "person"},
    "urls": {*_COMMON, "value"},
    "userDefined": {"metadata", "key", "value"},
}
SINGLETONS = ("names", "biographies", "birthdays")
_READ_ONLY = {"metadata"}
_PERSON = {"resourceName", "etag", "metadata"}
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
LONGEST = 1024

Complaint = tuple[int, str]


def person(body: Any, at: str) -> None:
    """Raises Refused for what does not parse, which fails a whole call."""
    if not isinstance(body, dict):
        raise refusals.invalid(f"Invalid value at '{at}'", at)
    for member, rows in body.items():
        if member in _PERSON:
            continue
        if member not in PARTS:
            raise refusals.unknown_name(member, at)
        if not isinstance(rows, list):
            raise refusals.invalid(f"Invalid value at '{at}.{member}'", f"{at}.{member}")
        for number, row in enumerate(rows):
            place = f"{at}.{member}[{number}]"
            if not isinstance(row, dict):
                raise refusals.invalid(f"Invalid value at '{place}'", place)
            for part in row:
                if part not in PARTS[member]:
                    raise refusals.unknown_name(part, place)


def complaint(body: Mapping[str, Any], *, addresses: bool) -> Complaint | None:
    """What is wrong with one contact, by which others of its batch are not concerned."""
    for member in SINGLETONS:
        if len(body.get(member, ())) > 1:
            return 3, f"Cannot have more than one person.{member} per source."
    for member in PARTS.keys() & body.keys():
        if any(isinstance(text, str) and len(text) > LONGEST for row in body[member] for text in row.values()):
            return 3, f"The value of person.{member} is too long."
    wrong = [row for row in body.get("emailAddresses", ()) if not _ADDRESS.fullmatch(str(row.get("value", "")))]
    return (3, "Invalid e-mail address.") if addresses and wrong else None


def mask(text: Any, name: str, *, writing: bool = False) -> list[str]:
    """The members that a field mask names. Raises Refused."""
    members = [part.strip() for part in str(text or "").split(",") if part.strip()]
    if not members:
        raise refusals.invalid(f"{name} mask is required. Please specify one or more valid paths.")
    for member in members:
        if member not in PARTS and not (member in _READ_ONLY and not writing):
            raise refusals.invalid(f'Invalid {name} mask path: "{member}". Valid paths are documented.')
    return members
