"""What the stand-in stores: contacts, told apart by their unique identifiers (sheets 4, 5 and 7)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.core.clock import Clock
from connectors.mautic.sandbox_fields import SOCIAL, cleaned, defaults, definition
from connectors.mautic.sandbox_refusals import bad_values, not_found

FIRST_ID = 47
NOT_MINIMAL = ("owner", "ipAddresses", "tags", "utmtags", "doNotContact", "stage", "lastActive", "frequencyRules")
_NUMBERS = ("points", "attribution")


@dataclass
class Contact:
    number: int
    values: dict[str, Any]
    added: datetime
    modified: datetime | None = None

    def column(self, name: str) -> Any:
        """As the database has it; times are UTC without a zone."""
        match name:
            case "id":
                return self.number
            case "date_added":
                return _stamp(self.added)
            case "date_modified":
                return _stamp(self.modified) if self.modified else None
        return self.values.get(name)


class Site:
    """Contacts by id, and by each value of a unique identifier; several may share one, as no index forbids it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.fields = defaults()
        self.contacts: dict[int, Contact] = {}
        self._by_identifier: dict[tuple[str, str], dict[int, Contact]] = {}
        self._next = FIRST_ID

    def define(self, alias: str, kind: str, **more: Any) -> dict[str, Any]:
        """Custom text fields hold 64 characters."""
        made = definition(len(self.fields) + 1, alias, kind, **more)
        if kind == "text":
            made["charLengthLimit"] = 64
        self.fields[alias] = made
        return made

    @property
    def _identifiers(self) -> list[str]:
        return [alias for alias, field in self.fields.items() if field["isUniqueIdentifier"]]

    def create(self, item: Mapping[str, Any]) -> tuple[Contact, int]:
        """POST new: (contact, 201 or 200 where a unique identifier matched). Refused(400, 422)."""
        values = cleaned(item, self.fields)
        matching = {n: c for key in self._keys(values) for n, c in self._by_identifier.get(key, {}).items()}
        if matching:
            newest = max(matching.values(), key=lambda c: (c.added, c.number))
            self._apply(newest, values, overwrite=bool(item.get("overwriteWithBlank")))
            return newest, 200
        contact = Contact(self._next, {}, self._clock.now())
        self._next += 1
        self.contacts[contact.number] = contact
        self._apply(contact, values, overwrite=False)
        contact.modified = None
        return contact, 201

    def edit(self, number: Any, item: Mapping[str, Any]) -> Contact:
        """PATCH. Refused(400, 404, 422)."""
        contact = self.contacts.get(int(number)) if str(number).isdigit() else None
        if contact is None:
            raise not_found()
        self._apply(contact, cleaned(item, self.fields), overwrite=bool(item.get("overwriteWithBlank")))
        return contact

    def delete(self, number: int) -> Contact | None:
        contact = self.contacts.pop(number, None)
        if contact is not None:
            self._index(contact, forget=True)
        return contact

    def _apply(self, contact: Contact, values: Mapping[str, Any], *, overwrite: bool) -> None:
        kept = {a: v for a, v in values.items() if not _is_zero(v) and (v != "" or overwrite)}
        for key in self._keys(kept):
            if any(number != contact.number for number in self._by_identifier.get(key, ())):
                raise bad_values({key[0]: "This field must be unique."}, code=422)
        changed = {a: v for a, v in kept.items() if (contact.values.get(a) or "") != v}
        if not changed:
            return
        self._index(contact, forget=True)
        contact.values.update(changed)
        self._index(contact)
        contact.modified = self._clock.now()

    def _keys(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(a, str(values[a]).lower()) for a in self._identifiers if values.get(a)]

    def _index(self, contact: Contact, *, forget: bool = False) -> None:
        for key in self._keys(contact.values):
            held = self._by_identifier.setdefault(key, {})
            held.pop(contact.number, None)
            if not forget:
                held[contact.number] = contact

    def shown(self, contact: Contact, select: Container[str] = (), *, minimal: bool = False) -> dict[str, Any]:
        """As the API shows it: selected fields come without those that are not set."""
        aliases = [a for a in self.fields if not select or a in select]
        every = {a: self._value(contact, a) for a in aliases}
        every = {a: v for a, v in every.items() if not select or v is not None}
        filled = {a: self._detail(a, v) for a, v in every.items() if v is not None}
        groups: dict[str, Any] = {
            "core": {a: d for a, d in filled.items() if a not in SOCIAL} or [],
            "social": {a: d for a, d in filled.items() if a in SOCIAL} or [],
            "personal": [],
            "professional": [],
        }
        body = {
            "isPublished": True,
            "dateAdded": _iso(contact.added),
            "dateModified": _iso(contact.modified) if contact.modified else None,
            "createdBy": 1,
            "createdByUser": "Admin User",
            "modifiedBy": None,
            "modifiedByUser": None,
            "id": contact.number,
            "points": contact.values.get("points", 0),
            "color": None,
            "fields": {**groups, "all": {"id": contact.number, **every}},
            "lastActive": None,
            "owner": None,
            "ipAddresses": [],
            "tags": [],
            "utmtags": [],
            "stage": None,
            "dateIdentified": _iso(contact.added),
            "preferredProfileImage": None,
            "doNotContact": [],
            "frequencyRules": [],
        }
        return {k: v for k, v in body.items() if k not in NOT_MINIMAL} if minimal else body

    def _value(self, contact: Contact, alias: str) -> Any:
        value = contact.values.get(alias)
        return 0 if value is None and alias == "points" else None if value == "" else value

    def _detail(self, alias: str, value: Any) -> dict[str, Any]:
        field = self.fields[alias]
        return {
            "id": str(field["id"]),
            "label": field["label"],
            "alias": alias,
            "type": field["type"],
            "group": field["group"],
            "object": "lead",
            "is_fixed": str(int(field["isFixed"])),
            "properties": "a:0:{}",
            "default_value": None,
            "value": value,
            "normalizedValue": value,
        }


def _is_zero(value: Any) -> bool:
    try:
        return int(float(value)) == 0
    except (ValueError, OverflowError):
        return False


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).replace(microsecond=0).isoformat()


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
