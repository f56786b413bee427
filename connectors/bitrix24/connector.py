"""The Bitrix24 connector: its spec and the five verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.bitrix24.address import address_of
from connectors.bitrix24.building import Builder
from connectors.bitrix24.catalogue import Catalogue
from connectors.bitrix24.client import PACE, BitrixClient
from connectors.bitrix24.commands import MOST
from connectors.bitrix24.entities import ENTITIES
from connectors.bitrix24.finding import Finder
from connectors.bitrix24.lists import Lists
from connectors.bitrix24.marks import Marks
from connectors.bitrix24.oauth import TOKEN_URL, BitrixOAuth
from connectors.bitrix24.reading import RECORDS, Reader
from connectors.bitrix24.webhooks import BitrixWebhooks
from connectors.bitrix24.writing import Writer
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
    FieldType,
    Health,
    MatchKey,
    Outcome,
    Page,
    Prepared,
    ReadMode,
    ReadQuery,
    RemoteRecord,
)

CONFIG = (
    ConfigField(
        "webhook_url",
        "Incoming webhook",
        ConfigKind.SECRET,
        help="Its whole address: https://example.bitrix24.ru/rest/1/code/. Instead of the three settings below.",
        env_aliases=("BITRIX_WEBHOOK_URL",),
    ),
    ConfigField("portal", "Portal", help="Such as example.bitrix24.ru.", env_aliases=("BITRIX_PORTAL",)),
    ConfigField(
        "client_id", "Application ID", help="The client_id of the local application.", env_aliases=("BITRIX_CLIENT_ID",)
    ),
    ConfigField("client_secret", "Application key", ConfigKind.SECRET, env_aliases=("BITRIX_CLIENT_SECRET",)),
    ConfigField(
        "application_token",
        "Application token",
        ConfigKind.SECRET,
        help="As the outgoing webhook shows it: events that carry another are refused.",
        env_aliases=("BITRIX_APPLICATION_TOKEN",),
    ),
    ConfigField(
        "base_url", "API address", ConfigKind.URL, advanced=True, help="Only for tests: replaces the portal's address."
    ),
    ConfigField("token_url", "Token address", ConfigKind.URL, default=TOKEN_URL, advanced=True),
    ConfigField("phone_region", "Phone region", default="RU", env="PHONE_REGION", advanced=True),
    ConfigField(
        "rps",
        "Requests per second",
        ConfigKind.NUMBER,
        advanced=True,
        env_aliases=("BITRIX_RPS",),
        help="Replaces the portal's bucket of 50 that drains by 2 a second. 0: no limit.",
    ),
)

SPEC = ConnectorSpec(
    slug="bitrix24",
    label="Bitrix24",
    auth=Auth.OAUTH2,
    config=CONFIG,
    entities={
        entity.name: Capabilities(
            read=True,
            write=True,
            delete=True,
            changes=True,
            deletes=Deletes.SCAN,
            page_size=RECORDS,
            write_batch=MOST,
            find_keys=entity.find_keys,
            find_batch=RECORDS,
            # Writes keep the portal busy for seconds each.
            max_in_flight=2,
        )
        for entity in ENTITIES.values()
    },
    limits=(PACE,),
    aliases=("bitrix",),
    match_order=("email", "phone"),
    ways_in=(("webhook_url",), ("portal", "client_id", "client_secret")),
)


class Bitrix24(Connector):
    """One portal, by an incoming webhook or as a local application. Raises ApiError where its address is none."""

    spec = SPEC
    webhooks = BitrixWebhooks

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.address = address_of(context)
        self.by_webhook = self.address.by_webhook
        self.oauth = BitrixOAuth(context)
        self._signed_in = self.by_webhook or context.tokens is not None
        if self.by_webhook or context.tokens is None:
            self.client = BitrixClient(context, self.address, None, None)
        else:
            signer = BearerSigner(context.tokens, self.oauth)
            self.client = BitrixClient(context, self.address, signer.sign, signer.refresh)
        self.region = str(self.config.get("phone_region") or "RU")
        self._tools: dict[str, Tools] = {}

    @classmethod
    def default_rules(cls, config: Mapping[str, Any]) -> Sequence[DefaultRule]:
        return (
            DefaultRule("first_name", "NAME"),
            DefaultRule("last_name", "LAST_NAME"),
            DefaultRule("middle_name", "SECOND_NAME"),
            DefaultRule("emails", "EMAIL"),
            DefaultRule("phones", "PHONE"),
            DefaultRule("job_title", "POST"),
            DefaultRule("birth_date", "BIRTHDATE"),
        )

    def tools(self, entity: str) -> Tools:
        """What reads, finds and writes this entity, made when it is first needed."""
        if entity not in self._tools:
            self._tools[entity] = Tools(self, entity)
        return self._tools[entity]

    def check(self) -> Health:
        if not self._signed_in:
            raise ApiError(ErrorKind.AUTH, NOT_CONNECTED)
        profile = self.client.call("profile", counted=False)
        warnings = []
        if profile.member("result", "ADMIN") is False:
            warnings.append("The employee is no administrator: records that they may not see are missing from lists.")
        return Health("Successfully authenticated with Bitrix24 API", self.address.portal, "", tuple(warnings))

    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        catalogue = self.tools(entity).catalogue
        catalogue.forget()
        return list(catalogue.specs.values())

    def expect(self, query: ReadQuery) -> None:
        if query.mode is ReadMode.FULL and query.cursor is None:
            tools = self.tools(query.entity)
            tools.catalogue.beside = tools.lists.first_ahead(tools.reader.asked(query.fields).select)

    def readers(self, entity: str) -> Mapping[str, Callable[[Any], Any]]:
        catalogue = self.tools(entity).catalogue
        plain = {key for key, spec in catalogue.specs.items() if spec.type is FieldType.TEXT and not spec.multiple}
        return {key: reader for key, reader in catalogue.readers.items() if key not in plain}

    def prepare(self, entity: str, wanted: Sequence[str]) -> Prepared:
        return self.tools(entity).catalogue.prepare(wanted)

    def read(self, query: ReadQuery) -> Iterator[Page]:
        return self.tools(query.entity).reader.read(query)

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        return self.tools(entity).finder.find(keys)

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        tools = self.tools(entity)
        builder = Builder(tools.catalogue, self.region)
        writer = Writer(self.client, tools.lists, tools.finder, builder, Marks(self.address.portal))
        in_flight = self.capabilities(entity).max_in_flight
        return Delivery(changes, writer.batcher, writer.send, in_flight=in_flight, log=self.context.log).run()

    def account_key(self) -> str:
        """The portal: its bucket is shared by all webhooks and applications behind one address (sheet 7)."""
        return f"{self.spec.slug}:{self.address.portal}"

    def close(self) -> None:
        self.client.close()


class Tools:
    """One entity's fields, lists, reader and finder. Lives as long as its connector."""

    def __init__(self, connector: Bitrix24, entity: str) -> None:
        self.catalogue = Catalogue(connector.client, ENTITIES[entity])
        self.lists = Lists(connector.client, ENTITIES[entity])
        self.reader = Reader(self.lists, self.catalogue)
        self.finder = Finder(self.lists, self.reader, connector.region)


CONNECTOR = Bitrix24
