"""What the connector reads and writes: contacts, deals, leads and companies, by their classic methods (sheet 3)."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.core.types import CONTACTS

DEALS, LEADS, COMPANIES = "deals", "leads", "companies"
ID, CREATED, CHANGED = "ID", "DATE_CREATE", "DATE_MODIFY"
EMAIL, PHONE = "EMAIL", "PHONE"
# Lists of values with ids of their own. They have no mask: each has to be asked for by name (sheet 3).
MULTIFIELDS = (PHONE, EMAIL, "WEB", "IM", "LINK")
STAMPS = (ID, CREATED, CHANGED)
ORIGINATOR, ORIGIN = "ORIGINATOR_ID", "ORIGIN_ID"


@dataclass(frozen=True, slots=True)
class Entity:
    """One of the portal's lists. `code` is its word in the names of methods; `title` the field that names a record.

    `find_keys` are the ways in which a record is told from others.
    """

    name: str
    code: str
    find_keys: tuple[str, ...]
    title: str
    multifields: tuple[str, ...] = MULTIFIELDS

    @property
    def noun(self) -> str:
        return self.code

    @property
    def kind(self) -> str:
        """Its word where methods take a type: CONTACT."""
        return self.code.upper()

    def method(self, verb: str) -> str:
        return f"crm.{self.code}.{verb}"

    @property
    def everything(self) -> list[str]:
        """The `select` of all fields: the masks are passed explicitly, as old portals need them (sheet 3)."""
        return ["*", "UF_*", *self.multifields]


ENTITIES: dict[str, Entity] = {
    CONTACTS: Entity(CONTACTS, "contact", ("email", "phone", "id"), "NAME"),
    DEALS: Entity(DEALS, "deal", ("name", "id"), "TITLE", ()),
    LEADS: Entity(LEADS, "lead", ("name", "email", "phone", "id"), "TITLE"),
    COMPANIES: Entity(COMPANIES, "company", ("name", "email", "phone", "id"), "TITLE"),
}
