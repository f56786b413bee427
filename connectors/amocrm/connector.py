"""The amoCRM connector: its spec and the five verbs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from connectors.amocrm.account import Account
from connectors.amocrm.catalogue import Catalogue
from connectors.amocrm.client import PACE, AmoClient
from connectors.amocrm.definitions import Definitions
from connectors.amocrm.entities import ENTITIES
from connectors.amocrm.finding import Finder
from connectors.amocrm.identities import Identities
from connectors.amocrm.lists import PAGE
from connectors.amocrm.oauth import AmoOAuth
from connectors.amocrm.reading import IN_FLIGHT, Reader
from connectors.amocrm.spelling import values_of
from connectors.amocrm.webhooks import AmoWebhooks
from connectors.amocrm.writing import BATCH, Writer
from connectors.core.auth import NOT_CONNECTED, BearerSigner
from connectors.core.base import Connector, Context
from connectors.core.delivery import Delivery
from connectors.core.errors import ApiError, ErrorKind
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
    Prepared,
    ReadQuery,
    RemoteRecord,
)

CONFIG = (
    ConfigField("domain", "Account address", signs_in=True, help="Such as example.amocrm.ru or example.kommo.com."),
    ConfigField("client_id", "Integration ID", help="From the integration's keys and scopes."),
    ConfigField("client_secret", "Secret key", ConfigKind.SECRET),
    ConfigField(
        "redirect_uri",
        "Redirect address",
        help="Exactly as in the integration: https://your-host/api/v1/amocrm/auth/callback",
    ),
    ConfigField(
        "auth_code",
        "Authorization code",
        ConfigKind.SECRET,
        help="Instead of the Connect button: valid for 20 minutes, and once.",
    ),
    ConfigField(
        "access_token",
        "Long-lived token",
        ConfigKind.SECRET,
        help="Instead of the three settings above, for a private integration.",
    ),
    ConfigField(
        "base_url", "API address", ConfigKind.URL, advanced=True, help="Only for tests: replaces the account's address."
    ),
    ConfigField("phone_region", "Phone region", default="RU", env="PHONE_REGION", advanced=True),
    ConfigField(
        "rps", "Requests per second", ConfigKind.NUMBER, advanced=True, help="Replaces the 7 of amoCRM. 0: no limit."
    ),
)

SPEC = ConnectorSpec(
    slug="amocrm",
    label="amoCRM",
    auth=Auth.OAUTH2,
    config=CONFIG,
    entities={
        entity.name: Capabilities(
            read=True,
            write=True,
            changes=True,
            deletes=Deletes.SCAN,
            page_size=PAGE,
            write_batch=BATCH,
            find_keys=entity.find_keys,
            find_batch=PAGE,
            max_in_flight=IN_FLIGHT,
            paged=True,
            search=True,
            makes_fields=True,
        )
        for entity in ENTITIES.values()
    },
    limits=(PACE,),
    match_order=("email", "phone"),
    ways_in=(("client_id", "client_secret", "redirect_uri"), ("access_token",)),
)


class AmoCRM(Connector):
    """One amoCRM or Kommo account."""

    spec = SPEC
    webhooks = AmoWebhooks

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        account = self.account_key()
        token = context.secret("access_token")
        self.oauth = AmoOAuth(context, account)
        self._signed_in = bool(token) or context.tokens is not None
        if token or context.tokens is None:
            self.client = AmoClient(context, account, lambda h: h.update({"Authorization": f"Bearer {token}"}), None)
        else:
            signer = BearerSigner(context.tokens, self.oauth)
            self.client = AmoClient(context, account, signer.sign, signer.refresh)
        self.region = str(self.config.get("phone_region") or "RU")
        self._tools: dict[str, Tools] = {}

    @classmethod
    def default_rules(cls, config: Mapping[str, Any]) -> Sequence[DefaultRule]:
        return (
            DefaultRule("first_name", "first_name"),
            DefaultRule("last_name", "last_name"),
            DefaultRule("emails", "EMAIL"),
            DefaultRule("phones", "PHONE"),
            DefaultRule("job_title", "POSITION"),
        )

    @cached_property
    def account(self) -> Account:
        return Account(self.client)

    def tools(self, entity: str) -> Tools:
        """What reads, finds and writes this entity, made when it is first needed."""
        if entity not in self._tools:
            self._tools[entity] = Tools(self, entity)
        return self._tools[entity]

    def check(self) -> Health:
        if not self._signed_in:
            raise ApiError(ErrorKind.AUTH, NOT_CONNECTED)
        account = self.client.get("/api/v4/account", params={"with": "is_api_filter_enabled"})
        warnings = []
        if account.member("is_api_filter_enabled") is False:
            warnings.append("Filters are off in this amoCRM account: looking up single contacts takes longer.")
        name, number = str(account.member("name") or ""), str(account.member("id") or "")
        return Health("Successfully authenticated with amoCRM API", name, number, tuple(warnings))

    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        return self.tools(entity).catalogue.described()

    def prepare(self, entity: str, wanted: Sequence[str]) -> Prepared:
        return self.tools(entity).catalogue.prepare(wanted)

    def ensure_fields(self, entity: str, wanted: Sequence[FieldSpec]) -> list[FieldSpec]:
        return Definitions(self.client, self.tools(entity).catalogue).ensure(wanted)

    def values_of(self, entity: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return values_of(body, self.tools(entity).catalogue)

    def read(self, query: ReadQuery) -> Iterator[Page]:
        return self.tools(query.entity).reader.read(query)

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        return self.tools(entity).finder.find(keys)

    @property
    def knows_account(self) -> bool:
        return any(tools.finder.has_index for tools in self._tools.values())

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        tools = self.tools(entity)
        writer = Writer(self.client, tools.catalogue, tools.reader, tools.finder, self.region)
        in_flight = self.capabilities(entity).max_in_flight
        return Delivery(changes, writer.batcher, writer.send, in_flight=in_flight, log=self.context.log).run()

    def close(self) -> None:
        self.client.close()
        for tools in self._tools.values():
            tools.finder.close()


class Tools:
    """One entity's fields, reader and finder. Lives as long as its connector."""

    def __init__(self, connector: AmoCRM, entity: str) -> None:
        kind = ENTITIES[entity]
        self.catalogue = Catalogue(connector.client, kind, connector.account)
        self.reader = Reader(connector.client, self.catalogue)
        identities = Identities(kind.find_keys, connector.region)
        self.finder = Finder(self.reader, identities, connector.context.clock)


CONNECTOR = AmoCRM
