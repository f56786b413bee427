"""An account of Template CRM in memory, with its limit and its refusals."""

from __future__ import annotations

from typing import Any

from connectors.core.clock import Clock
from connectors.core.sandbox import Sandbox, SandboxReply, SandboxRequest, WindowLimit, route

KEY = "sandbox-key"


class TemplateSandbox(Sandbox):
    slug = "template"

    def __init__(self, clock: Clock | None = None, *, enforce_limits: bool = True) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self._people: dict[int, dict[str, Any]] = {}
        self._by_email: dict[str, dict[str, Any]] = {}
        self._limit = WindowLimit(20, 1.0)

    def config(self, base_url: str) -> dict[str, Any]:
        return {"base_url": base_url, "api_key": KEY}

    def people(self) -> list[dict[str, Any]]:
        with self.lock:
            return [dict(person) for person in self._people.values()]

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"email": f"person{number}@example.com", "name": f"Ann {number}"}

    def bad_values(self, number: int) -> dict[str, Any]:
        return {"email": f"not-an-address-{number}", "name": "Nobody"}

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        if request.headers.get("x-api-key") != KEY:
            return SandboxReply(401, {"message": "Unknown key"})
        wait = self._limit.take(self.clock.monotonic()) if self.enforce_limits else 0.0
        return SandboxReply(429, {"message": "Slow down"}, {"retry-after": "1"}) if wait > 0 else None

    @route("GET", "/people")
    def list_people(self, request: SandboxRequest) -> SandboxReply:
        after, limit = int(request.query.get("after") or 0), int(request.query["limit"])
        since = float(request.query.get("since") or 0)
        found = [p for number, p in self._people.items() if number > after and _changed(p) >= since]
        return SandboxReply(200, {"people": [_shown(p) for p in found[:limit]]})

    @route("POST", "/people/lookup")
    def look_up(self, request: SandboxRequest) -> SandboxReply:
        asked = request.json()
        found = [_shown(p) for p in self._people.values() if str(p[asked["field"]]) in asked["values"]]
        return SandboxReply(200, {"people": found})

    @route("POST", "/people")
    def write(self, request: SandboxRequest) -> SandboxReply:
        return SandboxReply(200, {"people": [self._write(row) for row in request.json()["people"]]})

    def _write(self, row: dict[str, Any]) -> dict[str, Any]:
        email = str(row.get("email") or "").lower()
        if "email" in row and "@" not in email:
            return {"error": "email"}
        known = self._people.get(int(row.get("id") or 0)) or self._by_email.get(email)
        person = known or {"id": len(self._people) + 1, "email": email, "name": None}
        self._by_email.pop(person["email"], None)
        person |= {"name": row.get("name", person["name"]), "email": email or person["email"]}
        person["changed"] = self.clock.now()
        self._people[person["id"]] = self._by_email[person["email"]] = person
        return {"id": person["id"], "new": known is None}


def _changed(person: dict[str, Any]) -> float:
    return float(person["changed"].timestamp())


def _shown(person: dict[str, Any]) -> dict[str, Any]:
    return {name: person[name] for name in ("id", "email", "name")} | {"changed": person["changed"].isoformat()}


SANDBOX = TemplateSandbox
