"""A Mautic site in memory: the batches, quirks and error bodies of its API."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from connectors.core.clock import Clock
from connectors.core.sandbox import Refused, Sandbox, SandboxReply, SandboxRequest, WindowLimit, route
from connectors.mautic import sandbox_refusals as refusals
from connectors.mautic.sandbox_query import listed, selected
from connectors.mautic.sandbox_records import Site

CONTACTS = "/api/contacts"
FIELDS = "/api/fields/contact"
TOKEN = "/oauth/v2/token"  # noqa: S105 - an address
USER, PASSWORD = "hub", "sandbox-password"
CLIENT_ID, CLIENT_SECRET = "1_sandbox", "sandbox-secret"
LIFETIME = 3600


class MauticSandbox(Sandbox):
    """`per_hour` is the site's limit of requests, 0 for none; `batch_max` the most items of a batch.

    `rights` are what the user's role allows besides seeing; `columns_later` whether new fields wait for a task.
    """

    slug = "mautic"
    creates = r"/contacts/batch/new$"
    sign_in_paths = (TOKEN,)

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        enforce_limits: bool = True,
        per_hour: int = 0,
        batch_max: int = 200,
        api_enabled: bool = True,
        basic_enabled: bool = True,
        rights: tuple[str, ...] = ("contacts", "fields"),
        columns_later: bool = False,
    ) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self.site = Site(self.clock)
        self.api_enabled, self.basic_enabled = api_enabled, basic_enabled
        self.rights, self.batch_max, self.columns_later = set(rights), batch_max, columns_later
        self.tokens: dict[str, float] = {}
        self.issued = 0
        self._hour = WindowLimit(per_hour, 3600.0) if per_hour else None

    def config(self, base_url: str) -> dict[str, Any]:
        return {"base_url": base_url, "username": USER, "password": PASSWORD}

    def client_config(self, base_url: str) -> dict[str, Any]:
        """The settings of a connection that signs in as an OAuth client."""
        return {"base_url": base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def people(self) -> list[dict[str, Any]]:
        """Every stored contact as {"id", alias: value}."""
        with self.lock:
            return [{"id": str(c.number), **c.values} for c in self.site.contacts.values()]

    def person_adds(self, **values: Any) -> str:
        """Somebody types a contact in; answers its id."""
        with self.lock:
            return str(self.site.create(values)[0].number)

    def person_updates(self, number: str, **values: Any) -> None:
        """Somebody edits a contact in the site's own pages, where blanks count."""
        with self.lock:
            self.site.edit(number, {**values, "overwriteWithBlank": True})

    def person_deletes(self, number: str) -> None:
        with self.lock:
            self.site.delete(int(number))

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"email": f"person{number}@example.com", "firstname": f"Ann {number}", "lastname": "Bell"}

    def bad_values(self, number: int) -> dict[str, Any]:
        return {"email": f"not-an-address-{number}", "firstname": "Nobody"}

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        if not request.path.startswith("/api"):
            return None
        if not self.api_enabled:
            return SandboxReply(403, refusals.API_DISABLED)
        return self._unauthorized(request) or self._over_limit()

    def _unauthorized(self, request: SandboxRequest) -> SandboxReply | None:
        kind, _, told = request.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            if not self.basic_enabled:
                return SandboxReply(403, refusals.BASIC_DISABLED)
            good = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            return None if told == good else SandboxReply(401, refusals.BAD_PASSWORD)
        if kind != "Bearer":
            return SandboxReply(401, refusals.DENIED)
        if told not in self.tokens:
            return SandboxReply(401, refusals.BAD_TOKEN)
        return SandboxReply(401, refusals.OLD_TOKEN) if self.tokens[told] <= self.clock.monotonic() else None

    def _over_limit(self) -> SandboxReply | None:
        """JSON in a page of HTML, and no Retry-After (sheet 9)."""
        wait = self._hour.take(self.clock.monotonic()) if self._hour is not None else 0
        if self._hour is None or wait <= 0:
            return None
        message = f"You exceeded the rate limit of {self._hour.requests} API calls per hour."
        body = orjson.dumps({"errors": [{"code": 429, "message": message, "details": []}]})
        reset = str(round(self.clock.now().timestamp() + wait))
        headers = {"content-type": "text/html", "X-RateLimit-Reset": reset}
        return SandboxReply(429, body, headers)

    def after(self, request: SandboxRequest, reply: SandboxReply) -> SandboxReply:
        """A wrong verb is answered like an unknown address."""
        if reply.status == 405 or reply.body is self.missing:
            reply = SandboxReply(404, refusals.missing(request.path))
        headers = {"Mautic-Version": "5.1.1", **reply.headers}
        if self._hour is not None:
            headers = {
                "X-RateLimit-Limit": str(self._hour.requests),
                "X-RateLimit-Remaining": str(self._hour.left),
                "X-RateLimit-Reset": str(round(self.clock.now().timestamp() + 3600)),
                **headers,
            }
        return SandboxReply(reply.status, reply.body, headers)

    @route("POST", TOKEN)
    def token(self, request: SandboxRequest) -> SandboxReply:
        asked = dict(parse_qsl(request.body.decode()))
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return SandboxReply(400, refusals.BAD_CLIENT)
        if asked.get("grant_type") != "client_credentials":
            return SandboxReply(400, refusals.envelope(400, "Invalid grant_type parameter", "invalid_request"))
        self.issued += 1
        access = f"sandbox-token-{self.issued}"
        self.tokens[access] = self.clock.monotonic() + LIFETIME
        body = {"access_token": access, "expires_in": LIFETIME, "token_type": "bearer", "scope": None}
        return SandboxReply(200, body)

    @route("GET", "/api/users/self")
    def user(self, request: SandboxRequest) -> SandboxReply:
        return SandboxReply(
            200, {"isPublished": True, "id": 1, "username": USER, "firstName": "Sync", "lastName": "Hub"}
        )

    @route("GET", FIELDS)
    def list_fields(self, request: SandboxRequest) -> SandboxReply:
        limit = int(request.query.get("limit", 30))
        fields = list(self.site.fields.values())
        return SandboxReply(200, {"total": len(fields), "fields": fields[:limit] if limit else fields})

    @route("POST", f"{FIELDS}/new")
    def create_field(self, request: SandboxRequest) -> SandboxReply:
        self._need("fields")
        asked = _body(request)
        alias = str(asked.get("alias") or "").lower()
        if not alias or alias in self.site.fields:
            raise refusals.bad_values({"alias": "This alias is already in use."})
        more = {k: asked[k] for k in ("label", "isUniqueIdentifier", "properties") if k in asked}
        field = self.site.define(alias, str(asked.get("type") or "text"), **more, isPublished=not self.columns_later)
        return SandboxReply(202 if self.columns_later else 201, {"field": field})

    @route("GET", CONTACTS)
    def list_contacts(self, request: SandboxRequest) -> SandboxReply:
        self._need("contacts")
        total, page = listed(request.query, self.site.contacts.values(), self.site.fields)
        select, minimal = selected(request.query), bool(request.query.get("minimal"))
        found = {str(c.number): self.site.shown(c, select, minimal=minimal) for c in page}
        return SandboxReply(200, {"total": str(total), "contacts": found})

    @route("GET", CONTACTS + "/{number}")
    def get_contact(self, request: SandboxRequest, number: str) -> SandboxReply:
        contact = self.site.contacts.get(int(number)) if number.isdigit() else None
        if contact is None:
            raise refusals.not_found()
        return SandboxReply(200, {"contact": self.site.shown(contact)})

    @route("POST", f"{CONTACTS}/new")
    def create_contact(self, request: SandboxRequest) -> SandboxReply:
        """Whatever is not sent as JSON is an empty contact (sheet 1)."""
        self._need("contacts")
        contact, status = self.site.create(_body(request))
        return SandboxReply(status, {"contact": self.site.shown(contact)})

    @route("PATCH", CONTACTS + "/{number}/edit")
    def edit_contact(self, request: SandboxRequest, number: str) -> SandboxReply:
        self._need("contacts")
        return SandboxReply(200, {"contact": self.site.shown(self.site.edit(number, _body(request)))})

    @route("POST", f"{CONTACTS}/batch/new")
    def batch_new(self, request: SandboxRequest) -> SandboxReply:
        def create(item: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
            contact, status = self.site.create(item)
            return status, self.site.shown(contact)

        return self._batch(request, create, 201)

    @route("PATCH", f"{CONTACTS}/batch/edit")
    def batch_edit(self, request: SandboxRequest) -> SandboxReply:
        def edit(item: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
            return 200, self.site.shown(self.site.edit(item.get("id"), item))

        return self._batch(request, edit, 200)

    def _batch(
        self, request: SandboxRequest, work: Callable[[Mapping[str, Any]], tuple[int, dict[str, Any]]], status: int
    ) -> SandboxReply:
        self._need("contacts")
        asked = _body(request)
        items = list(asked.values()) if isinstance(asked, dict) else asked
        if len(items) > self.batch_max:
            raise refusals.too_many(self.batch_max)
        codes: list[int] = []
        contacts: dict[int, Any] = {}
        errors: dict[int, Any] = {}
        for number, item in enumerate(items):
            try:
                code, contacts[number] = work(item)
            except Refused as refused:
                code = refused.reply.status
                errors[number] = refused.reply.body["errors"][0]
            codes.append(code)
        body = {"contacts": _php(contacts), "statusCodes": codes} | ({"errors": _php(errors)} if errors else {})
        return SandboxReply(status, body)

    @route("DELETE", f"{CONTACTS}/batch/delete")
    def batch_delete(self, request: SandboxRequest) -> SandboxReply:
        self._need("contacts")
        numbers = [int(n) for n in request.query.get("ids", "").split(",") if n.isdigit()]
        gone = [c for n in numbers if (c := self.site.delete(n)) is not None]
        return SandboxReply(200, {"contacts": [{**self.site.shown(c), "id": None} for c in gone]})

    def _need(self, right: str) -> None:
        if right not in self.rights:
            raise Refused(403, refusals.NO_RIGHTS)


def _body(request: SandboxRequest) -> Any:
    """Without the content type of JSON the body is not looked at."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return {}
    return request.json()


def _php(array: Mapping[int, Any]) -> Any:
    """A PHP array in JSON: a list when its keys are 0, 1, 2 … without gaps, else an object."""
    return list(array.values()) if list(array) == list(range(len(array))) else {str(k): v for k, v in array.items()}


SANDBOX = MauticSandbox
