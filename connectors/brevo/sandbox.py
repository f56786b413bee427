"""A Brevo account in memory: the limits, refusals, silences and error bodies of the documented API."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from connectors.brevo.sandbox_imports import Imports
from connectors.brevo.sandbox_records import ENGLISH, Account, Person, absent, refused
from connectors.core.clock import Clock
from connectors.core.sandbox import Refused, Sandbox, SandboxReply, SandboxRequest, WindowLimit, route
from connectors.core.types import Capabilities

KEY = "xkeysib-sandbox"
CONTACTS = "/v3/contacts"
MOST_BYTES = 10 * 1024 * 1024
MOST_IDS = 20


class BrevoSandbox(Sandbox):
    """`attributes` are those the account has from the start, by name and type.

    `first_index` is what refused batches count from; `drops_booleans` whether imports lose boolean values; `heeds_ids`
    whether the list takes ids.
    """

    slug = "brevo"
    creates = r"/contacts(/import)?$"
    key_field = "EMAIL"
    short = {"import_rows": 300, "import_threshold": 200}
    missing = {"code": "document_not_found", "message": "Not found"}

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        enforce_limits: bool = True,
        attributes: Mapping[str, str] = ENGLISH,
        import_seconds: float = 0.2,
        rows_per_second: float = 50_000.0,
        drops_booleans: bool = True,
        first_index: int = 0,
        heeds_ids: bool = True,
    ) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self.account = Account(self.clock, attributes)
        self.imports = Imports(self.account, import_seconds, rows_per_second, drops_booleans)
        self.first_index, self.heeds_ids = first_index, heeds_ids
        self.keys = {KEY}
        self._contacts = (WindowLimit(10, 1.0), WindowLimit(36_000, 3600.0))
        self._others = (WindowLimit(100, 3600.0),)

    def config(self, base_url: str) -> dict[str, Any]:
        return {"base_url": f"{base_url}/v3", "api_key": KEY}

    def people(self) -> list[dict[str, Any]]:
        """Every stored contact as {"id", "email", attribute: value}; what an import has not reached yet is missing."""
        with self.lock:
            self.imports.advance(self.clock.monotonic())
            return [{"id": p.id, "email": p.email, **p.attributes} for p in self.account.people.values()]

    def add(self, email: str, **attributes: Any) -> str:
        """Stores a contact as if somebody had typed it in; answers its id."""
        with self.lock:
            return str(self.account.create({"email": email, "attributes": attributes}).id)

    def person_deletes(self, number: str) -> None:
        """Somebody deletes a contact in the account's own pages: there is no recycle bin, reads answer 404 (5.5)."""
        with self.lock:
            self.account.delete(self.account.people[int(number)])

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"EMAIL": f"person{number}@example.com", "FIRSTNAME": f"Ann {number}", "LASTNAME": "Bell"}

    def bad_values(self, number: int) -> dict[str, Any]:
        return {"EMAIL": f"not-an-address-{number}", "FIRSTNAME": "Nobody"}

    def most_held(self, capabilities: Capabilities) -> int:
        return 3 * int(self.short["import_rows"]) + 1

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        self.imports.advance(self.clock.monotonic())
        if request.path.startswith("/files/"):
            return None
        key = request.headers.get("api-key")
        if key is None:
            return SandboxReply(401, {"message": "authentication not found in headers", "code": "unauthorized"})
        if key not in self.keys:
            return SandboxReply(401, {"message": "Key not found", "code": "unauthorized"})
        return self._over_limit(request) if self.enforce_limits else None

    def _limits(self, request: SandboxRequest) -> tuple[WindowLimit, ...]:
        return self._contacts if request.path.startswith(CONTACTS) else self._others

    def _over_limit(self, request: SandboxRequest) -> SandboxReply | None:
        now = self.clock.monotonic()
        wait = max(limit.take(now) for limit in self._limits(request))
        if wait <= 0:
            return None
        headers = {"x-sib-ratelimit-reset": str(math.ceil(wait))}
        return SandboxReply(429, {"code": "too_many_requests", "message": "Rate limit exceeded"}, headers)

    def after(self, request: SandboxRequest, reply: SandboxReply) -> SandboxReply:
        limit = self._limits(request)[0]
        headers = {
            "date": format_datetime(self.clock.now(), usegmt=True),
            "x-sib-ratelimit-limit": str(limit.requests),
            "x-sib-ratelimit-remaining": str(limit.left),
            "x-sib-ratelimit-reset": "1",
        }
        return SandboxReply(reply.status, reply.body, {**headers, **reply.headers})

    @route("GET", "/v3/account")
    def show_account(self, request: SandboxRequest) -> SandboxReply:
        body = {"organization_id": "5f8f8c", "user_id": 1, "enterprise": False, "email": "owner@example.org"}
        plan = [{"type": "free", "credits": 300, "creditsType": "sendLimit"}]
        return SandboxReply(200, {**body, "companyName": "Sandbox Company", "plan": plan})

    @route("GET", CONTACTS)
    def list_contacts(self, request: SandboxRequest) -> SandboxReply:
        limit, offset = _limit(request.query.get("limit")), int(request.query.get("offset") or 0)
        found = self.account.listed(_moment(request.query.get("modifiedSince")))
        ids = request.query_lists.get("ids", [])
        if len(ids) > MOST_IDS:
            raise refused("out_of_range", f"ids takes at most {MOST_IDS}")
        if ids and self.heeds_ids:
            found = [person for person in found if str(person.id) in ids]
        if request.query.get("sort", "desc") == "desc":
            found = found[::-1]
        page = [self.account.shown(p) for p in found[offset : offset + limit]]
        return SandboxReply(200, {"contacts": page, "count": len(found)})

    @route("GET", CONTACTS + "/{identifier}")
    def show_contact(self, request: SandboxRequest, identifier: str) -> SandboxReply:
        return SandboxReply(200, self.account.shown(self._one(request, identifier)))

    @route("PUT", CONTACTS + "/{identifier}")
    def update_contact(self, request: SandboxRequest, identifier: str) -> SandboxReply:
        self.account.update(self._one(request, identifier), request.json())
        return SandboxReply(204)

    @route("DELETE", CONTACTS + "/{identifier}")
    def delete_contact(self, request: SandboxRequest, identifier: str) -> SandboxReply:
        self.account.delete(self._one(request, identifier))
        return SandboxReply(204)

    def _one(self, request: SandboxRequest, identifier: str) -> Person:
        person = self.account.find(identifier, request.query.get("identifierType", ""))
        if person is None:
            raise absent()
        return person

    @route("POST", CONTACTS)
    def create_contact(self, request: SandboxRequest) -> SandboxReply:
        row = request.json()
        self._check_lists(row)
        person = self.account.find(str(row.get("email") or ""), "email_id")
        if person is None:
            return SandboxReply(201, {"id": self.account.create(row, row.get("listIds") or ()).id})
        if not row.get("updateEnabled"):
            raise refused("duplicate_parameter", "Contact already exist")
        self.account.update(person, row)
        return SandboxReply(204)

    @route("POST", CONTACTS + "/batch")
    def update_batch(self, request: SandboxRequest) -> SandboxReply:
        rows = request.json().get("contacts") or []
        found = [self._named(row) for row in rows]
        unknown = [str(i + self.first_index) for i, person in enumerate(found) if person is None]
        if unknown:
            raise absent(f"No contact found for indexes {','.join(unknown)}")
        pairs = [(person, row) for person, row in zip(found, rows, strict=True) if person is not None]
        for person, row in pairs:  # all or nothing
            self.account.refuse_taken(self.account.accepted(row.get("attributes") or {}), person)
        for person, row in pairs:
            self.account.update(person, row)
        return SandboxReply(204)

    def _named(self, row: Mapping[str, Any]) -> Person | None:
        if len({"email", "id", "sms"} & set(row)) != 1:
            raise refused("invalid_parameter", "Exactly one of email, id, sms is required")
        if "id" in row:
            return self.account.people.get(row["id"])
        kind = "email_id" if "email" in row else "phone_id"
        return self.account.find(str(row.get("email") or row.get("sms")), kind)

    @route("POST", CONTACTS + "/import")
    def start_import(self, request: SandboxRequest) -> SandboxReply:
        if len(request.body) > MOST_BYTES:
            raise refused("out_of_range", "The body exceeds 10 MB", status=413)
        order = request.json()
        if not order.get("listIds"):
            raise refused("missing_parameter", "listIds or newList is missing")
        self._check_lists(order)
        if any(p.status == "queued" for p in self.imports.processes.values()):
            raise refused("account_in_process", "Another import is being processed")
        process = self.imports.start(order, self.clock.monotonic())
        return SandboxReply(202, {"processId": process.id})

    def _check_lists(self, row: Mapping[str, Any]) -> None:
        for number in row.get("listIds") or ():
            if number not in self.account.lists:
                raise absent("List ID does not exist")

    @route("GET", "/v3/processes/{number}")
    def show_process(self, request: SandboxRequest, number: str) -> SandboxReply:
        process = self.imports.processes.get(int(number))
        if process is None:
            raise absent("Process does not exist")
        return SandboxReply(200, process.shown(f"{self.base_url}/files"))

    @route("GET", "/files/{number}/{name}.csv")
    def download(self, request: SandboxRequest, number: str, name: str) -> SandboxReply:
        return SandboxReply(200, self.imports.processes[int(number)].csv(name), {"content-type": "text/csv"})

    @route("GET", CONTACTS + "/attributes")
    def list_attributes(self, request: SandboxRequest) -> SandboxReply:
        listed = [{"name": n, "category": "normal", "type": t} for n, t in self.account.attributes.items()]
        return SandboxReply(200, {"attributes": listed})

    @route("POST", CONTACTS + "/attributes/{category}/{name}")
    def create_attribute(self, request: SandboxRequest, category: str, name: str) -> SandboxReply:
        if name.upper() in self.account.attributes:
            raise refused("invalid_parameter", "Attribute name must be unique")
        self.account.attributes[name.upper()] = request.json()["type"]
        return SandboxReply(201)

    @route("GET", CONTACTS + "/lists")
    def show_lists(self, request: SandboxRequest) -> SandboxReply:
        return self._named_things(request, "lists", self.account.lists)

    @route("POST", CONTACTS + "/lists")
    def create_list(self, request: SandboxRequest) -> SandboxReply:
        asked = request.json()
        if asked.get("folderId") not in self.account.folders:
            raise refused("invalid_parameter", "Folder ID does not exist")
        return _add(self.account.lists, asked["name"])

    @route("GET", CONTACTS + "/folders")
    def show_folders(self, request: SandboxRequest) -> SandboxReply:
        return self._named_things(request, "folders", self.account.folders)

    @route("POST", CONTACTS + "/folders")
    def create_folder(self, request: SandboxRequest) -> SandboxReply:
        return _add(self.account.folders, request.json()["name"])

    def _named_things(self, request: SandboxRequest, kind: str, things: Mapping[int, str]) -> SandboxReply:
        limit, offset = _limit(request.query.get("limit"), 10, 50), int(request.query.get("offset") or 0)
        listed = [{"id": number, "name": name} for number, name in things.items()]
        return SandboxReply(200, {kind: listed[offset : offset + limit], "count": len(listed)})


def _add(things: dict[int, str], name: str) -> SandboxReply:
    number = max(things, default=1) + 1
    things[number] = name
    return SandboxReply(201, {"id": number})


def _limit(text: str | None, default: int = 50, most: int = 1000) -> int:
    limit = int(text or default)
    if not 0 < limit <= most:
        raise refused("out_of_range", f"limit must be between 1 and {most}")
    return limit


def _moment(text: str | None) -> float | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)", text):
        raise Refused(400, {"code": "invalid_parameter", "message": "modifiedSince is not a valid date"})
    return datetime.fromisoformat(text).timestamp()


SANDBOX = BrevoSandbox
