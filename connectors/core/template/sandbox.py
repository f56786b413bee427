"""An account of Template CRM in memory, with its limit and its refusals."""

from __future__ import annotations

import re
from typing import Any

from connectors.core.clock import Clock
from connectors.core.sandbox import Sandbox, SandboxReply, SandboxRequest, WindowLimit, route

KEY = "sandbox-key"
FIELDS = ("email", "first_name", "last_name", "phone", "company")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class TemplateSandbox(Sandbox):
    slug = "template"

    def __init__(self, clock: Clock | None = None, *, enforce_limits: bool = True) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self._contacts: dict[int, dict[str, Any]] = {}
        self._by_email: dict[str, dict[str, Any]] = {}
        self._newest = 0
        self._limit = WindowLimit(20, 1.0)

    def config(self, base_url: str) -> dict[str, Any]:
        return {"base_url": base_url, "api_key": KEY}

    def people(self) -> list[dict[str, Any]]:
        with self.lock:
            return [dict(contact) for contact in self._contacts.values()]

    def person_deletes(self, number: str) -> None:
        """Somebody deletes a contact over there."""
        with self.lock:
            self._by_email.pop(self._contacts.pop(int(number))["email"])

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"email": f"person{number}@example.com", "first_name": f"Ann {number}", "last_name": "Bell"}

    def bad_values(self, number: int) -> dict[str, Any]:
        return {"email": f"not-an-address-{number}", "first_name": "Nobody"}

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        if request.headers.get("x-api-key") != KEY:
            return SandboxReply(401, {"message": "Unknown key"})
        wait = self._limit.take(self.clock.monotonic()) if self.enforce_limits else 0.0
        return SandboxReply(429, {"message": "Slow down"}, {"retry-after": "1"}) if wait > 0 else None

    @route("GET", "/contacts")
    def list_contacts(self, request: SandboxRequest) -> SandboxReply:
        after, limit = int(request.query.get("after") or 0), int(request.query["limit"])
        since = float(request.query.get("since") or 0)
        found = [c for number, c in self._contacts.items() if number > after and c["changed"].timestamp() >= since]
        return SandboxReply(200, {"contacts": [_shown(contact) for contact in found[:limit]]})

    @route("POST", "/contacts/lookup")
    def look_up(self, request: SandboxRequest) -> SandboxReply:
        asked = request.json()
        found = [_shown(c) for c in self._contacts.values() if str(c[asked["field"]]) in asked["values"]]
        return SandboxReply(200, {"contacts": found})

    @route("POST", "/contacts")
    def write(self, request: SandboxRequest) -> SandboxReply:
        return SandboxReply(200, {"contacts": [self._write(row) for row in request.json()["contacts"]]})

    def _write(self, row: dict[str, Any]) -> dict[str, Any]:
        email = str(row.get("email") or "").lower()
        if "email" in row and not _EMAIL.fullmatch(email):
            return {"error": "email"}
        known = self._contacts.get(int(row.get("id") or 0)) or self._by_email.get(email)
        if known is None and not email:
            return {"error": "id"}
        contact = known or self._made()
        self._by_email.pop(contact["email"], None)
        contact |= {name: row[name] for name in FIELDS if name in row}
        contact |= {"email": email or contact["email"], "changed": self.clock.now()}
        self._contacts[contact["id"]] = self._by_email[contact["email"]] = contact
        return {"id": contact["id"], "new": known is None}

    def _made(self) -> dict[str, Any]:
        self._newest += 1
        return {"id": self._newest, **dict.fromkeys(FIELDS)}


def _shown(contact: dict[str, Any]) -> dict[str, Any]:
    return contact | {"changed": contact["changed"].isoformat()}


SANDBOX = TemplateSandbox
