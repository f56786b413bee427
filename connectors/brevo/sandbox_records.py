"""What the stand-in stores and how it refuses: contacts, attributes, imports, error bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from connectors.core.clock import Clock
from connectors.core.sandbox import Refused

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
# A country code, never a trunk 0; eleven digits from 8 are the Russian trunk form.
_PHONE = re.compile(r"(?!8\d{10}$)[1-9]\d{7,14}")
PHONES = ("SMS", "WHATSAPP", "LANDLINE_NUMBER")
ENGLISH = {"FIRSTNAME": "text", "LASTNAME": "text", "SMS": "text", "EXT_ID": "text"}
FRENCH = {"PRENOM": "text", "NOM": "text", "SMS": "text", "EXT_ID": "text"}


@dataclass(slots=True)
class Person:
    id: int
    email: str
    created: float
    modified: float
    attributes: dict[str, Any] = field(default_factory=dict)
    lists: set[int] = field(default_factory=set)
    blocked: bool = False


class Account:
    """Contacts by id, by e-mail and by phone; the latter two are unique in the account."""

    def __init__(self, clock: Clock, attributes: Mapping[str, str]) -> None:
        self._clock = clock
        self.people: dict[int, Person] = {}
        self.by_email: dict[str, Person] = {}
        self.by_phone: dict[tuple[str, str], Person] = {}
        self.attributes = dict(attributes)
        self.lists: dict[int, str] = {}
        self.folders: dict[int, str] = {1: "Your First Folder"}
        self.version = 0
        self._next = 2501
        self._listed: tuple[Any, list[Person]] = (None, [])

    def shown(self, person: Person) -> dict[str, Any]:
        body = {
            "id": person.id,
            "emailBlacklisted": person.blocked,
            "smsBlacklisted": False,
            "createdAt": _iso(person.created),
            "modifiedAt": _iso(person.modified),
            "listIds": sorted(person.lists),
            "listUnsubscribed": None,
            "attributes": person.attributes,
        }
        return {"email": person.email, **body} if person.email else body

    def find(self, identifier: str, kind: str) -> Person | None:
        """As `GET /contacts/{identifier}` finds: without a kind by e-mail, id or phone."""
        if kind in ("", "email_id") and "@" in identifier:
            return self.by_email.get(identifier.strip().lower())
        if kind in ("", "contact_id") and identifier.isdigit() and int(identifier) in self.people:
            return self.people[int(identifier)]
        if kind in ("", "phone_id"):
            return self.by_phone.get(("SMS", _digits(identifier)))
        return None

    def listed(self, since: float | None) -> list[Person]:
        """In the order of creation; kept for the next page, as sorting for each would be slow."""
        if self._listed[0] != (since, self.version):
            found = [p for p in self.people.values() if since is None or p.modified >= since]
            self._listed = ((since, self.version), found)
        return self._listed[1]

    def create(self, row: Mapping[str, Any], lists: Sequence[int] = ()) -> Person:
        email = check_email(row.get("email"))
        attributes = self.accepted(row.get("attributes") or {})
        self.refuse_taken(attributes, None)
        now = self._clock.now().timestamp()
        person = Person(self._next, email, now, now)
        self._next += 1
        self.people[person.id] = person
        self.by_email[email] = person
        self._store(person, attributes, lists, now)
        return person

    def update(self, person: Person, row: Mapping[str, Any], clears: bool = True) -> None:
        given: Mapping[str, Any] = row.get("attributes") or {}
        attributes = self.accepted(given)
        if not clears:
            attributes = {k: v for k, v in attributes.items() if v != ""}
        self.refuse_taken(attributes, person)
        if given.get("EMAIL"):
            email = check_email(given["EMAIL"])
            if self.by_email.get(email, person) is not person:
                raise taken(["email"])
            self.by_email.pop(person.email, None)
            person.email = email
            self.by_email[email] = person
        self._store(person, attributes, row.get("listIds") or (), self._clock.now().timestamp())
        person.lists.difference_update(row.get("unlinkListIds") or ())

    def delete(self, person: Person) -> None:
        self.version += 1
        del self.people[person.id]
        self.by_email.pop(person.email, None)
        self.by_phone = {k: p for k, p in self.by_phone.items() if p is not person}

    def _store(self, person: Person, attributes: Mapping[str, Any], lists: Sequence[int], now: float) -> None:
        self.version += 1
        for name, value in attributes.items():
            if name in PHONES:
                self.by_phone.pop((name, person.attributes.get(name, "")), None)
                if value != "":
                    self.by_phone[(name, value)] = person
            if value == "":
                person.attributes.pop(name, None)
            else:
                person.attributes[name] = value
        person.lists.update(lists)
        person.modified = now

    def accepted(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Known attributes of the right type: everything else is dropped in silence. Refused(400) for a bad phone."""
        kept: dict[str, Any] = {}
        for name, value in attributes.items():
            kind = self.attributes.get(name.upper())
            if kind is None:
                continue
            if name.upper() in PHONES and value != "":
                kept[name.upper()] = check_phone(value)
            elif value == "" or _fits(value, kind):
                kept[name.upper()] = value
        return kept

    def refuse_taken(self, attributes: Mapping[str, Any], person: Person | None) -> None:
        names = [n for n in PHONES if attributes.get(n) and self.by_phone.get((n, attributes[n]), person) is not person]
        if names:
            raise taken(names)


def _fits(value: Any, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "date":
        return isinstance(value, str) and _is_day(value)
    return isinstance(value, str | list if kind == "multiple-choice" else str)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def check_email(value: Any) -> str:
    email = str(value or "").strip().lower()
    if not email:
        raise refused("missing_parameter", "Either of email, SMS or ext_id is required")
    if _EMAIL.fullmatch(email) is None:
        raise refused("invalid_parameter", f"Invalid email address {email}")
    return email


def check_phone(value: Any) -> str:
    number = _digits(str(value))
    if _PHONE.fullmatch(number) is None:
        raise refused("invalid_parameter", "Invalid phone number")
    return number


def _digits(text: str) -> str:
    return text.strip().removeprefix("+").removeprefix("00")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def refused(code: str, message: str, status: int = 400) -> Refused:
    return Refused(status, {"code": code, "message": message})


def taken(names: Sequence[str]) -> Refused:
    message = f"Unable to create contact, {names[0]} is already associated with another Contact"
    body = {"code": "duplicate_parameter", "message": message, "metadata": {"duplicate_identifiers": list(names)}}
    return Refused(400, body)


def absent(message: str = "Contact does not exist") -> Refused:
    return refused("document_not_found", message, status=404)
