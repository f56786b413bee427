"""The stand-in's contacts: stored lists, etags, the log of changes, and how a person is shown."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import phonenumbers

from connectors.core.clock import Clock
from connectors.google import sandbox_refusals as refusals
from connectors.google.sandbox_examination import PARTS, Complaint

_FIRST = 6_612_345_678_901_234_567
_NOT_KEPT = {"metadata", "formattedType", "canonicalForm", "displayName", "displayNameLastFirst"}


@dataclass
class Contact:
    """`revision` counts every change in the account; `former` are names of contacts that were merged into this one."""

    number: int
    lists: dict[str, list[dict[str, Any]]]
    revision: int
    changed: datetime
    deleted: bool = False
    former: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"people/c{self.number}"

    @property
    def etag(self) -> str:
        return base64.b64encode(f"{self.revision:012d}".encode()).decode()


class Book:
    """The contacts of one account by resource name, deleted ones included, as changes tell of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.everybody: dict[str, Contact] = {}
        self.merged: dict[str, str] = {}
        self.revision = 0

    def living(self) -> list[Contact]:
        return [contact for contact in self.everybody.values() if not contact.deleted]

    def get(self, name: str) -> Contact | None:
        found = self.everybody.get(name)
        return None if found is None or found.deleted else found

    def since(self, revision: int) -> list[Contact]:
        """In the order of their last change."""
        return [contact for contact in self.everybody.values() if contact.revision > revision]

    def create(self, body: Mapping[str, Any]) -> Contact:
        made = Contact(_FIRST + len(self.everybody), {}, 0, self._clock.now())
        self.everybody[made.name] = made
        self.write(made, body, PARTS)
        return made

    def write(self, contact: Contact, body: Mapping[str, Any], mask: Iterable[str]) -> None:
        """Replaces every list of the mask; lists that are absent or empty are cleared."""
        for member in mask:
            rows = [kept for row in body.get(member, ()) if (kept := _kept(row))]
            contact.lists.pop(member, None)
            if rows:
                contact.lists[member] = rows
        self._touch(contact)

    def delete(self, contact: Contact) -> None:
        contact.deleted, contact.lists = True, {}
        self._touch(contact)

    def merge(self, contact: Contact, into: Contact) -> None:
        """As somebody does in the web page: one of the two goes on under the other's name."""
        self.delete(contact)
        into.former.append(contact.name)
        self.merged[contact.name] = into.name
        self._touch(into)

    def update_fault(self, name: str, body: Mapping[str, Any]) -> Complaint | None:
        """Why an update of this contact is refused, for its etag or because it is gone."""
        contact = self.get(name)
        if contact is None:
            return 5, "Requested entity was not found."
        sources = (body.get("metadata") or {}).get("sources") or [{}]
        given = str(body.get("etag") or sources[0].get("etag") or "")
        if not given:
            return 9, refusals.NO_ETAG
        return None if given.lstrip("%#").rpartition(".")[2] == contact.etag else (9, refusals.STALE)

    def _touch(self, contact: Contact) -> None:
        self.revision += 1
        contact.revision, contact.changed = self.revision, self._clock.now()
        # The dictionary's own order is that of the last change.
        self.everybody[contact.name] = self.everybody.pop(contact.name)


def shown(contact: Contact, members: Sequence[str]) -> dict[str, Any]:
    """A person as it is answered under a field mask; the person's etag hangs on the mask, the source's does not."""
    mask = base64.b64encode(",".join(sorted(members)).encode()).decode().rstrip("=")
    person: dict[str, Any] = {"resourceName": contact.name, "etag": f"%{mask}.{contact.etag}"}
    if "metadata" in members or contact.deleted:
        person["metadata"] = _metadata(contact)
    for member in members:
        rows = contact.lists.get(member)
        if rows:
            person[member] = list(_shown_rows(member, rows, contact))
    return person


def _metadata(contact: Contact) -> dict[str, Any]:
    changed = contact.changed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    source = {"type": "CONTACT", "id": f"{contact.number:x}", "etag": f"#{contact.etag}", "updateTime": changed}
    told: dict[str, Any] = {"sources": [source], "objectType": "PERSON"}
    if contact.former:
        told["previousResourceNames"] = list(contact.former)
    return {**told, "deleted": True} if contact.deleted else told


def _shown_rows(member: str, rows: Sequence[dict[str, Any]], contact: Contact) -> Iterator[dict[str, Any]]:
    chosen = next((i for i, row in enumerate(rows) if row.get("_main")), 0)
    for number, row in enumerate(rows):
        source = {"type": "CONTACT", "id": f"{contact.number:x}"}
        main: dict[str, Any] = {"primary": True, "sourcePrimary": True} if number == chosen else {}
        made = {key: value for key, value in row.items() if key != "_main"}
        yield {"metadata": {**main, "source": source}, **made, **_derived(member, row)}


def _derived(member: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """What Google makes by itself."""
    if member == "names":
        parts = [row.get(part) for part in ("givenName", "middleName", "familyName")]
        whole = " ".join(part for part in parts if part)
        return {"displayName": whole, "displayNameLastFirst": whole, "unstructuredName": whole}
    told = {"formattedType": str(row["type"]).capitalize()} if row.get("type") else {}
    if member == "phoneNumbers":
        canonical = _canonical(str(row.get("value")))
        told |= {"canonicalForm": canonical} if canonical else {}
    return told


def _canonical(text: str) -> str:
    try:
        return phonenumbers.format_number(phonenumbers.parse(text, "RU"), phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        return ""


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    """Without what Google makes, and without empty texts, which are left out (sheet 4)."""
    kept = {key: value for key, value in row.items() if key not in _NOT_KEPT and value not in ("", None, {}, [])}
    main = (row.get("metadata") or {}).get("sourcePrimary")
    return {**kept, "_main": True} if main and kept else kept
