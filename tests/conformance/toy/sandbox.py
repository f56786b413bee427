"""The toy's account in memory."""

from __future__ import annotations

from typing import Any

from connectors.core.clock import Clock
from connectors.core.sandbox import Sandbox, SandboxReply, SandboxRequest, WindowLimit, route

KEY = "toy-key"


class ToySandbox(Sandbox):
    slug = "toy"

    def __init__(self, clock: Clock | None = None, *, enforce_limits: bool = True) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self._people: dict[int, dict[str, Any]] = {}
        self._by_email: dict[str, dict[str, Any]] = {}
        self._limit = WindowLimit(20, 1.0)

    def config(self, base_url: str) -> dict[str, Any]:
        return {"base_url": base_url, "api_key": KEY}

    def people(self) -> list[dict[str, Any]]:
        with self.lock:
            return [dict(p) for p in self._people.values()]

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"email": f"person{number}@example.com", "name": f"Ann {number}"}

    def bad_values(self, number: int) -> dict[str, Any]:
        return {"email": f"not-an-address-{number}", "name": "Nobody"}

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        if request.headers.get("x-key") != KEY:
            return SandboxReply(401, {"message": "Unknown key"})
        wait = self._limit.take(self.clock.monotonic()) if self.enforce_limits else 0
        return SandboxReply(429, {"message": "Slow down"}, {"retry-after": "1"}) if wait > 0 else None

    @route("GET", "/people")
    def list_people(self, request: SandboxRequest) -> SandboxReply:
        after, limit = int(request.query.get("after") or 0), int(request.query["limit"])
        since = float(request.query.get("since") or 0)
        found = [p for n, p in self._people.items() if n > after and p["at"] >= since]
        return SandboxReply(200, {"people": found[:limit]})

    @route("POST", "/people/lookup")
    def lookup(self, request: SandboxRequest) -> SandboxReply:
        asked = request.json()
        found = [p for p in self._people.values() if str(p[asked["field"]]) in asked["values"]]
        return SandboxReply(200, {"people": found})

    @route("POST", "/people")
    def store(self, request: SandboxRequest) -> SandboxReply:
        return SandboxReply(200, {"people": [self._store(row) for row in request.json()["people"]]})

    def _store(self, row: dict[str, Any]) -> dict[str, Any]:
        email = str(row.get("email") or "").lower()
        if "email" in row and "@" not in email:
            return {"error": "email"}
        known = self._people.get(int(row["id"] or 0)) or self._by_email.get(email)
        now = self.clock.now()
        stamp = {"changed": now.isoformat(), "at": now.timestamp()}
        if known is not None:
            self._by_email.pop(known["email"], None)
            known.update({k: v for k, v in row.items() if k != "id"} | stamp, email=email or known["email"])
            self._by_email[known["email"]] = known
            return {"id": known["id"], "new": False}
        number = len(self._people) + 1
        self._people[number] = {"id": number, "email": email, "name": row.get("name"), **stamp}
        self._by_email[email] = self._people[number]
        return {"id": number, "new": True}


SANDBOX = ToySandbox
