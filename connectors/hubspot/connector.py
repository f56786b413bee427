"""The HubSpot connector: its spec and the five verbs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

from connectors.core.base import Connector, Context
from connectors.core.batches import Batcher
from connectors.core.delivery import Delivery
from connectors.core.errors import ApiError
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
    Direction,
    FieldSpec,
    Health,
    MatchKey,
    Outcome,
    Page,
    Prepared,
    ReadQuery,
    RemoteRecord,
)
from connectors.hubspot.catalogue import Catalogue
from connectors.hubspot.client import BURST, SEARCH, Addresses, HubSpotClient
from connectors.hubspot.reading import Reader
from connectors.hubspot.writing import BATCH, Writer

DOMAIN_ID = ConfigField(
    "domain_id_property", "Property for the domain id", default="scrapersky_domain_id", advanced=True
)
PAGE_ID = ConfigField("page_id_property", "Property for the page id", default="scrapersky_page_id", advanced=True)

SPEC = ConnectorSpec(
    slug="hubspot",
    label="HubSpot",
    auth=Auth.BEARER,
    config=(
        ConfigField(
            "access_token",
            "Access token",
            ConfigKind.SECRET,
            signs_in=True,
            help="A service key or the token of a private app.",
        ),
        ConfigField("base_url", "API address", ConfigKind.URL, default="https://api.hubapi.com", advanced=True),
        DOMAIN_ID,
        PAGE_ID,
        ConfigField("api_version", "API version", default="v3", advanced=True, help="v3, or a dated one: 2026-09."),
        ConfigField(
            "rps",
            "Requests per second",
            ConfigKind.NUMBER,
            advanced=True,
            help="Replaces the limit of the HubSpot plan, which is otherwise learned. 0 turns it off.",
        ),
    ),
    entities={
        CONTACTS: Capabilities(
            read=True,
            write=True,
            delete=True,
            changes=True,
            deletes=Deletes.SCAN,
            page_size=100,
            write_batch=BATCH,
            upsert_key="email",
            find_keys=("email", "id"),
            find_batch=BATCH,
            max_in_flight=8,
        )
    },
    limits=(BURST, SEARCH),
    needs=("email",),
)


class HubSpot(Connector):
    """One HubSpot account."""

    spec = SPEC

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        rps = self.config.get("rps")
        self.addresses = Addresses(str(self.config.get("api_version") or "v3"))
        self.client = HubSpotClient(
            context,
            str(self.config.get("base_url") or "https://api.hubapi.com"),
            account=self.account_key(),
            rps=None if rps in (None, "") else float(rps),
        )

    @classmethod
    def default_rules(cls, config: Mapping[str, Any]) -> Sequence[DefaultRule]:
        domain, page = own_properties(config)
        return (
            DefaultRule("email", "email"),
            DefaultRule("first_name", "firstname"),
            DefaultRule("last_name", "lastname"),
            DefaultRule("phone", "phone"),
            DefaultRule("company", "company"),
            DefaultRule("job_title", "jobtitle"),
            DefaultRule("domain_id", domain, Direction.PUSH),
            DefaultRule("page_id", page, Direction.PUSH),
        )

    @classmethod
    def facts(cls, config: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"custom_properties": list(own_properties(config))}

    @cached_property
    def catalogue(self) -> Catalogue:
        domain, page = own_properties(self.config)
        return Catalogue(self.client, self.addresses, {domain: "Domain id", page: "Page id"})

    def check(self) -> Health:
        self.client.get(self.addresses.contacts, params={"limit": 1})
        try:
            account = self.client.get(self.addresses.account)
        except ApiError:
            # Whether every kind of token may ask for the account is not documented; the key itself is proven.
            return Health("Successfully authenticated with HubSpot API")
        offset = account.member("utcOffsetMilliseconds")
        if isinstance(offset, int):
            self.client.utc_offset = timedelta(milliseconds=offset)
        number = str(account.member("portalId") or "")
        return Health("Successfully authenticated with HubSpot API", account=f"HubSpot {number}", account_id=number)

    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        return list(self.catalogue.specs.values())

    def prepare(self, entity: str, wanted: Sequence[str]) -> Prepared:
        return self.catalogue.prepare(wanted)

    def read(self, query: ReadQuery) -> Iterator[Page]:
        return Reader(self.client, self.addresses, self.catalogue).read(query)

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        return Reader(self.client, self.addresses, self.catalogue).find(keys)

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        writer = Writer(self.client, self.addresses)
        capabilities = self.capabilities(entity)
        batcher = Batcher(writer.place, BATCH)
        return Delivery(changes, batcher, writer.send, in_flight=capabilities.max_in_flight, log=self.context.log).run()

    def close(self) -> None:
        self.client.close()


def own_properties(config: Mapping[str, Any]) -> tuple[str, str]:
    """The names of the properties that hold our domain and page ids."""
    domain = config.get(DOMAIN_ID.name) or DOMAIN_ID.default
    page = config.get(PAGE_ID.name) or PAGE_ID.default
    return str(domain), str(page)


CONNECTOR = HubSpot
