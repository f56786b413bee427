"""The contact's fields that a rule may name, and how each is read from a row of the queue's query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.utils.functional import Promise
from django.utils.translation import gettext as _gettext
from django.utils.translation import gettext_lazy as _

from connectors.core.types import MultiValue

# The order in which the queue's query selects them.
CONTACT_COLUMNS = (
    "id",
    "version",
    "first_name",
    "last_name",
    "middle_name",
    "email",
    "phone",
    "company",
    "job_title",
    "birth_date",
    "domain_id",
    "page_id",
    "attributes",
    "deleted_at",
)
_AT = {name: i for i, name in enumerate(CONTACT_COLUMNS)}


@dataclass(slots=True)
class SourceContact:
    """A contact as the queue loads it: the row, and its points where a rule needs them."""

    row: Sequence[Any]
    emails: Sequence[MultiValue] = ()
    phones: Sequence[MultiValue] = ()

    @property
    def id(self) -> UUID:
        return self.row[0]

    @property
    def version(self) -> int:
        return self.row[1]

    @property
    def email(self) -> str | None:
        return self.row[_AT["email"]]

    @property
    def deleted(self) -> bool:
        return self.row[_AT["deleted_at"]] is not None

    def get(self, name: str) -> Any:
        return self.row[_AT[name]]

    def attributes(self) -> Mapping[str, Any]:
        held = self.row[_AT["attributes"]]
        return orjson.loads(held) if isinstance(held, str | bytes) else held


Getter = Callable[[SourceContact], Any]


@dataclass(frozen=True, slots=True)
class SourceField:
    key: str
    label: str | Promise
    multiple: bool = False


SOURCE_FIELDS: tuple[SourceField, ...] = (
    SourceField("first_name", _("First name")),
    SourceField("last_name", _("Last name")),
    SourceField("middle_name", _("Middle name")),
    SourceField("given_names", _("First and middle name")),
    SourceField("full_name", _("Full name")),
    SourceField("email", _("E-mail")),
    SourceField("emails", _("All e-mails"), multiple=True),
    SourceField("phone", _("Phone")),
    SourceField("phones", _("All phones"), multiple=True),
    SourceField("company", _("Company")),
    SourceField("job_title", _("Job title")),
    SourceField("birth_date", _("Birth date")),
    SourceField("domain_id", _("Domain id")),
    SourceField("page_id", _("Page id")),
    SourceField("id", _("Contact id")),
)

_LABELS = {field.key: field.label for field in SOURCE_FIELDS}
_ATTRIBUTES = "attributes"
# What the keys of attributes begin with.
ATTRIBUTE = f"{_ATTRIBUTES}."


def label_of(key: str) -> str:
    """What people call the field, in the active language; an attribute by its own name."""
    if key == _ATTRIBUTES:
        return _gettext("Attributes")
    return str(_LABELS.get(key, key.removeprefix(ATTRIBUTE)))


def getter(key: str) -> Getter:
    """Reads the field `key` (or `attributes.NAME`). Raises KeyError for an unknown one."""
    if key.startswith(ATTRIBUTE):
        name = key.removeprefix(ATTRIBUTE)
        return lambda contact: contact.attributes().get(name)
    if key in _NAMES:
        return _NAMES[key]
    if key == "emails":
        return lambda contact: list(contact.emails)
    if key == "phones":
        return lambda contact: list(contact.phones)
    if key == "id":
        return lambda contact: str(contact.row[0])
    at = _AT[key]
    return lambda contact: contact.row[at]


def parts_of(key: str) -> tuple[str, ...]:
    """The contact's fields that the field `key` is made of."""
    return _PARTS.get(key, (key,))


def needs_points(keys: Sequence[str]) -> bool:
    """Whether these fields need more than the primary e-mail and phone."""
    return "emails" in keys or "phones" in keys


def _joined(*names: str) -> Getter:
    return lambda contact: " ".join(part for name in names if (part := contact.get(name)))


_PARTS: Mapping[str, tuple[str, ...]] = {
    "given_names": ("first_name", "middle_name"),
    "full_name": ("first_name", "middle_name", "last_name"),
}
_NAMES: Mapping[str, Getter] = {key: _joined(*names) for key, names in _PARTS.items()}
