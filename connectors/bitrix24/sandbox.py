"""A Bitrix24 portal in memory: webhooks and tokens, batches, lists, limits and refusals as documented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from connectors.bitrix24 import sandbox_batch as batches
from connectors.bitrix24 import sandbox_oauth as oauth
from connectors.bitrix24 import sandbox_refusals as refusals
from connectors.bitrix24.entities import CHANGED, MULTIFIELDS
from connectors.bitrix24.sandbox_limits import OPERATING_SECONDS, Bucket, OperatingTime
from connectors.bitrix24.sandbox_methods import Portal
from connectors.bitrix24.sandbox_people import contact
from connectors.bitrix24.sandbox_records import ZONE, Records
from connectors.core.clock import Clock
from connectors.core.sandbox import Sandbox, SandboxReply, SandboxRequest, route
from connectors.core.types import CONTACTS, Capabilities

USER, CODE = "1", "8g9l071eismy9q2l"
WEBHOOK = f"/rest/{USER}/{CODE}"


class BitrixSandbox(Sandbox):
    """`people` contacts are there already. A list takes `list_seconds` of its method's time, a write `write_seconds`;
    where `takes_time` is true the clock moves by as much.
    """

    slug = "bitrix24"
    creates = r"/batch$"
    key_field = "EMAIL"
    missing = {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}
    sign_in_paths = (oauth.PAGE, oauth.ANSWER, oauth.TOKEN)

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        enforce_limits: bool = True,
        people: int = 0,
        list_seconds: float = 0.05,
        write_seconds: float = 0.3,
        takes_time: bool = False,
    ) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self.portal = Portal(self.clock)
        self.portal.records[CONTACTS].fill(people, contact)
        self.authority = oauth.Authority(self.clock)
        self.bucket, self.operating = Bucket(self.clock), OperatingTime(self.clock)
        self.list_seconds, self.write_seconds, self.takes_time = list_seconds, write_seconds, takes_time

    @property
    def events(self) -> Any:
        return self.portal.events

    def config(self, base_url: str) -> dict[str, Any]:
        return {"webhook_url": f"{base_url}{WEBHOOK}/"}

    def register_hub(self, address: str) -> None:
        self.authority.redirect_uri = address + oauth.CALLBACK_PATH

    def oauth_config(self, base_url: str) -> dict[str, Any]:
        return {
            "portal": "sandbox.bitrix24.com",
            "base_url": base_url,
            "token_url": base_url + oauth.TOKEN,
            "client_id": oauth.CLIENT_ID,
            "client_secret": oauth.CLIENT_SECRET,
        }

    def on_served(self) -> None:
        self.portal.events.go_live()

    def people(self) -> list[dict[str, Any]]:
        """Every stored contact as {"id", its fields, of its lists the first value}."""
        return self.stored(CONTACTS)

    def stored(self, entity: str) -> list[dict[str, Any]]:
        with self.lock:
            return [_plain(row) for row in self.portal.records[entity].every()]

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"NAME": f"Ann {number}", "LAST_NAME": "Bell", "EMAIL": f"person{number}@example.com"}

    def bad_values(self, number: int) -> dict[str, Any]:
        return {"NAME": "Nobody", "EMAIL": f"nobody{number}@nodomain"}

    def sample_of(self, entity: str, number: int) -> dict[str, Any]:
        return self.sample_values(number) if entity == CONTACTS else {"TITLE": f"{entity} number {number}"}

    def most_held(self, capabilities: Capabilities) -> int:
        return (capabilities.max_in_flight + 2) * capabilities.write_batch

    def person_adds(self, entity: str = CONTACTS, *, changed: str = "", **fields: Any) -> str:
        """A person makes a record in the portal's own pages, or imports one that last `changed` long ago; its id."""
        given = {CHANGED: changed} if changed else {}
        with self.lock:
            return str(self.portal.records[entity].add(fields, **given))

    def person_updates(self, number: str, entity: str = CONTACTS, **fields: Any) -> None:
        with self.lock:
            self.portal.records[entity].update(int(number), fields)

    def person_deletes(self, number: str, entity: str = CONTACTS) -> None:
        with self.lock:
            self.portal.records[entity].delete(int(number))

    def records(self, entity: str = CONTACTS) -> Records:
        return self.portal.records[entity]

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        if request.path.startswith("/rest/") and self.enforce_limits and not self.bucket.take():
            raise refusals.too_many()
        return None

    def after(self, request: SandboxRequest, reply: SandboxReply) -> SandboxReply:
        kind = "text/html; charset=UTF-8" if isinstance(reply.body, bytes) else "application/json; charset=utf-8"
        return SandboxReply(reply.status, reply.body, {"content-type": kind, **reply.headers})

    @route("GET", oauth.PAGE)
    def authorization_page(self, request: SandboxRequest) -> SandboxReply:
        return self.authority.page(request)

    @route("GET", oauth.ANSWER)
    def authorization_answer(self, request: SandboxRequest) -> SandboxReply:
        return self.authority.answer(request, self.base_url)

    @route("GET", oauth.TOKEN)
    def token(self, request: SandboxRequest) -> SandboxReply:
        return self.authority.token(request.query)

    @route("GET", "/rest/{user}/{code}/{method}")
    @route("POST", "/rest/{user}/{code}/{method}")
    def by_webhook(self, request: SandboxRequest, user: str, code: str, method: str) -> SandboxReply:
        if (user, code) != (USER, CODE):
            raise refusals.no_access()
        return self._answer(method, _asked(request), by_webhook=True)

    @route("GET", "/rest/{method}")
    @route("POST", "/rest/{method}")
    def by_token(self, request: SandboxRequest, method: str) -> SandboxReply:
        asked = _asked(request)
        token = str(asked.pop("auth", ""))
        if not token:
            raise refusals.no_access()
        if not self.authority.good(token):
            raise refusals.expired()
        return self._answer(method, asked, by_webhook=False)

    def _answer(self, method: str, asked: dict[str, Any], *, by_webhook: bool) -> SandboxReply:
        name = method.removesuffix(".json")
        if name != "batch":
            result, total, following, time = self._run(name, asked, by_webhook=by_webhook)
            counted = {} if total is None else {"total": total}
            counted |= {} if following is None else {"next": following}
            return SandboxReply(200, {"result": result, **counted, "time": time})
        started = self.clock.now().timestamp()
        result = batches.carry_out(asked, lambda n, params: self._run(n, params, by_webhook=by_webhook))
        return SandboxReply(200, {"result": result, "time": self._time(started, 0.0)})

    def _run(self, method: str, asked: dict[str, Any], *, by_webhook: bool) -> batches.Done:
        name = method.lower()
        if self.enforce_limits and self.operating.sum(name) > OPERATING_SECONDS:
            raise refusals.used_up()
        started = self.clock.now().timestamp()
        result, total, following = self.portal.run(name, asked, by_webhook=by_webhook)
        writes = name.rpartition(".")[2] in ("add", "update", "delete")
        seconds = self.write_seconds if writes else self.list_seconds
        self.operating.spend(name, seconds)
        if self.takes_time:
            self.clock.sleep(seconds)
        return result, total, following, self._time(started, seconds) | self.operating.told(name)

    def _time(self, started: float, seconds: float) -> dict[str, Any]:
        now = self.clock.now()
        local = now.astimezone(ZONE).isoformat(timespec="seconds")
        return {
            "start": started, "finish": now.timestamp(), "duration": seconds, "processing": seconds,
            "date_start": local, "date_finish": local,
        }  # fmt: skip


def _asked(request: SandboxRequest) -> dict[str, Any]:
    """Parameters from the query and the body; with any other type of content the body is not read (sheet 2)."""
    pairs = [(name, value) for name, values in request.query_lists.items() for value in values]
    asked = batches.form(urlencode(pairs).encode())
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json"):
        body = request.json() if request.body else {}
        return {**asked, **body} if isinstance(body, dict) else asked
    if kind.startswith("application/x-www-form-urlencoded"):
        return {**asked, **batches.form(request.body)}
    return asked


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    first = {name: row[name][0]["VALUE"] for name in MULTIFIELDS if row.get(name)}
    return {"id": row["ID"], **row, **first}


SANDBOX = BitrixSandbox
