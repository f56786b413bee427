"""An amoCRM account in memory: the limits, refusals and error bodies of the documented API, and its OAuth pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.amocrm import sandbox_refusals as refusals
from connectors.amocrm.entities import ENTITIES
from connectors.amocrm.sandbox_fields import FieldDefinitions
from connectors.amocrm.sandbox_oauth import CALLBACK_PATH, CLIENT_ID, CLIENT_SECRET, Authority
from connectors.amocrm.sandbox_records import Account, person
from connectors.amocrm.sandbox_settings import ACCOUNT_ID
from connectors.amocrm.sandbox_webhooks import Hooks
from connectors.amocrm.webhooks import PATH as WEBHOOKS
from connectors.core.clock import Clock
from connectors.core.sandbox import Handler, Sandbox, SandboxReply, SandboxRequest, WindowLimit, route

CONTACTS = "/api/v4/contacts"
TOKEN = "long-lived-sandbox-token"  # noqa: S105 - the stand-in's only long-lived token
MOST = 250


def for_each(method: str, below: str = "") -> Callable[[Handler], Handler]:
    """Marks a handler for the same address below every entity."""

    def mark(handler: Handler) -> Handler:
        for entity in ENTITIES.values():
            handler = route(method, entity.path + below)(handler)
        return handler

    return mark


def entity_of(request: SandboxRequest) -> str:
    return request.path.split("/")[3]


class AmoSandbox(Sandbox):
    """`filters` is whether the account heeds `filter[...]`: where it does not, everything comes back.

    `administrator` is whether the token is one's: only theirs may list people and define fields. `people` contacts are
    there already.
    """

    slug = "amocrm"
    key_field = "EMAIL"
    missing = refusals.problem(404, "Not Found", "Cannot GET")
    sign_in_paths = ("/oauth", "/oauth/answer", "/oauth2/access_token")

    def __init__(
        self, clock: Clock | None = None, *, enforce_limits: bool = True, filters: bool = True, people: int = 0
    ) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self.account = Account(self.clock)
        self.account.fill(people)
        self.authority = Authority(self.clock)
        self.hooks = Hooks(self.clock)
        self.bin: dict[tuple[str, str], dict[str, Any]] = {}
        self.definitions = FieldDefinitions(self.account.fields)
        self.filters = filters
        self.timezone = "Europe/Moscow"
        self.administrator = True
        self._limit = WindowLimit(7, 1.0)

    def config(self, base_url: str) -> dict[str, Any]:
        return {"domain": "sandbox", "base_url": base_url, "access_token": TOKEN}

    def register_hub(self, address: str) -> None:
        self.authority.redirect_uri = address + CALLBACK_PATH

    def oauth_config(self, base_url: str) -> dict[str, Any]:
        return {
            "domain": "sandbox",
            "base_url": base_url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uri": self.authority.redirect_uri,
        }

    def on_served(self) -> None:
        self.hooks.go_live()

    def people(self) -> list[dict[str, Any]]:
        """Every stored contact as {"id", name parts, field code: first value}."""
        with self.lock:
            return [person(contact) for contact in self.account.contacts.values()]

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"first_name": f"Ann {number}", "last_name": "Bell", "EMAIL": f"person{number}@example.com"}

    def bad_values(self, number: int) -> dict[str, Any]:
        return {"first_name": "Nobody" * 50, "EMAIL": f"nobody{number}@example.com"}

    def sample_of(self, entity: str, number: int) -> dict[str, Any]:
        return self.sample_values(number) if entity == "contacts" else {"name": f"{entity} number {number}"}

    def stored(self, entity: str) -> list[dict[str, Any]]:
        if entity == "contacts":
            return self.people()
        with self.lock:
            return [{"id": r["id"], "name": r["name"]} for r in self.account.records[entity].values()]

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        if self.enforce_limits and self._limit.take(self.clock.monotonic()) > 0:
            return SandboxReply(429, refusals.problem(429, "Too Many Requests", "Slow down", retry_after=1))
        if not request.path.startswith("/api/"):
            return None
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token != TOKEN and not self.authority.good(token):
            return SandboxReply(401, refusals.problem(401, "Unauthorized", "Invalid user name or password"))
        return None

    def after(self, request: SandboxRequest, reply: SandboxReply) -> SandboxReply:
        kind = "application/hal+json" if reply.status < 400 else "application/problem+json"
        return SandboxReply(reply.status, reply.body, {"content-type": kind, **reply.headers})

    @route("GET", "/oauth")
    def authorization_page(self, request: SandboxRequest) -> SandboxReply:
        return self.authority.page(request)

    @route("GET", "/oauth/answer")
    def authorization_answer(self, request: SandboxRequest) -> SandboxReply:
        return self.authority.answer(request, self.base_url)

    @route("POST", "/oauth2/access_token")
    def token(self, request: SandboxRequest) -> SandboxReply:
        return self.authority.token(request.json())

    @route("GET", "/api/v4/account")
    def show_account(self, request: SandboxRequest) -> SandboxReply:
        body: dict[str, Any] = {"id": ACCOUNT_ID, "name": "Sandbox", "subdomain": "sandbox"}
        wanted = request.query.get("with", "").split(",")
        if "is_api_filter_enabled" in wanted:
            body["is_api_filter_enabled"] = self.filters
        if "datetime_settings" in wanted:
            body["_embedded"] = {"datetime_settings": {"timezone": self.timezone}}
        return SandboxReply(200, body)

    @route("GET", "/api/v4/users")
    def list_users(self, request: SandboxRequest) -> SandboxReply:
        if not self.administrator:
            raise refusals.forbidden("Client doesn't have the required scope")
        return self._listed(request, "users", self.account.users)

    @route("GET", "/api/v4/leads/pipelines")
    def list_pipelines(self, request: SandboxRequest) -> SandboxReply:
        found = self.account.pipelines
        links = {"self": {"href": self.base_url + request.path}}
        return SandboxReply(200, {"_total_items": len(found), "_links": links, "_embedded": {"pipelines": found}})

    @for_each("GET", "/custom_fields")
    def list_fields(self, request: SandboxRequest) -> SandboxReply:
        return self._listed(request, "custom_fields", self.definitions.listed(entity_of(request)))

    @for_each("POST", "/custom_fields")
    def make_fields(self, request: SandboxRequest) -> SandboxReply:
        return self._defined(201, self.definitions.make(self._administered(request), request.json()))

    @for_each("PATCH", "/custom_fields")
    def change_fields(self, request: SandboxRequest) -> SandboxReply:
        return self._defined(200, self.definitions.change(self._administered(request), request.json()))

    def _administered(self, request: SandboxRequest) -> str:
        if not self.administrator:
            raise refusals.forbidden("Client doesn't have the required scope")
        return entity_of(request)

    @staticmethod
    def _defined(status: int, rows: list[dict[str, Any]]) -> SandboxReply:
        return SandboxReply(status, {"_total_items": len(rows), "_embedded": {"custom_fields": rows}})

    @for_each("GET")
    def list_records(self, request: SandboxRequest) -> SandboxReply:
        query, entity = request.query, entity_of(request)
        ids = request.query_lists.get("filter[id][]", []) if self.filters else []
        since = query.get("filter[updated_at][from]", "") if self.filters else ""
        found = self.account.matching(ids, since, query.get("query", ""), entity)
        if query.get("order[id]") == "desc":
            found.reverse()
        order = query.get("order[updated_at]")
        if order:
            found.sort(key=lambda r: r["updated_at"], reverse=order == "desc")
        return self._listed(request, entity, found)

    @for_each("GET", "/{number}")
    def get_record(self, request: SandboxRequest, number: str) -> SandboxReply:
        records = self.account.records[entity_of(request)]
        record = records.get(int(number)) if number.isdigit() else None
        return SandboxReply(204) if record is None else SandboxReply(200, self._shown(record, request))

    @for_each("POST")
    def create(self, request: SandboxRequest) -> SandboxReply:
        items, entity = self._items(request, request.json(), update=False), entity_of(request)
        made = [(self.account.create(item, entity), str(item.get("request_id", i))) for i, item in enumerate(items)]
        self.hooks.announce(entity, "add", [record for record, _ in made])
        told = ("id", "is_deleted", "is_unsorted")
        rows = [{**_some(r, told), "request_id": trace, "_links": self._self(r, entity)} for r, trace in made]
        return self._written(rows, entity)

    @for_each("PATCH")
    def update(self, request: SandboxRequest) -> SandboxReply:
        items, entity = self._items(request, request.json(), update=True), entity_of(request)
        changed = self._change(items, entity)
        names = ("id", "name", "updated_at", "is_deleted", "is_unsorted")
        return self._written([{**_some(r, names), "_links": self._self(r, entity)} for r in changed], entity)

    @route("GET", WEBHOOKS)
    def list_webhooks(self, request: SandboxRequest) -> SandboxReply:
        rows = self.hooks.listed(request.query.get("filter[destination]"))
        body = {"_total_items": len(rows), "_embedded": {"webhooks": rows}}
        return SandboxReply(200, body) if rows else SandboxReply(204)

    @route("POST", WEBHOOKS)
    def save_webhook(self, request: SandboxRequest) -> SandboxReply:
        return SandboxReply(201, self.hooks.save(request.json()))

    @route("DELETE", WEBHOOKS)
    def delete_webhook(self, request: SandboxRequest) -> SandboxReply:
        self.hooks.delete(request.json())
        return SandboxReply(204)

    def person_adds(self, entity: str = "contacts", **item: Any) -> str:
        """A person makes a record in the account's own pages; its id."""
        record = self.account.create(item, entity)
        self.hooks.announce(entity, "add", [record])
        return str(record["id"])

    def person_updates(self, number: str, entity: str = "contacts", **item: Any) -> None:
        self._change([{**item, "id": int(number)}], entity)

    def person_deletes(self, number: str, entity: str = "contacts") -> None:
        """A person puts a record into the bin: reads answer 204, lists leave it out (section 5.7)."""
        record = self.bin[entity, number] = self.account.records[entity].pop(int(number))
        self.hooks.announce(entity, "delete", [record])

    def person_restores(self, number: str, entity: str = "contacts") -> None:
        """A person takes a record back out of the bin."""
        record = self.account.records[entity][int(number)] = self.bin.pop((entity, number))
        self.hooks.announce(entity, "restore", [record])

    def _change(self, items: list[dict[str, Any]], entity: str) -> list[dict[str, Any]]:
        before = [dict(self.account.records[entity][item["id"]]) for item in items]
        changed = [self.account.update(item, entity) for item in items]
        self.hooks.announce_update(entity, before, changed)
        return changed

    @for_each("PATCH", "/{number}")
    def update_one(self, request: SandboxRequest, number: str) -> SandboxReply:
        item, entity = request.json(), entity_of(request)
        if not isinstance(item, dict):
            raise refusals.bad_request("Request body must be an object")
        (checked,) = self._items(request, [{**item, "id": int(number) if number.isdigit() else 0}], update=True)
        (record,) = self._change([checked], entity)
        return SandboxReply(200, {**_some(record, ("id", "updated_at")), "_links": self._self(record, entity)})

    def _items(self, request: SandboxRequest, items: Any, *, update: bool) -> list[dict[str, Any]]:
        if not isinstance(items, list) or not items:
            raise refusals.bad_request("Request body must be a non-empty array")
        if len(items) > MOST:
            raise refusals.too_many(MOST)
        entity = entity_of(request)
        wrong = [self.account.examine(item, i, entity, update=update) for i, item in enumerate(items)]
        if any(wrong):
            raise refusals.invalid([found for found in wrong if found is not None])
        return items

    def _written(self, rows: list[dict[str, Any]], entity: str) -> SandboxReply:
        # The order of the answer is not the order of the request.
        links = {"self": {"href": self.base_url + ENTITIES[entity].path}}
        return SandboxReply(200, {"_links": links, "_embedded": {entity: rows[::-1]}})

    def _listed(self, request: SandboxRequest, name: str, found: list[dict[str, Any]]) -> SandboxReply:
        limit, page = min(int(request.query.get("limit", "50")), MOST), int(request.query.get("page", "1"))
        shown = found[(page - 1) * limit : page * limit]
        if not shown:
            return SandboxReply(204)
        path = f"{self.base_url}{request.path}?limit={limit}&page="
        links = {"self": {"href": f"{path}{page}"}}
        if page * limit < len(found):
            links["next"] = {"href": f"{path}{page + 1}"}
        rows = [self._shown(r, request) for r in shown] if name in ENTITIES else shown
        return SandboxReply(200, {"_page": page, "_links": links, "_embedded": {name: rows}})

    def _shown(self, record: dict[str, Any], request: SandboxRequest) -> dict[str, Any]:
        related: dict[str, Any] = {"contacts": []} if "contacts" in request.query.get("with", "").split(",") else {}
        embedded = {**related, **record["_embedded"]}
        return {**record, "_embedded": embedded, "_links": self._self(record, entity_of(request))}

    def _self(self, record: dict[str, Any], entity: str) -> dict[str, Any]:
        return {"self": {"href": f"{self.base_url}{ENTITIES[entity].path}/{record['id']}"}}


def _some(record: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}


SANDBOX = AmoSandbox
