"""An n8n in memory with one workflow, that of workflow.json: it takes contacts in and drops repeats."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from connectors.core.clock import Clock
from connectors.core.sandbox import Refused, Sandbox, SandboxReply, SandboxRequest, route
from connectors.core.types import Capabilities
from connectors.n8n import sandbox_answers as answers
from connectors.n8n.sandbox_doors import HEADER, KEY, TOKEN, Door

WEBHOOK = "/webhook/{path}"
PATH = "crmsync"
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# N8N_PAYLOAD_SIZE_MAX (sheet 2).
PAYLOAD_SIZE_MAX = 16 * 1024 * 1024


class N8nSandbox(Sandbox):
    """`door` is the node's way of signing in; `methods` those that it takes; `responds` its response mode, or “nothing”
    for a node that is told to answer without a body.

    `active` is whether the workflow is published, `listening` whether somebody waits at its Test URL; `starting`
    whether n8n has opened its port but not its webhooks. `payload_max` is the most bytes of a body once unpacked,
    `proxy_max` those a proxy before n8n lets through, 0 for any. `unpacks` is whether packed bodies are understood.
    """

    slug = "n8n"
    creates = r"/webhook/\w+$"
    missing = answers.NOT_FOUND

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        enforce_limits: bool = True,
        door: str = "headerAuth",
        methods: tuple[str, ...] = ("POST",),
        responds: str = "responseNode",
        active: bool = True,
        starting: bool = False,
        payload_max: int = PAYLOAD_SIZE_MAX,
        proxy_max: int = 0,
        unpacks: bool = True,
    ) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self.door, self.methods, self.responds = Door(door), list(methods), responds
        self.active, self.starting, self.listening = active, starting, False
        self.payload_max, self.proxy_max, self.unpacks = payload_max, proxy_max, unpacks
        self.contacts: dict[str, dict[str, Any]] = {}
        # How often each delivery of a contact was worked on: once, as the workflow drops repeats.
        self.worked: dict[str, int] = {}
        self.executions = self.repeats = 0
        self.requests: list[str] = []

    def config(self, base_url: str) -> dict[str, Any]:
        address = base_url + WEBHOOK.format(path=PATH)
        return {"webhook_url": address, "auth_header": HEADER, "auth_value": TOKEN, "api_key": KEY}

    def people(self) -> list[dict[str, Any]]:
        """Every stored contact as {"id", member: value}."""
        with self.lock:
            return [{"id": number, **contact} for number, contact in self.contacts.items()]

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"email": f"person{number}@example.com", "firstName": f"Ann {number}", "lastName": "Bell"}

    def bad_values(self, number: int) -> dict[str, Any]:
        """The workflow stumbles over what is no address."""
        return {"email": f"not-an-address-{number}", "firstName": "Nobody"}

    def most_held(self, capabilities: Capabilities) -> int:
        return (capabilities.max_in_flight + 2) * capabilities.write_batch

    def after(self, request: SandboxRequest, reply: SandboxReply) -> SandboxReply:
        """What is no address of n8n's own is answered with a page."""
        if reply.body is not self.missing:
            return reply
        return SandboxReply(404, answers.no_such_page(request.method, request.path), {"content-type": "text/html"})

    @route("POST", WEBHOOK)
    @route("GET", WEBHOOK)
    @route("PUT", WEBHOOK)
    @route("PATCH", WEBHOOK)
    @route("DELETE", WEBHOOK)
    def webhook(self, request: SandboxRequest, path: str) -> SandboxReply:
        if self.starting:
            return SandboxReply(404, self.missing)
        if not self.active or path != PATH:
            raise Refused(404, answers.not_registered(request.method, path))
        if request.method not in self.methods:
            raise Refused(404, answers.other_method(request.method, self.methods))
        return self._execute(request)

    @route("POST", "/webhook-test/{path}")
    @route("PATCH", "/webhook-test/{path}")
    def test_webhook(self, request: SandboxRequest, path: str) -> SandboxReply:
        """Takes one call after a click."""
        if not self.listening or path != PATH:
            raise Refused(404, answers.not_listening(request.method, path))
        if request.method not in self.methods:
            raise Refused(404, answers.other_method(request.method, self.methods))
        self.listening = False
        return self._execute(request)

    @route("GET", "/api/v1/workflows")
    def workflows(self, request: SandboxRequest) -> SandboxReply:
        key = request.headers.get("x-n8n-api-key")
        if key is None:
            raise Refused(401, answers.NO_KEY)
        if key != KEY:
            raise Refused(401, answers.BAD_KEY)
        limit = int(request.query.get("limit", 100))
        if limit > 250:
            raise Refused(400, answers.LIMIT_TOO_HIGH)
        unknown = next((name for name in request.query if name not in ("active", "limit", "cursor")), None)
        if unknown is not None:
            raise Refused(400, answers.unknown_parameter(unknown))
        shown = [answers.workflow(PATH, self.methods, self.door.name, self.responds)] if self.active else []
        return SandboxReply(200, {"data": shown, "nextCursor": None})

    @route("GET", "/healthz")
    def health(self, request: SandboxRequest) -> SandboxReply:
        return SandboxReply(200, {"status": "ok"})

    def _execute(self, request: SandboxRequest) -> SandboxReply:
        contacts = self._contacts(request)
        self.door.check(request.headers, self.clock.now())
        self.executions += 1
        self.requests.append(request.headers.get("x-crmsync-delivery", ""))
        try:
            for contact in contacts:
                self._work_on(contact)
        except Stumbled:
            # What was worked on before stays done.
            return self._failed()
        if self.responds == "onReceived":
            return SandboxReply(200, answers.STARTED)
        if self.responds == "nothing":
            return SandboxReply(200, None)
        return SandboxReply(200, {"ok": True, "received": len(contacts)})

    def _failed(self) -> SandboxReply:
        """Only a workflow whose last node answers is told to have failed; that is what n8n 2.8.4 does."""
        match self.responds:
            case "onReceived":
                return SandboxReply(200, answers.STARTED)
            case "responseNode" | "nothing":
                return SandboxReply(200, None)
        raise Refused(500, answers.FAILED)

    def _contacts(self, request: SandboxRequest) -> list[Any]:
        """The body as the workflow has it: limits and JSON are looked at before credentials are."""
        if self.proxy_max and len(request.body) > self.proxy_max:
            raise Refused(413, answers.PROXY_PAGE, {"content-type": "text/html"})
        body = request.body
        if request.headers.get("content-encoding") == "gzip":
            if not self.unpacks:
                raise Refused(415, answers.NOT_UNPACKED)
            body = zlib.decompress(body, wbits=31)
        if len(body) > self.payload_max:
            raise Refused(500, answers.OVER_LIMIT)
        if not body or not request.headers.get("content-type", "").startswith("application/json"):
            return []
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Refused(422, answers.NOT_JSON) from None
        return found if isinstance(found, list) else [found]

    def _work_on(self, contact: Any) -> None:
        """The steps of workflow.json for one contact. Raises Stumbled."""
        if not isinstance(contact, dict):
            raise Stumbled
        number, delivery = contact.get("crmsync_id"), contact.get("delivery_id")
        if not (isinstance(number, str) and number and isinstance(delivery, str) and delivery):
            raise Stumbled
        if delivery in self.worked:
            self.repeats += 1
            return
        if contact.get("email") and not ADDRESS.fullmatch(contact["email"]):
            raise Stumbled
        self.worked[delivery] = self.worked.get(delivery, 0) + 1
        self.contacts[number] = _kept(contact)


class Stumbled(Exception):
    """A node of the workflow failed."""


def _kept(contact: Mapping[str, Any]) -> dict[str, Any]:
    envelope = ("crmsync_id", "event", "hash", "delivery_id", "fields")
    return {k: v for k, v in contact.items() if k not in envelope} | contact.get("fields", {})


SANDBOX = N8nSandbox
