"""The Brevo connector: its spec and the five verbs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from connectors.brevo.catalogue import DOMAIN_ID, PAGE_ID, Catalogue
from connectors.brevo.client import ACCOUNT, ACCOUNT_LIMIT, CONTACTS_LIMIT, BrevoClient
from connectors.brevo.imports import Importer
from connectors.brevo.lists import Lists
from connectors.brevo.reading import PAGE, Reader
from connectors.brevo.rows import BATCH, RowBatcher
from connectors.brevo.singles import Singles
from connectors.brevo.writing import Writer
from connectors.core.base import Connector, Context
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

_SETTINGS = (
    ConfigField(
        "api_key",
        "API key",
        ConfigKind.SECRET,
        signs_in=True,
        help="Brevo -> SMTP & API -> API keys. Make one that nothing else uses.",
    ),
    ConfigField("base_url", "API address", ConfigKind.URL, default="https://api.brevo.com/v3", advanced=True),
    ConfigField(
        "list_id",
        "Contact list",
        ConfigKind.INTEGER,
        help="Number of the list that contacts join. Empty: imports, which need one, use a list called crmsync.",
    ),
    ConfigField(
        "rps",
        "Requests per second",
        ConfigKind.NUMBER,
        advanced=True,
        help="Replaces Brevo's limit of 10 contact requests a second. 0 turns all limits off.",
    ),
    ConfigField(
        "import_threshold",
        "Import from",
        ConfigKind.INTEGER,
        default=500,
        advanced=True,
        help="This many new contacts in a run go by bulk import, fewer one by one.",
    ),
    ConfigField(
        "import_bytes",
        "Largest import, in bytes",
        ConfigKind.INTEGER,
        default=8_000_000,
        advanced=True,
        help="Brevo takes 10 MB and advises 8.",
    ),
    ConfigField(
        "import_rows",
        "Largest import, in contacts",
        ConfigKind.INTEGER,
        default=20_000,
        advanced=True,
        help="Bounds the memory of a run: two imports' contacts are held.",
    ),
    ConfigField(
        "import_poll_seconds",
        "Pauses before looking at an import",
        ConfigKind.INTEGERS,
        default=(1, 2, 3, 5, 10, 15, 30, 60),
        advanced=True,
        help="In seconds; the last is repeated. Brevo allows 100 looks an hour to all tools together.",
    ),
)

SPEC = ConnectorSpec(
    slug="brevo",
    label="Brevo",
    auth=Auth.API_KEY,
    config=_SETTINGS,
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
            find_keys=("email", "id"),
            max_in_flight=8,
        )
    },
    limits=(CONTACTS_LIMIT, ACCOUNT_LIMIT),
    aliases=("sendinblue",),
    needs=("email",),
)


class Brevo(Connector):
    """One Brevo account."""

    spec = SPEC

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        rps = self.config.get("rps")
        self.client = BrevoClient(
            context,
            str(self._setting("base_url")),
            account=self.account_key(),
            rps=None if rps in (None, "") else float(rps),
        )

    def _setting(self, name: str) -> Any:
        value = self.config.get(name)
        return next(f.default for f in _SETTINGS if f.name == name) if value in (None, "") else value

    @classmethod
    def default_rules(cls, config: Mapping[str, Any]) -> Sequence[DefaultRule]:
        return (
            DefaultRule("email", "EMAIL"),
            DefaultRule("first_name", "FIRSTNAME"),
            DefaultRule("last_name", "LASTNAME"),
            DefaultRule("phone", "SMS"),
            DefaultRule("domain_id", DOMAIN_ID, Direction.PUSH),
            DefaultRule("page_id", PAGE_ID, Direction.PUSH),
        )

    @cached_property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.client)

    @cached_property
    def reader(self) -> Reader:
        return Reader(self.client, self.catalogue)

    def check(self) -> Health:
        message = "Successfully authenticated with Brevo API"
        self.client.get("/contacts", params={"limit": 1})
        try:
            account = self.client.get("/account", limits=(ACCOUNT,))
        except ApiError:
            # Its bucket of 100 requests an hour may be empty; the key itself is proven.
            return Health(message)
        name = str(account.member("companyName") or "")
        return Health(message, account=name, account_id=str(account.member("organization_id") or ""))

    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        return list(self.catalogue.specs.values())

    def prepare(self, entity: str, wanted: Sequence[str]) -> Prepared:
        return self.catalogue.prepare(wanted)

    def read(self, query: ReadQuery) -> Iterator[Page]:
        return self.reader.read(query)

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        return self.reader.find(keys)

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        batcher = RowBatcher(
            self.catalogue,
            threshold=int(self._setting("import_threshold")),
            import_bytes=int(self._setting("import_bytes")),
            import_rows=int(self._setting("import_rows")),
        )
        in_flight = self.capabilities(entity).max_in_flight
        return Delivery(changes, batcher, self._writer().send, in_flight=in_flight, log=self.context.log).run()

    def _writer(self) -> Writer:
        chosen = self.config.get("list_id")
        lists = Lists(self.client, None if chosen in (None, "") else int(chosen))
        singles = Singles(self.client, self.reader, lists)
        polls = seconds(self._setting("import_poll_seconds"))
        importer = Importer(self.client, self.reader, lists, self.catalogue, singles, polls)
        return Writer(self.client, self.catalogue, singles, importer)

    def close(self) -> None:
        self.client.close()


def seconds(value: Any) -> list[float]:
    """Seconds from a list of numbers or from text such as "2, 5, 15"."""
    parts = re.split(r"[,;\s]+", value.strip()) if isinstance(value, str) else list(value)
    return [float(part) for part in parts if part != ""] or [60.0]


CONNECTOR = Brevo
