"""The five verbs over the three addresses of Template CRM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.core.base import Connector, Context
from connectors.core.batches import Batcher, Place
from connectors.core.delivery import Delivery, Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient
from connectors.core.types import (
    CONTACTS,
    Auth,
    Capabilities,
    Change,
    ConfigField,
    ConfigKind,
    ConnectorSpec,
    DefaultRule,
    Deletes,
    FieldSpec,
    Health,
    MatchKey,
    Outcome,
    Page,
    RateLimit,
    ReadMode,
    ReadQuery,
    RemoteRecord,
    Result,
)

BATCH = 50
LIMIT = RateLimit(20, 1.0)
# Called as ours are; where they are not, the default rules say which is which.
FIELDS = (
    FieldSpec("email", "E-mail", required=True),
    FieldSpec("first_name", "First name"),
    FieldSpec("last_name", "Last name"),
    FieldSpec("phone", "Phone"),
    FieldSpec("company", "Company"),
)

SPEC = ConnectorSpec(
    slug="template",
    label="Template CRM",
    auth=Auth.API_KEY,
    config=(
        ConfigField("api_key", "API key", ConfigKind.SECRET, signs_in=True),
        ConfigField("base_url", "API address", ConfigKind.URL, default="https://api.example.com", advanced=True),
        ConfigField(
            "rps",
            "Requests per second",
            ConfigKind.NUMBER,
            help="Replaces the documented limit. 0: none.",
            advanced=True,
        ),
    ),
    entities={
        CONTACTS: Capabilities(
            read=True,
            write=True,
            changes=True,
            deletes=Deletes.SCAN,
            page_size=BATCH,
            write_batch=BATCH,
            upsert_key="email",
            find_keys=("email",),
            find_batch=BATCH,
        )
    },
    limits=(LIMIT,),
    needs=("email",),
)


class TemplateConnector(Connector):
    """One account of Template CRM."""

    spec = SPEC

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        key = context.secret("api_key")
        self.client = ApiClient(
            context,
            self.config.get("base_url") or "https://api.example.com",
            limits=_limits(self.config.get("rps")),
            account=self.account_key(),
            sign=lambda headers: headers.update({"x-api-key": key}),
        )

    @classmethod
    def default_rules(cls, config: Mapping[str, Any]) -> Sequence[DefaultRule]:
        return tuple(DefaultRule(field.key, field.key) for field in FIELDS)

    def check(self) -> Health:
        self.client.get("/contacts", params={"limit": 1})
        return Health("The key is accepted.", account=self.client.base_url)

    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        return list(FIELDS)

    def read(self, query: ReadQuery) -> Iterator[Page]:
        if query.mode is ReadMode.IDS:
            return self._by_ids(query.ids)
        return self._pages(query)

    def _by_ids(self, ids: Sequence[str]) -> Iterator[Page]:
        for start in range(0, len(ids), BATCH):
            asked = ids[start : start + BATCH]
            found = self._look_up("id", asked)
            known = {record.id for record in found}
            gone = [i for i in asked if i not in known]
            yield Page(found, last=start + BATCH >= len(ids), deleted_ids=gone)

    def _pages(self, query: ReadQuery) -> Iterator[Page]:
        since = query.since.timestamp() if query.mode is ReadMode.CHANGES and query.since else 0.0
        cursor = dict(query.cursor or {"since": since, "after": 0})
        size = query.limit or BATCH
        last = False
        while not last:
            found = _listed(self.client.get("/contacts", params={**cursor, "limit": size}).member("contacts"))
            last = len(found) < size
            if found:
                cursor = {**cursor, "after": found[-1]["id"]}
            yield Page([_record(contact) for contact in found], None if last else cursor, last=last)

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        found: dict[str, RemoteRecord] = {}
        for start in range(0, len(keys), BATCH):
            addresses = [key.value.lower() for key in keys[start : start + BATCH]]
            found |= {str(record.values["email"]): record for record in self._look_up("email", addresses)}
        return {key: [found[key.value.lower()]] if key.value.lower() in found else [] for key in keys}

    def _look_up(self, field: str, values: Sequence[str]) -> list[RemoteRecord]:
        reply = self.client.post("/contacts/lookup", {"field": field, "values": list(values)})
        return [_record(contact) for contact in _listed(reply.member("contacts"))]

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        in_flight = self.capabilities(entity).max_in_flight
        return Delivery(changes, Batcher(_place, BATCH), self._send, in_flight=in_flight, log=self.context.log).run()

    def _send(self, ledger: Ledger) -> None:
        """An address belongs to one person, so that sending a batch again does no harm."""
        asked = ledger.open
        rows = [{"id": int(change.external_id or 0), **change.values} for change in asked]
        answers = _listed(self.client.post("/contacts", {"contacts": rows}).member("contacts"))
        for change, answer in zip(asked, answers, strict=False):
            ledger.settle(_outcome(change, answer))

    def close(self) -> None:
        self.client.close()


def _limits(rps: object) -> tuple[RateLimit, ...]:
    """The documented limit, or what a person says in its place; 0 ends it."""
    if rps in (None, ""):
        return (LIMIT,)
    return (RateLimit(float(str(rps)), 1.0),) if float(str(rps)) > 0 else ()


def _place(change: Change) -> Place:
    email = change.key.value if change.key is not None else ""
    return Place("contacts", (change.external_id or email.lower(),))


def _listed(listed: Any) -> list[Any]:
    """The contacts of an answer. Raises ApiError (TRANSIENT) for one without: nothing may be taken for nobody."""
    if not isinstance(listed, list):
        raise ApiError(ErrorKind.TRANSIENT, "The answer holds no list of contacts.")
    return listed


def _record(contact: Mapping[str, Any]) -> RemoteRecord:
    at = datetime.fromisoformat(contact["changed"])
    values = {field.key: contact[field.key] for field in FIELDS}
    return RemoteRecord(str(contact["id"]), values, version=contact["changed"], updated_at=at)


def _outcome(change: Change, answer: Mapping[str, Any]) -> Outcome:
    if answer.get("error") == "email":
        sentence = "The e-mail address is not accepted: correct it."
        return Outcome(change.ref, Result.FAILED, error=ApiError(ErrorKind.DATA, sentence, field="email"))
    if answer.get("error") == "id":
        error = ApiError(ErrorKind.GONE, "The contact is no longer there.")
        return Outcome(change.ref, Result.FAILED, change.external_id, error=error)
    result = Result.CREATED if answer["new"] else Result.UPDATED
    return Outcome(change.ref, result, external_id=str(answer["id"]))


CONNECTOR = TemplateConnector
