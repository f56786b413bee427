"""A HubSpot account in memory: the limits, refusals and error bodies of the documented API."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.core.clock import Clock
from connectors.core.sandbox import Refused, Sandbox, SandboxReply, SandboxRequest, WindowLimit, route
from connectors.hubspot import sandbox_records as records
from connectors.hubspot.sandbox_records import Account, Record

CONTACTS = "/crm/v3/objects/contacts"
PROPERTIES = "/crm/v3/properties/contacts"
SCOPE_WRITE_SCHEMA = "crm.schemas.contacts.write"
TOKEN = "pat-sandbox"  # noqa: S105 - the stand-in's only token


class HubSpotSandbox(Sandbox):
    """`requests` and `seconds` are the burst limit of the plan; `traces` whether rows are told apart by trace ids."""

    slug = "hubspot"
    creates = r"/objects/contacts/batch/\w+$"
    missing = {"status": "error", "message": "resource not found", "category": "OBJECT_NOT_FOUND"}

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        enforce_limits: bool = True,
        requests: int = 100,
        seconds: float = 10.0,
        per_day: int = 250_000,
        scopes: Iterable[str] = (SCOPE_WRITE_SCHEMA,),
        traces: bool = True,
    ) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self.account = Account(self.clock)
        self.scopes = set(scopes)
        self.traces = traces
        self.tokens = {TOKEN}
        self._burst = WindowLimit(requests, seconds)
        self._search = WindowLimit(5, 1.0)
        self._day = WindowLimit(per_day, 86_400.0)

    def config(self, base_url: str) -> dict[str, Any]:
        return {"base_url": base_url, "access_token": TOKEN}

    def people(self) -> list[dict[str, Any]]:
        """Every stored contact as {"id", property: value}."""
        with self.lock:
            return [{"id": r.id, **r.properties} for r in self.account.records.values()]

    def add(self, **properties: str) -> str:
        """Stores a contact as if somebody had typed it in; answers its id."""
        with self.lock:
            return self.account.create(properties).id

    def person_deletes(self, number: str) -> None:
        """Somebody deletes a contact in the account's own pages: reads no longer know it (sheet 8)."""
        with self.lock:
            self.account.archive(number)

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"email": f"person{number}@example.com", "firstname": f"Ann {number}", "lastname": "Bell"}

    def bad_values(self, number: int) -> dict[str, Any]:
        return {"email": f"not-an-address-{number}", "firstname": "Nobody"}

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return SandboxReply(401, records.unauthenticated())
        if not self.enforce_limits:
            return None
        now = self.clock.monotonic()
        searching = request.path == f"{CONTACTS}/search"
        rolling = (self._search, "SECONDLY") if searching else (self._burst, "TEN_SECONDLY_ROLLING")
        for limit, policy in ((self._day, "DAILY"), rolling):
            if limit.take(now) > 0:
                return SandboxReply(429, records.too_many(policy))
        return None

    def after(self, request: SandboxRequest, reply: SandboxReply) -> SandboxReply:
        if request.path == f"{CONTACTS}/search":
            return reply
        headers = {
            "X-HubSpot-RateLimit-Max": str(self._burst.requests),
            "X-HubSpot-RateLimit-Remaining": str(self._burst.left),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(round(self._burst.seconds * 1000)),
            "X-HubSpot-RateLimit-Daily": str(self._day.requests),
            "X-HubSpot-RateLimit-Daily-Remaining": str(self._day.left),
        }
        return SandboxReply(reply.status, reply.body, {**headers, **reply.headers})

    @route("GET", "/account-info/v3/details")
    def details(self, request: SandboxRequest) -> SandboxReply:
        return SandboxReply(200, records.ACCOUNT_DETAILS)

    @route("GET", PROPERTIES)
    def list_properties(self, request: SandboxRequest) -> SandboxReply:
        return SandboxReply(200, {"results": list(self.account.definitions.values())})

    @route("POST", PROPERTIES)
    def create_property(self, request: SandboxRequest) -> SandboxReply:
        self._need_schema_scope()
        definition = request.json()
        if definition["name"] in self.account.definitions:
            raise records.conflict(f"A property named '{definition['name']}' already exists.")
        if definition.get("groupName") not in self.account.groups:
            raise records.invalid(f"Property group '{definition.get('groupName')}' does not exist")
        return SandboxReply(201, self.account.define(definition["name"], custom=definition))

    @route("POST", f"{PROPERTIES}/groups")
    def create_group(self, request: SandboxRequest) -> SandboxReply:
        self._need_schema_scope()
        group = request.json()
        if group["name"] in self.account.groups:
            raise records.conflict(f"A property group named '{group['name']}' already exists.")
        self.account.groups.add(group["name"])
        return SandboxReply(201, group)

    def _need_schema_scope(self) -> None:
        if SCOPE_WRITE_SCHEMA not in self.scopes:
            raise Refused(403, records.missing_scope(SCOPE_WRITE_SCHEMA))

    @route("GET", CONTACTS)
    def list_contacts(self, request: SandboxRequest) -> SandboxReply:
        limit = _limit(request.query.get("limit"), 10, 100)
        after = int(request.query.get("after") or 0)
        wanted = _names(request.query.get("properties"))
        found = [r for number, r in self.account.records.items() if number > after][: limit + 1]
        body: dict[str, Any] = {"results": [r.shown(wanted, self.account) for r in found[:limit]]}
        if len(found) > limit:
            body["paging"] = {"next": {"after": found[limit - 1].id, "link": "https://api.hubapi.com/next"}}
        return SandboxReply(200, body)

    @route("GET", CONTACTS + "/{key}")
    def get_contact(self, request: SandboxRequest, key: str) -> SandboxReply:
        record = self.account.lookup(key, request.query.get("idProperty", ""))
        if record is None:
            raise records.not_found(key)
        return SandboxReply(200, record.shown(_names(request.query.get("properties")), self.account))

    @route("PATCH", CONTACTS + "/{key}")
    def patch_contact(self, request: SandboxRequest, key: str) -> SandboxReply:
        record = self.account.lookup(key, request.query.get("idProperty", ""))
        if record is None:
            raise records.not_found(key)
        self.account.update(record, request.json()["properties"])
        return SandboxReply(200, record.shown((), self.account))

    @route("POST", CONTACTS + "/search")
    def search(self, request: SandboxRequest) -> SandboxReply:
        asked = request.json()
        offset, limit = int(asked.get("after") or 0), _limit(asked.get("limit"), 10, 200)
        if offset + limit > 10_000:
            raise records.invalid("A query may page through at most 10000 results")
        found = self.account.search(asked["filterGroups"], asked.get("sorts") or [])
        page = found[offset : offset + limit]
        body: dict[str, Any] = {
            "total": len(found),
            "results": [r.shown(asked.get("properties") or (), self.account) for r in page],
        }
        if offset + limit < len(found):
            body["paging"] = {"next": {"after": str(offset + limit)}}
        return SandboxReply(200, body)

    @route("POST", CONTACTS + "/batch/{verb}")
    def batch(self, request: SandboxRequest, verb: str) -> SandboxReply:
        asked = request.json()
        inputs = asked.get("inputs") or []
        if len(inputs) > 100:
            raise records.invalid(records.TOO_MANY_INPUTS)
        records.refuse_duplicates(inputs)
        if verb == "read":
            return self._batch_read(asked, inputs)
        if verb == "archive":
            for row in inputs:
                self.account.archive(str(row["id"]))
            return SandboxReply(204)
        if verb not in ("upsert", "update"):
            return SandboxReply(404, self.missing)
        return self._batch_write(inputs, verb)

    def _batch_read(self, asked: Mapping[str, Any], inputs: list[dict[str, Any]]) -> SandboxReply:
        wanted = asked.get("properties") or ()
        pairs = [(row["id"], self.account.lookup(row["id"], asked.get("idProperty", ""))) for row in inputs]
        shown = [record.shown(wanted, self.account) for _id, record in pairs if record is not None]
        absent = [str(i) for i, record in pairs if record is None]
        return _multi_status(self.account, shown, [records.absent(absent)] if absent else [], status=200)

    def _batch_write(self, inputs: list[dict[str, Any]], verb: str) -> SandboxReply:
        traced = self.traces and all(row.get("objectWriteTraceId") for row in inputs)
        if traced and len({row["objectWriteTraceId"] for row in inputs}) != len(inputs):
            raise records.invalid("objectWriteTraceId must be unique in a batch")
        written: deque[dict[str, Any]] = deque()
        errors: list[dict[str, Any]] = []
        absent: list[str] = []
        if not traced:
            for row in inputs:  # all or nothing
                self.account.examine(row, verb)
        for row in inputs:
            try:
                found = self.account.write(row, verb)
            except Refused as refused:
                body = refused.reply.body
                errors.append({**body, "context": {"objectWriteTraceId": [row["objectWriteTraceId"]]}})
                continue
            if found is None:
                absent.append(str(row["id"]))
                continue
            # The order of results is not the order of inputs.
            written.appendleft(_with_new(*found, self.account, row["properties"], verb))
        if absent:
            errors.append(records.absent(absent))
        return _multi_status(self.account, list(written), errors, status=200)


def _with_new(record: Record, new: bool, account: Account, sent: Mapping[str, Any], verb: str) -> dict[str, Any]:
    shown = record.shown(tuple(sent), account)
    return {**shown, "new": new} if verb == "upsert" else shown


def _multi_status(
    account: Account, shown: list[dict[str, Any]], errors: list[dict[str, Any]], status: int
) -> SandboxReply:
    now = account.now()
    body = {"status": "COMPLETE", "results": shown, "startedAt": now, "completedAt": now}
    if not errors:
        return SandboxReply(status, body)
    return SandboxReply(207, {**body, "numErrors": len(errors), "errors": errors})


def _limit(text: Any, default: int, most: int) -> int:
    limit = int(text or default)
    if not 0 < limit <= most:
        raise records.invalid(f"limit must be between 1 and {most}")
    return limit


def _names(text: str | None) -> list[str]:
    return [n for n in re.split(r"[,\s]+", text or "") if n]


SANDBOX = HubSpotSandbox
