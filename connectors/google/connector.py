"""The Google Contacts connector: its spec and the five verbs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from connectors.core.auth import NOT_CONNECTED, BearerSigner
from connectors.core.base import Connector, Context
from connectors.core.delivery import Delivery
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
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
from connectors.google.building import Builder
from connectors.google.catalogue import Catalogue
from connectors.google.client import API, GoogleClient
from connectors.google.creating import Creator
from connectors.google.finding import Finder
from connectors.google.marks import Marks
from connectors.google.oauth import AUTH_URL, TOKEN_URL, GoogleOAuth
from connectors.google.quotas import QUOTAS, READ
from connectors.google.reading import IDS_AT_ONCE, PAGE, Reader
from connectors.google.updating import Updater
from connectors.google.wire import main_item
from connectors.google.writing import BATCH, Writer

_PER_MINUTE = "As the quotas page of the Google Cloud project shows it; 90 when empty."

CONFIG = (
    ConfigField("client_id", "Client ID", help="Of the OAuth client, such as 1234-abc.apps.googleusercontent.com."),
    ConfigField("client_secret", "Client secret", ConfigKind.SECRET),
    ConfigField(
        "redirect_uri",
        "Redirect address",
        help="Exactly as in the OAuth client: https://your-host/auth/google/callback",
    ),
    ConfigField(
        "access_token",
        "Access token",
        ConfigKind.SECRET,
        advanced=True,
        help="Instead of the three settings above, for a trial: it lives for an hour.",
    ),
    ConfigField(
        "custom_fields",
        "Custom fields",
        advanced=True,
        help="Labels of custom fields to be offered in the field rules, separated by commas.",
    ),
    ConfigField("base_url", "API address", ConfigKind.URL, required=True, default=API, advanced=True),
    ConfigField("auth_url", "Sign-in address", ConfigKind.URL, default=AUTH_URL, advanced=True),
    ConfigField("token_url", "Token address", ConfigKind.URL, default=TOKEN_URL, advanced=True),
    ConfigField("phone_region", "Phone region", default="RU", env="PHONE_REGION", advanced=True),
    ConfigField("reads_per_minute", "Critical reads per minute", ConfigKind.INTEGER, advanced=True, help=_PER_MINUTE),
    ConfigField("writes_per_minute", "Critical writes per minute", ConfigKind.INTEGER, advanced=True, help=_PER_MINUTE),
    ConfigField("deletes_per_minute", "Deletions per minute", ConfigKind.INTEGER, advanced=True, help=_PER_MINUTE),
    ConfigField(
        "rps",
        "Units per second",
        ConfigKind.NUMBER,
        advanced=True,
        help="In place of the three quotas per minute. 0: no limit.",
    ),
)

SPEC = ConnectorSpec(
    slug="google",
    label="Google",
    auth=Auth.OAUTH2,
    config=CONFIG,
    entities={
        CONTACTS: Capabilities(
            read=True,
            write=True,
            delete=True,
            changes=True,
            # Changes list them; a full read after an expired sync token does not.
            deletes=Deletes.SCAN,
            page_size=PAGE,
            write_batch=BATCH,
            find_keys=("email", "phone"),
            find_batch=IDS_AT_ONCE,
            versioned=True,
            # One batch is prepared while another is written; writes themselves take turns.
            max_in_flight=2,
        )
    },
    limits=QUOTAS,
    match_order=("email", "phone"),
    ways_in=(("client_id", "client_secret", "redirect_uri"), ("access_token",)),
)


class GoogleContacts(Connector):
    """The contacts of one Google account."""

    spec = SPEC

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        token = context.secret("access_token")
        self.oauth = GoogleOAuth(context)
        self._signed_in = bool(token) or context.tokens is not None
        if token or context.tokens is None:
            account = self.account_key()
            self.client = GoogleClient(context, account, lambda h: h.update({"Authorization": f"Bearer {token}"}), None)
        else:
            signer = BearerSigner(context.tokens, self.oauth)
            self.client = GoogleClient(context, self.account_key(), signer.sign, signer.refresh)
        self.region = str(self.config.get("phone_region") or "RU")
        self._reader = Reader(self.client)

    @classmethod
    def default_rules(cls, config: Mapping[str, Any]) -> Sequence[DefaultRule]:
        return (
            DefaultRule("first_name", "givenName"),
            DefaultRule("last_name", "familyName"),
            DefaultRule("middle_name", "middleName"),
            DefaultRule("emails", "emailAddresses"),
            DefaultRule("phones", "phoneNumbers"),
            DefaultRule("company", "organization"),
            DefaultRule("job_title", "title"),
            DefaultRule("birth_date", "birthday"),
        )

    def account_key(self) -> str:
        """Quotas and turns are a user's own: one client may serve many accounts, and one account many clients."""
        tokens = self.context.tokens.peek().tokens if self.context.tokens is not None else None
        who = tokens.account if tokens is not None else ""
        who = who or self.context.secret("access_token") or str(self.config.get("client_id") or "")
        return f"{super().account_key()}:{hashlib.blake2b(who.encode(), digest_size=8).hexdigest()}"

    @cached_property
    def catalogue(self) -> Catalogue:
        named = str(self.config.get("custom_fields") or "").split(",")
        return Catalogue(self._reader, [label.strip() for label in named if label.strip()])

    @cached_property
    def finder(self) -> Finder:
        return Finder(self._reader, self.region, self.context.clock)

    def check(self) -> Health:
        if not self._signed_in:
            raise ApiError(ErrorKind.AUTH, NOT_CONNECTED)
        call = Call("GET", "/v1/people/me", params={"personFields": "emailAddresses,metadata"}, limits=READ)
        person = self.client.send(call).json
        held = person if isinstance(person, dict) else {}
        number = str(held.get("resourceName") or "").removeprefix("people/")
        address = main_item([item for item in held.get("emailAddresses") or () if isinstance(item, dict)])
        return Health("Successfully authenticated with Google", str((address or {}).get("value") or number), number)

    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        return self.catalogue.described()

    def prepare(self, entity: str, wanted: Sequence[str]) -> Prepared:
        return self.catalogue.prepare(wanted)

    def read(self, query: ReadQuery) -> Iterator[Page]:
        return self._reader.read(query)

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        return self.finder.find(keys)

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        builder = Builder(self.region)
        updater = Updater(self.client, self._reader, builder)
        marks = Marks(str(self.config.get("redirect_uri") or ""))
        creator = Creator(self.client, self.finder, marks, builder, updater)
        writer = Writer(self.client, self._reader, creator, updater)
        in_flight = self.capabilities(entity).max_in_flight
        return Delivery(changes, writer.batcher, writer.send, in_flight=in_flight, log=self.context.log).run()

    def close(self) -> None:
        self.client.close()


CONNECTOR = GoogleContacts
