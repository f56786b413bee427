"""What the stand-in stores and how it refuses: contacts, property definitions, error bodies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from connectors.core.clock import Clock
from connectors.core.sandbox import Refused

TOO_MANY_INPUTS = (
    "The maximum number of inputs supported in a batch is 100. Please reduce the number of items and try again"
)
ACCOUNT_DETAILS = {
    "portalId": 48600123,
    "accountType": "STANDARD",
    "timeZone": "Europe/Paris",
    "companyCurrency": "EUR",
    "additionalCurrencies": [],
    "utcOffset": "+01:00",
    "utcOffsetMilliseconds": 3600000,
    "uiDomain": "app.hubspot.com",
    "dataHostingLocation": "na1",
}
ALWAYS = ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname")
CORRELATION = "20f9c0de-7a1b-4c3d-8e5f-a0b1c2d3e4f5"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
_READ_ONLY = ("createdate", "lastmodifieddate", "hs_object_id")
_PROPERTIES = {
    **dict.fromkeys(
        (
            "email",
            "firstname",
            "lastname",
            "phone",
            "mobilephone",
            "company",
            "jobtitle",
            "city",
            "hs_additional_emails",
        ),
        ("string", "text"),
    ),
    "date_of_birth": ("string", "text"),
    "closedate": ("datetime", "date"),
    "numemployees": ("number", "number"),
    "createdate": ("datetime", "date"),
    "lastmodifieddate": ("datetime", "date"),
    "hs_object_id": ("number", "number"),
}


@dataclass
class Record:
    number: int
    properties: dict[str, str]
    created: str
    modified: str
    additional: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return str(self.number)

    def shown(self, wanted: Sequence[str], account: Account) -> dict[str, Any]:
        """As the API shows it: undefined properties are left out silently, empty ones are null."""
        stored = self.properties
        system = {"createdate": self.created, "hs_object_id": self.id, "lastmodifieddate": self.modified}
        if wanted:
            names: Iterable[str] = (n for n in wanted if n in account.definitions)
            shown: dict[str, Any] = {n: stored.get(n) or None for n in names} | system
            if "hs_additional_emails" in wanted:
                shown["hs_additional_emails"] = ";".join(self.additional) or None
        else:
            shown = {n: stored.get(n) or None for n in ALWAYS} | system
        return {
            "id": self.id,
            "properties": shown,
            "createdAt": self.created,
            "updatedAt": self.modified,
            "archived": False,
        }


class Account:
    """Contacts by id, and by each of their addresses, which are unique in the account."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.records: dict[int, Record] = {}
        self.by_email: dict[str, Record] = {}
        self.groups = {"contactinformation"}
        self.definitions: dict[str, dict[str, Any]] = {}
        self._next = 30_100_000_101
        for name in _PROPERTIES:
            self.define(name)

    def now(self) -> str:
        now = self._clock.now().astimezone(UTC)
        return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"

    def define(self, name: str, custom: Mapping[str, Any] | None = None) -> dict[str, Any]:
        kind, field_type = _PROPERTIES.get(name, ("string", "text"))
        definition = {
            "name": name,
            "label": name,
            "type": kind,
            "fieldType": field_type,
            "groupName": "contactinformation",
            "options": [],
            "hasUniqueValue": False,
            "hubspotDefined": custom is None,
            "modificationMetadata": {"readOnlyValue": name in _READ_ONLY},
            **(custom or {}),
        }
        self.definitions[name] = definition
        return definition

    def lookup(self, key: str, id_property: str) -> Record | None:
        if id_property == "email":
            return self.by_email.get(str(key).strip().lower())
        return self.records.get(int(key)) if str(key).isdigit() else None

    def create(self, properties: Mapping[str, str]) -> Record:
        now = self.now()
        record = Record(self._next, {}, now, now)
        self.records[record.number] = record
        self._next += 1
        self.update(record, properties)
        return record

    def update(self, record: Record, properties: Mapping[str, str]) -> None:
        self.check(properties)
        email = str(properties.get("email", record.properties.get("email", ""))).strip().lower()
        owner = self.by_email.get(email)
        if email and owner is not None and owner is not record:
            raise conflict(f"Contact already exists. Existing ID: {owner.id}")
        known = record.properties.get("email", "")
        if known and known != email and email not in record.additional:
            self.by_email.pop(known, None)
        record.properties.update(properties)
        if email:
            record.properties["email"] = email
            self.by_email[email] = record
        record.modified = self.now()

    def archive(self, number: str) -> None:
        record = self.records.pop(int(number), None)
        if record is not None:
            for address in (record.properties.get("email", ""), *record.additional):
                self.by_email.pop(address, None)

    def check(self, properties: Mapping[str, Any]) -> None:
        """Refused(400) for unknown or read-only properties, values that are no strings, a bad address."""
        for name, value in properties.items():
            if name not in self.definitions:
                raise bad_property("PROPERTY_DOESNT_EXIST", name, f'Property "{name}" does not exist')
            if name in _READ_ONLY:
                raise bad_property("READ_ONLY_VALUE", name, f'"{name}" is a read only property')
            if not isinstance(value, str):
                raise invalid(f"Cannot deserialize value of type `java.lang.String` for {name}")
        email = properties.get("email")
        if email and _EMAIL.fullmatch(email.strip()) is None:
            raise bad_property("INVALID_EMAIL", "email", f"Email address {email} is invalid")

    def examine(self, row: Mapping[str, Any], verb: str) -> None:
        """Refused when `write` would refuse."""
        self.check(row["properties"])
        email = str(row["properties"].get("email", "")).strip().lower()
        owner = self.by_email.get(email)
        target = self.lookup(row["id"], "email" if verb == "upsert" else "")
        if owner is not None and owner is not target:
            raise conflict(f"Contact already exists. Existing ID: {owner.id}")

    def write(self, row: Mapping[str, Any], verb: str) -> tuple[Record, bool] | None:
        """(record, whether it is new); None when an update knows no such id."""
        properties: Mapping[str, str] = row["properties"]
        if verb == "update":
            if row.get("idProperty") == "email":
                raise invalid("Unable to perform update/upsert by non-unique 0-1 property email")
            record = self.lookup(str(row["id"]), "")
            if record is not None:
                self.update(record, properties)
            return (record, False) if record is not None else None
        if row.get("idProperty") != "email":
            raise invalid("idProperty is required")
        record = self.lookup(str(row["id"]), "email")
        self.check({"email": str(row["id"]), **properties})
        if record is not None:
            self.update(
                record, {**properties, "email": record.properties["email"]} if record.additional else properties
            )
            return record, False
        return self.create({"email": str(row["id"]), **properties}), True

    def search(self, groups: Sequence[Any], sorts: Sequence[Mapping[str, str]]) -> list[Record]:
        tests = [[_test(f) for f in group["filters"]] for group in groups]
        found = [r for r in self.records.values() if any(all(test(r) for test in group) for group in tests)]
        for sort in sorts:
            name = sort["propertyName"]
            found.sort(key=lambda r: _sortable(r, name), reverse=sort.get("direction") == "DESCENDING")
        return found


def _sortable(record: Record, name: str) -> int:
    if name == "hs_object_id":
        return record.number
    return round(datetime.fromisoformat(record.modified).timestamp() * 1000)


def _test(asked: Mapping[str, str]) -> Any:
    name, value = asked["propertyName"], int(asked["value"])
    compare: Any = {
        "GTE": lambda r: _sortable(r, name) >= value,
        "GT": lambda r: _sortable(r, name) > value,
        "EQ": lambda r: _sortable(r, name) == value,
    }[asked["operator"]]
    return compare


def _error(message: str, category: str, **more: Any) -> dict[str, Any]:
    return {"status": "error", "message": message, "correlationId": CORRELATION, "category": category, **more}


def invalid(message: str, **more: Any) -> Refused:
    return Refused(400, _error(message, "VALIDATION_ERROR", **more))


def bad_property(code: str, name: str, sentence: str) -> Refused:
    facts = [{"isValid": False, "message": sentence, "error": code, "name": name, "portalId": 1}]
    errors = [{"message": sentence, "code": code, "context": {"propertyName": [name]}}]
    return invalid(f"Property values were not valid: {orjson.dumps(facts).decode()}", errors=errors)


def conflict(message: str) -> Refused:
    return Refused(409, _error(message, "CONFLICT"))


def not_found(key: str) -> Refused:
    message = "Object not found.  objectId are usually numeric."
    return Refused(404, _error(message, "OBJECT_NOT_FOUND", context={"id": [key]}))


def absent(ids: Sequence[str]) -> dict[str, Any]:
    message = "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."
    context = {"ids": list(ids)}
    return {"status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": context}


def refuse_duplicates(inputs: Sequence[Mapping[str, Any]]) -> None:
    seen: set[str] = set()
    twice: list[str] = []
    for row in inputs:
        key = str(row["id"]).strip().lower()
        if key in seen:
            twice.append(key)
        seen.add(key)
    if twice:
        message = f"Duplicate IDs found in batch input: [{', '.join(twice)}]. IDs must be unique"
        raise invalid(message, context={"ids": twice})


def unauthenticated() -> dict[str, Any]:
    return _error("Authentication credentials not found. This API supports OAuth 2.0.", "INVALID_AUTHENTICATION")


def missing_scope(scope: str) -> dict[str, Any]:
    errors = [
        {"message": "One or more of the following scopes are required.", "context": {"requiredGranularScopes": [scope]}}
    ]
    return _error(
        "This app hasn't been granted all required scopes to make this call.", "MISSING_SCOPES", errors=errors
    )


def too_many(policy: str) -> dict[str, Any]:
    return {
        "status": "error",
        "message": f"You have reached your {policy.lower()} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": CORRELATION,
        "policyName": policy,
        "groupName": "publicapi:private_app-api-calls-ten-secondly:0",
    }
