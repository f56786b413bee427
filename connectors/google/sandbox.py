"""A Google account's contacts in memory: the masks, etags, sizes, quotas and refusals of the documented API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from connectors.core.clock import Clock
from connectors.core.sandbox import Sandbox, SandboxReply, SandboxRequest, route
from connectors.core.types import Capabilities
from connectors.google import sandbox_oauth as oauth
from connectors.google import sandbox_refusals as refusals
from connectors.google.sandbox_answers import answered, members, plain, row, told
from connectors.google.sandbox_examination import Complaint, complaint, mask, person
from connectors.google.sandbox_lists import Lists
from connectors.google.sandbox_people import Book, shown
from connectors.google.sandbox_quotas import DELETES, READS, WRITES, Quota, Quotas

ACCESS_TOKEN = "ya29.sandbox"  # noqa: S105 - the stand-in's only lasting token
MOST, MOST_DELETED, CAPACITY = 200, 500, 25_000


class GoogleSandbox(Sandbox):
    """`per_minute` is every quota's size and `capacity` how many contacts fit.

    The reference leaves open what these say: `addresses`, whether an e-mail address without a domain is refused;
    `names_errors`, whether a refused batch names its culprits; `writes_in_part`, whether the rest of it is written.
    """

    slug = "google"
    creates = r"people:(batchC|c)reateContacts?$"
    key_field = "emailAddresses"
    missing = refusals.NOWHERE
    sign_in_paths = (oauth.PAGE, oauth.ANSWER, oauth.TOKEN)

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        enforce_limits: bool = True,
        per_minute: int = 90,
        capacity: int = CAPACITY,
        addresses: bool = True,
        names_errors: bool = True,
        writes_in_part: bool = False,
    ) -> None:
        super().__init__(clock, enforce_limits=enforce_limits)
        self.book = Book(self.clock)
        self.lists = Lists(self.book, self.clock)
        self.authority = oauth.Authority(self.clock)
        self.capacity, self.addresses = capacity, addresses
        self.names_errors, self.writes_in_part = names_errors, writes_in_part
        self.scopes = {oauth.CONTACTS_SCOPE}
        self.api_enabled = True
        self.quotas = Quotas(self.clock, per_minute)

    def config(self, base_url: str) -> dict[str, Any]:
        return {**self._addresses(base_url), "access_token": ACCESS_TOKEN}

    def register_hub(self, address: str) -> None:
        self.authority.redirect_uri = address + oauth.CALLBACK_PATH

    def oauth_config(self, base_url: str) -> dict[str, Any]:
        client = {"client_id": oauth.CLIENT_ID, "client_secret": oauth.CLIENT_SECRET}
        return {**self._addresses(base_url), **client, "redirect_uri": self.authority.redirect_uri}

    def _addresses(self, base_url: str) -> dict[str, Any]:
        return {"base_url": base_url, "auth_url": base_url + oauth.PAGE, "token_url": base_url + oauth.TOKEN}

    def people(self) -> list[dict[str, Any]]:
        """Every stored contact as {"id", name parts, "emailAddresses": the first one, "email": the same}."""
        with self.lock:
            return [plain(contact) for contact in self.book.living()]

    def sample_values(self, number: int) -> dict[str, Any]:
        return {"givenName": f"Ann {number}", "familyName": "Bell", "emailAddresses": f"person{number}@example.com"}

    def bad_values(self, number: int) -> dict[str, Any]:
        return {"givenName": "Nobody", "emailAddresses": f"nobody{number}@nodomain"}

    def most_held(self, capabilities: Capabilities) -> int:
        return (capabilities.max_in_flight + 2) * capabilities.write_batch

    def person_adds(self, **lists: list[dict[str, Any]]) -> str:
        """Somebody makes a contact on Google's own page; its resource name."""
        with self.lock:
            return self.book.create(lists).name

    def person_updates(self, name: str, **lists: list[dict[str, Any]]) -> None:
        with self.lock:
            self.book.write(self.book.everybody[name], lists, lists)

    def person_deletes(self, name: str) -> None:
        with self.lock:
            self.book.delete(self.book.everybody[name])

    def person_merges(self, name: str, into: str) -> None:
        with self.lock:
            self.book.merge(self.book.everybody[name], self.book.everybody[into])

    def handle(self, request: SandboxRequest) -> SandboxReply:
        if request.headers.get("x-http-method-override") == "GET":
            url = f"{request.path}?{request.body.decode()}"
            request = SandboxRequest.make("GET", url, request.headers, b"")
        return super().handle(request)

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        if not request.path.startswith("/v1/"):
            return None
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token != ACCESS_TOKEN and not self.authority.good(token):
            raise refusals.unauthenticated()
        if not self.api_enabled:
            raise refusals.service_disabled()
        if oauth.CONTACTS_SCOPE not in self.scopes:
            raise refusals.missing_scope()
        return None

    def after(self, request: SandboxRequest, reply: SandboxReply) -> SandboxReply:
        kind = "text/html; charset=UTF-8" if isinstance(reply.body, bytes) else "application/json; charset=UTF-8"
        return SandboxReply(reply.status, reply.body, {"content-type": kind, **reply.headers})

    def _charge(self, quota: Quota, units: int) -> None:
        if self.enforce_limits:
            self.quotas.charge(quota, units)

    @route("GET", oauth.PAGE)
    def consent_page(self, request: SandboxRequest) -> SandboxReply:
        return self.authority.page(request)

    @route("GET", oauth.ANSWER)
    def consent_answer(self, request: SandboxRequest) -> SandboxReply:
        return self.authority.answer(request)

    @route("POST", oauth.TOKEN)
    def token(self, request: SandboxRequest) -> SandboxReply:
        return self.authority.token(dict(parse_qsl(request.body.decode())))

    @route("GET", "/v1/people/me")
    def me(self, request: SandboxRequest) -> SandboxReply:
        self._charge(READS, 1)
        mask(request.query.get("personFields"), "personFields")
        source = {"type": "PROFILE", "id": oauth.SUBJECT}
        address = {"metadata": {"primary": True, "source": source}, "value": oauth.ADDRESS}
        me = {"resourceName": f"people/{oauth.SUBJECT}", "etag": "%EgMBAgk=", "emailAddresses": [address]}
        return SandboxReply(200, me)

    @route("GET", "/v1/people/me/connections")
    def connections(self, request: SandboxRequest) -> SandboxReply:
        self._charge(READS, 1)
        return SandboxReply(200, self.lists.answer(request))

    @route("GET", "/v1/people:batchGet")
    def batch_get(self, request: SandboxRequest) -> SandboxReply:
        self._charge(READS, 1)
        members = mask(request.query.get("personFields"), "personFields")
        names = request.query_lists.get("resourceNames", [])
        if not 1 <= len(names) <= MOST or not all(name.startswith("people/") for name in names):
            raise refusals.invalid()
        return SandboxReply(200, {"responses": [self._got(name, members) for name in names]})

    @route("POST", "/v1/people:createContact")
    def create(self, request: SandboxRequest) -> SandboxReply:
        self._charge(READS, 1)
        self._charge(WRITES, 1)
        body, members = request.json(), answered(request.query.get("personFields"))
        self._room(1)
        person(body, "person")
        self._refuse(complaint(body, addresses=self.addresses))
        return SandboxReply(200, shown(self.book.create(body), members))

    @route("PATCH", "/v1/people/{part}")
    def update(self, request: SandboxRequest, part: str) -> SandboxReply:
        number, _, verb = part.rpartition(":")
        if verb != "updateContact":
            return SandboxReply(404, self.missing)
        self._charge(READS, 1)
        self._charge(WRITES, 1)
        fields = mask(request.query.get("updatePersonFields"), "updatePersonFields", writing=True)
        body = request.json()
        person(body, "person")
        self._refuse(self._update_fault(f"people/{number}", body))
        contact = self.book.everybody[f"people/{number}"]
        self.book.write(contact, body, fields)
        return SandboxReply(200, shown(contact, answered(request.query.get("personFields"))))

    @route("POST", "/v1/people:batchCreateContacts")
    def batch_create(self, request: SandboxRequest) -> SandboxReply:
        self._charge(READS, 6)
        self._charge(WRITES, 6)
        body = members(request.json(), {"contacts", "readMask", "sources"})
        contacts = body.get("contacts")
        if not isinstance(contacts, list) or not 1 <= len(contacts) <= MOST:
            raise refusals.invalid()
        for number, item in enumerate(contacts):
            at = f"contacts[{number}]"
            person(members(item, {"contactPerson"}, at).get("contactPerson"), f"{at}.contact_person")
        self._room(len(contacts))
        bodies = {str(number): item["contactPerson"] for number, item in enumerate(contacts)}
        wrong = {name: fault for name, b in bodies.items() if (fault := complaint(b, addresses=self.addresses))}
        if wrong and not self.writes_in_part:
            raise refusals.batch("BatchCreateContacts", wrong, named=self.names_errors)
        made = [self.book.create(b) for name, b in bodies.items() if name not in wrong]
        if wrong:
            raise refusals.batch("BatchCreateContacts", wrong, named=self.names_errors)
        # The order of the answer is not that of the request.
        return SandboxReply(200, told("createdPeople", [row(c, body.get("readMask")) for c in made[::-1]], body))

    @route("POST", "/v1/people:batchUpdateContacts")
    def batch_update(self, request: SandboxRequest) -> SandboxReply:
        self._charge(READS, 6)
        self._charge(WRITES, 6)
        body = members(request.json(), {"contacts", "updateMask", "readMask", "sources"})
        contacts = body.get("contacts")
        if isinstance(contacts, list):
            raise refusals.invalid("Invalid JSON payload received. Cannot bind a list to map for field 'contacts'.")
        if not isinstance(contacts, dict) or not 1 <= len(contacts) <= MOST:
            raise refusals.invalid()
        fields = mask(body.get("updateMask"), "updateMask", writing=True)
        for name, item in contacts.items():
            person(item, f"contacts[{name}]")
        wrong = {name: fault for name, item in contacts.items() if (fault := self._update_fault(name, item))}
        right = [name for name in contacts if name not in wrong]
        for name in right if self.writes_in_part or not wrong else ():
            self.book.write(self.book.everybody[name], contacts[name], fields)
        if wrong:
            raise refusals.batch("BatchUpdateContacts", wrong, named=self.names_errors)
        rows = {name: row(self.book.everybody[name], body.get("readMask")) for name in contacts}
        return SandboxReply(200, told("updateResult", rows, body))

    @route("POST", "/v1/people:batchDeleteContacts")
    def batch_delete(self, request: SandboxRequest) -> SandboxReply:
        self._charge(DELETES, 10)
        names = members(request.json(), {"resourceNames"}).get("resourceNames")
        if not isinstance(names, list) or not 1 <= len(names) <= MOST_DELETED:
            raise refusals.invalid()
        if any(self.book.get(name) is None for name in names):
            raise refusals.not_found()
        for name in names:
            self.book.delete(self.book.everybody[name])
        return SandboxReply(200, {})

    def _got(self, name: str, members: list[str]) -> dict[str, Any]:
        contact = self.book.get(name) or self.book.get(self.book.merged.get(name, ""))
        if contact is None:
            status = {"code": 5, "message": "Requested entity was not found."}
            return {"httpStatusCode": 404, "requestedResourceName": name, "status": status}
        row = {"httpStatusCode": 200, "person": shown(contact, members), "requestedResourceName": name}
        return {**row, "status": {}}

    def _room(self, more: int) -> None:
        if len(self.book.living()) + more > self.capacity:
            raise refusals.account_full()

    def _update_fault(self, name: str, body: Mapping[str, Any]) -> Complaint | None:
        return self.book.update_fault(name, body) or complaint(body, addresses=self.addresses)

    def _refuse(self, fault: Complaint | None) -> None:
        if fault is not None:
            raise refusals.refusal(refusals.STATUSES[fault[0]], refusals.NAMES[fault[0]], fault[1])


SANDBOX = GoogleSandbox
