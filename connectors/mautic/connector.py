"""The Mautic connector: its spec and the five verbs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

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
from connectors.mautic import client as http
from connectors.mautic.catalogue import Catalogue
from connectors.mautic.client import MauticClient, site_of
from connectors.mautic.marks import MARK
from connectors.mautic.reading import LOOKUP, PAGE, Reader
from connectors.mautic.rows import RowBuilder
from connectors.mautic.writing import BATCH, Writer

SPEC = ConnectorSpec(
    slug="mautic",
    label="Mautic",
    auth=Auth.BASIC,
    config=(
        ConfigField(
            "base_url",
            "Address of the site",
            ConfigKind.URL,
            help="As in the browser, without /s/ and what follows: https://mautic.example.com",
        ),
        ConfigField("username", "User name", help="Of a Mautic user whose role may view, create and edit contacts."),
        ConfigField("password", "Password", ConfigKind.SECRET),
        ConfigField("client_id", "Client id", help="Instead of user and password: the public key of API Credentials."),
        ConfigField("client_secret", "Client secret", ConfigKind.SECRET),
        ConfigField(
            "rps",
            "Requests per second",
            ConfigKind.NUMBER,
            advanced=True,
            help="Mautic documents no limit; set one to spare a small server. Empty or 0: none.",
        ),
    ),
    entities={
        CONTACTS: Capabilities(
            read=True,
            write=True,
            delete=True,
            changes=True,
            deletes=Deletes.SCAN,
            page_size=PAGE,
            write_batch=BATCH,
            upsert_key="email",
            find_keys=("email", "id", MARK),
            find_batch=LOOKUP,
            max_in_flight=4,
        )
    },
    needs=("email",),
    ways_in=(("base_url", "username", "password"), ("base_url", "client_id", "client_secret")),
)


class Mautic(Connector):
    """One Mautic site."""

    spec = SPEC

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.site = site_of(str(self.config.get("base_url") or ""))
        rps = self.config.get("rps")
        self.client = MauticClient(context, self.site, account=self.account_key(), rps=float(rps or 0))

    @classmethod
    def default_rules(cls, config: Mapping[str, Any]) -> Sequence[DefaultRule]:
        return (
            DefaultRule("email", "email"),
            DefaultRule("first_name", "firstname"),
            DefaultRule("last_name", "lastname"),
            DefaultRule("phone", "phone"),
            DefaultRule("company", "company"),
            DefaultRule("job_title", "position"),
        )

    @classmethod
    def facts(cls, config: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"custom_fields": [MARK]}

    @cached_property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.client)

    @property
    def reader(self) -> Reader:
        return Reader(self.client, self.catalogue)

    def check(self) -> Health:
        try:
            user = self.client.get(f"{http.API}/users/self")
            # The role's right to see contacts; the page itself does not matter.
            self.client.get(http.CONTACTS, params={"limit": 1, "minimal": 1, "orderBy": "id"})
        except ApiError as e:
            if e.kind is not ErrorKind.GONE:
                raise
            sentence = "There is no Mautic API at this address; enter the address of the site itself."
            raise ApiError(ErrorKind.CONFIG, sentence, status=e.status) from e
        if not isinstance(user.json, dict):
            raise ApiError(ErrorKind.CONFIG, "What answers at this address is not Mautic's API.")
        # Of a client that signs in by itself there is no user.
        return Health(
            "Successfully authenticated with Mautic API",
            account=self.site.split("://")[-1],
            account_id=self.site,
        )

    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        return list(self.catalogue.specs.values())

    def prepare(self, entity: str, wanted: Sequence[str]) -> Prepared:
        return self.catalogue.prepare(wanted)

    def read(self, query: ReadQuery) -> Iterator[Page]:
        return self.reader.read(query)

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        return self.reader.find(keys)

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        writer = Writer(self.client, RowBuilder(self.catalogue, self.site), self.reader.find)
        in_flight = self.capabilities(entity).max_in_flight
        return Delivery(changes, writer.batcher, writer.send, in_flight=in_flight, log=self.context.log).run()

    def close(self) -> None:
        self.client.close()


CONNECTOR = Mautic
