"""The amoCRM connector: its spec and the five verbs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from connectors.amocrm.catalogue import PAGE, Catalogue
from connectors.amocrm.client import PACE, AmoClient
from connectors.amocrm.finding import Finder
from connectors.amocrm.oauth import AmoOAuth
from connectors.amocrm.reading import Reader
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
        CONTACTS: Capabilities(
            read=True,
            write=True,
            changes=True,
            deletes=Deletes.SCAN,
            page_size=PAGE,
            write_batch=BATCH,
            find_keys=("email", "phone", "id"),
            find_batch=PAGE,
            max_in_flight=8,
        )
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
    def catalogue(self) -> Catalogue:
        return Catalogue(self.client)

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.client, self.catalogue)

    @cached_property
    def finder(self) -> Finder:
        return Finder(self.client, self.catalogue, self.reader, self.region)

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
        return self.catalogue.specs()

    def prepare(self, entity: str, wanted: Sequence[str]) -> Prepared:
        return self.catalogue.prepare(wanted)

    def read(self, query: ReadQuery) -> Iterator[Page]:
        return self.reader.read(query)

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        return self.finder.find(keys)

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        writer = Writer(self.client, self.catalogue, self.reader, self.region)
        in_flight = self.capabilities(entity).max_in_flight
        return Delivery(changes, writer.batcher, writer.send, in_flight=in_flight, log=self.context.log).run()

    def close(self) -> None:
        self.client.close()
        if "finder" in self.__dict__:
            self.finder.close()


CONNECTOR = AmoCRM
