"""The IDENT connector: its spec and the verbs of a system that is only read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from connectors.core.base import Connector, Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import (
    CONTACTS,
    Auth,
    Capabilities,
    ConnectorSpec,
    DefaultRule,
    Deletes,
    Direction,
    FieldSpec,
    Health,
    Inspection,
    Page,
    ReadMode,
    ReadQuery,
)
from connectors.ident.address import Address, AddressInvalid, address_of
from connectors.ident.configuration import CONFIG, Source, refused, setting
from connectors.ident.database import Database
from connectors.ident.dialects import DIALECTS
from connectors.ident.drivers import database_settings
from connectors.ident.inspection import Inspector
from connectors.ident.patients import FIELDS
from connectors.ident.reading import PAGE, Reader
from connectors.ident.statements import Statements

_RENAMED = {"last_name", "first_name", "middle_name", "phones", "emails", "birth_date"}
_WITHOUT_RULE = {"last_visit", "next_visit"}

SPEC = ConnectorSpec(
    slug="ident",
    label="IDENT",
    auth=Auth.DSN,
    config=CONFIG,
    entities={CONTACTS: Capabilities(read=True, changes=True, deletes=Deletes.SCAN, page_size=PAGE, max_in_flight=1)},
    match_order=("phone",),
    ways_in=(("database_url",), ("host", "name", "user", "password")),
    id_field="patient_id",
)


class Ident(Connector):
    """The patients of one clinic's database."""

    spec = SPEC

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._opened = False

    @classmethod
    def default_rules(cls, config: Mapping[str, Any]) -> Sequence[DefaultRule]:
        return tuple(
            DefaultRule(f.key if f.key in _RENAMED else f"attributes.{f.key}", f.key, Direction.PULL)
            for f in FIELDS
            if f.key not in _WITHOUT_RULE
        )

    @cached_property
    def source(self) -> Source:
        return Source.of(self.config)

    @cached_property
    def address(self) -> Address:
        try:
            return address_of(self.config, self.context.secret("database_url"), self.context.secret("password"))
        except AddressInvalid as e:
            raise refused(str(e)) from None

    @cached_property
    def database(self) -> Database:
        settings = database_settings(self.address, self.config, self.source.zone.key)
        self._opened = True
        return Database(settings, self.context)

    @cached_property
    def statements(self) -> Statements:
        return Statements(DIALECTS[self.address.engine], self.source)

    @cached_property
    def inspector(self) -> Inspector:
        return Inspector(self.database, self.statements, self.address.engine)

    def check(self) -> Health:
        try:
            self.inspector.require_everything()
            warnings = self._rights()
        finally:
            self.database.release()
        return Health("The patients of IDENT can be read.", self.address.name, warnings=tuple(warnings))

    def inspect(self) -> Inspection:
        try:
            facts = {"server": self.address.host, "database": self.address.name, **self.inspector.server()}
            problems = self.inspector.missing()
            return Inspection(facts, tuple(problems), tuple(self.inspector.excess()))
        finally:
            self.database.release()

    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        return list(FIELDS)

    def read(self, query: ReadQuery) -> Iterator[Page]:
        if query.mode is ReadMode.FULL and query.cursor is None:
            self.inspector.require_everything()
            self._rights()
        yield from Reader(self.database, self.statements, self.source, self.context.clock).read(query)

    def close(self) -> None:
        if self._opened:
            self.database.close()

    def _rights(self) -> list[str]:
        """Sentences about needless rights. Raises ApiError (CONFIG) where the settings refuse them."""
        excess = self.inspector.excess()
        if excess and setting(self.config, "refuse_rights"):
            raise ApiError(ErrorKind.CONFIG, " ".join(excess))
        return excess


CONNECTOR = Ident
