"""The five verbs over the toy's four addresses."""

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


class Toy(Connector):
    """One toy account."""

    spec = ConnectorSpec(
        slug="toy",
        label="Toy CRM",
        auth=Auth.API_KEY,
        config=(
            ConfigField("api_key", "API key", ConfigKind.SECRET, signs_in=True),
            ConfigField("base_url", "API address", ConfigKind.URL, default="https://toy.invalid"),
        ),
        entities={
            CONTACTS: Capabilities(
                read=True,
                write=True,
                changes=True,
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

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        key = context.secret("api_key")
        self.client = ApiClient(
            context, self.config["base_url"], limits=(LIMIT,), sign=lambda headers: headers.update({"x-key": key})
        )

    @classmethod
    def default_rules(cls, config: Mapping[str, Any]) -> Sequence[DefaultRule]:
        return (DefaultRule("email", "email"), DefaultRule("first_name", "name"))

    def check(self) -> Health:
        self.client.get("/people", params={"limit": 1})
        return Health("The toy answers.", account="Toy")

    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        return [FieldSpec("email", "E-mail", required=True), FieldSpec("name", "Name")]

    def read(self, query: ReadQuery) -> Iterator[Page]:
        if query.mode is ReadMode.IDS:
            return self._by_ids(query)
        return self._pages(query)

    def _by_ids(self, query: ReadQuery) -> Iterator[Page]:
        found = self._lookup("id", list(query.ids))
        yield Page(found, last=True, deleted_ids=[i for i in query.ids if i not in {r.id for r in found}])

    def _pages(self, query: ReadQuery) -> Iterator[Page]:
        since = query.since.timestamp() if query.mode is ReadMode.CHANGES and query.since else 0.0
        cursor = dict(query.cursor or {"since": since, "after": 0})
        while True:
            params = {**cursor, "limit": query.limit or BATCH}
            people = self.client.get("/people", params=params).member("people") or []
            last = len(people) < (query.limit or BATCH)
            cursor = {**cursor, "after": people[-1]["id"] if people else cursor["after"]}
            yield Page([_record(p) for p in people], None if last else cursor, last=last)
            if last:
                return

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        by_email = {str(r.values["email"]): r for r in self._lookup("email", [k.value.lower() for k in keys])}
        return {key: [by_email[key.value.lower()]] if key.value.lower() in by_email else [] for key in keys}

    def _lookup(self, field: str, values: Sequence[str]) -> list[RemoteRecord]:
        reply = self.client.post("/people/lookup", {"field": field, "values": values})
        return [_record(p) for p in reply.member("people") or []]

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        in_flight = self.capabilities(entity).max_in_flight
        batcher = Batcher(_place, BATCH)
        return Delivery(changes, batcher, self._send, in_flight=in_flight, log=self.context.log).run()

    def _send(self, ledger: Ledger) -> None:
        rows = [{"id": c.external_id or None, **c.values} for c in ledger.open]
        answers = self.client.post("/people", {"people": rows}).member("people")
        for change, answer in zip(ledger.open, answers, strict=True):
            if "error" in answer:
                ledger.fail(change, ApiError(ErrorKind.DATA, "The toy does not accept this e-mail address."))
            else:
                how = Result.CREATED if answer["new"] else Result.UPDATED
                ledger.settle(Outcome(change.ref, how, str(answer["id"]), str(answer["id"])))

    def close(self) -> None:
        self.client.close()


def _place(change: Change) -> Place:
    email = change.key.value if change.key is not None else ""
    return Place("people", (change.external_id or email.lower(),))


def _record(person: Mapping[str, Any]) -> RemoteRecord:
    at = datetime.fromisoformat(person["changed"])
    values = {"email": person["email"], "name": person["name"]}
    return RemoteRecord(str(person["id"]), values, version=person["changed"], updated_at=at)


CONNECTOR = Toy
