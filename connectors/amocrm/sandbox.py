"""An amoCRM account in memory: the limits, refusals and error bodies of the documented API, and its OAuth pages."""

from __future__ import annotations

from typing import Any

from connectors.amocrm import sandbox_records as records
from connectors.amocrm.sandbox_oauth import CALLBACK_PATH, CLIENT_ID, CLIENT_SECRET, Authority
from connectors.amocrm.sandbox_records import Account
from connectors.amocrm.sandbox_webhooks import Hooks
from connectors.amocrm.webhooks import PATH as WEBHOOKS
from connectors.core.clock import Clock
from connectors.core.sandbox import Refused, Sandbox, SandboxReply, SandboxRequest, WindowLimit, route

CONTACTS = "/api/v4/contacts"
TOKEN = "long-lived-sandbox-token"  # noqa: S105 - the stand-in's only long-lived token
MOST = 250


class AmoSandbox(Sandbox):
    """`filters` is whether the account heeds `filter[...]`: where it does not, everything comes back."""

    slug = "amocrm"
    key_field = "EMAIL"
    missing = records.problem(404, "Not Found", "Cannot GET")

    def __init__(self, clock: Clock | None = None, *, enforce_limits: bool = True, filters: bool = True) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self.account = Account(self.clock)
        self.authority = Authority(self.clock)
        self.hooks = Hooks(self.clock)
        self.filters = filters
        self.timezone = "Europe/Moscow"
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
            return [_person(contact) for contact in self.account.contacts.values()]

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"first_name": f"Ann {number}", "last_name": "Bell", "EMAIL": f"person{number}@example.com"}

    def bad_values(self, number: int) -> dict[str, Any]:
        return {"first_name": "Nobody" * 50, "EMAIL": f"nobody{number}@example.com"}

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        if self.enforce_limits and self._limit.take(self.clock.monotonic()) > 0:
            return SandboxReply(429, records.problem(429, "Too Many Requests", "Slow down", retry_after=1))
        if not request.path.startswith("/api/"):
            return None
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token != TOKEN and not self.authority.good(token):
            return SandboxReply(401, records.problem(401, "Unauthorized", "Invalid user name or password"))
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
        body: dict[str, Any] = {"id": records.ACCOUNT_ID, "name": "Sandbox", "subdomain": "sandbox"}
        wanted = request.query.get("with", "").split(",")
        if "is_api_filter_enabled" in wanted:
            body["is_api_filter_enabled"] = self.filters
        if "datetime_settings" in wanted:
            body["_embedded"] = {"datetime_settings": {"timezone": self.timezone}}
        return SandboxReply(200, body)

    @route("GET", f"{CONTACTS}/custom_fields")
    def list_fields(self, request: SandboxRequest) -> SandboxReply:
        return self._listed(request, "custom_fields", list(self.account.fields.values()))

    @route("GET", CONTACTS)
    def list_contacts(self, request: SandboxRequest) -> SandboxReply:
        query = request.query
        ids = request.query_lists.get("filter[id][]", []) if self.filters else []
        since = query.get("filter[updated_at][from]", "") if self.filters else ""
        found = self.account.matching(ids, since, query.get("query", ""))
        for name in ("id", "updated_at"):
            order = query.get(f"order[{name}]")
            if order:
                found.sort(key=lambda c: c[name], reverse=order == "desc")
        return self._listed(request, "contacts", found)

    @route("GET", CONTACTS + "/{number}")
    def get_contact(self, request: SandboxRequest, number: str) -> SandboxReply:
        contact = self.account.contacts.get(int(number)) if number.isdigit() else None
        return SandboxReply(204) if contact is None else SandboxReply(200, self._shown(contact))

    @route("POST", CONTACTS)
    def create(self, request: SandboxRequest) -> SandboxReply:
        items = self._items(request, update=False)
        made = [(self.account.create(item), str(item.get("request_id", i))) for i, item in enumerate(items)]
        self.hooks.announce("contacts", "add", [c for c, _ in made])
        rows = [
            {"id": c["id"], "is_deleted": False, "is_unsorted": False, "request_id": trace, "_links": self._self(c)}
            for c, trace in made
        ]
        return self._written(rows)

    @route("PATCH", CONTACTS)
    def update(self, request: SandboxRequest) -> SandboxReply:
        changed = [self.account.update(item) for item in self._items(request, update=True)]
        self.hooks.announce("contacts", "update", changed)
        names = ("id", "name", "updated_at", "is_deleted", "is_unsorted")
        return self._written([{**{n: c[n] for n in names}, "_links": self._self(c)} for c in changed])

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

    def person_adds(self, **item: Any) -> str:
        """A person makes a contact in the account's own pages; the id."""
        return self._by_person("add", self.account.create(item))

    def person_updates(self, number: str, **item: Any) -> None:
        self._by_person("update", self.account.update({**item, "id": int(number)}))

    def person_deletes(self, number: str) -> None:
        self._by_person("delete", self.account.contacts.pop(int(number)))

    def _by_person(self, action: str, contact: dict[str, Any]) -> str:
        self.hooks.announce("contacts", action, [contact])
        return str(contact["id"])

    def _items(self, request: SandboxRequest, *, update: bool) -> list[dict[str, Any]]:
        items = request.json()
        if not isinstance(items, list) or not items:
            raise records.bad_request("Request body must be a non-empty array")
        if len(items) > MOST:
            raise Refused(422, records.problem(422, "Unprocessable Entity", "Limit 250 per page"))
        wrong = [self.account.examine(item, i, update=update) for i, item in enumerate(items)]
        if any(wrong):
            raise records.invalid([found for found in wrong if found is not None])
        return items

    def _written(self, rows: list[dict[str, Any]]) -> SandboxReply:
        # The order of the answer is not the order of the request.
        links = {"self": {"href": self.base_url + CONTACTS}}
        return SandboxReply(200, {"_links": links, "_embedded": {"contacts": rows[::-1]}})

    def _listed(self, request: SandboxRequest, name: str, found: list[dict[str, Any]]) -> SandboxReply:
        limit, page = min(int(request.query.get("limit", "50")), MOST), int(request.query.get("page", "1"))
        shown = found[(page - 1) * limit : page * limit]
        if not shown:
            return SandboxReply(204)
        path = f"{self.base_url}{request.path}?limit={limit}&page="
        links = {"self": {"href": f"{path}{page}"}}
        if page * limit < len(found):
            links["next"] = {"href": f"{path}{page + 1}"}
        rows = [self._shown(c) for c in shown] if name == "contacts" else shown
        return SandboxReply(200, {"_page": page, "_links": links, "_embedded": {name: rows}})

    def _shown(self, contact: dict[str, Any]) -> dict[str, Any]:
        return {**contact, "_links": self._self(contact)}

    def _self(self, contact: dict[str, Any]) -> dict[str, Any]:
        return {"self": {"href": f"{self.base_url}{CONTACTS}/{contact['id']}"}}


def _person(contact: dict[str, Any]) -> dict[str, Any]:
    held = contact["custom_fields_values"] or ()
    first = {f["field_code"] or f"cf_{f['field_id']}": f["values"][0]["value"] for f in held}
    return {"id": contact["id"], "first_name": contact["first_name"], "last_name": contact["last_name"], **first}


SANDBOX = AmoSandbox
