"""The nouns connectors and engine exchange: frozen dataclasses, no Django, no CRM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from connectors.core.spec import (
    Auth,
    Capabilities,
    ConfigField,
    ConfigKind,
    ConnectorSpec,
    DefaultRule,
    Deletes,
    Direction,
    RateLimit,
    RuleMode,
)

if TYPE_CHECKING:
    from connectors.core.errors import ApiError

__all__ = [
    "CONTACTS",
    "Auth",
    "Capabilities",
    "Change",
    "ConfigField",
    "ConfigKind",
    "ConnectorSpec",
    "DefaultRule",
    "Deletes",
    "Direction",
    "FieldSpec",
    "FieldType",
    "Health",
    "Inspection",
    "MatchKey",
    "MultiValue",
    "Op",
    "Options",
    "Outcome",
    "Page",
    "Prepared",
    "RateLimit",
    "ReadMode",
    "ReadQuery",
    "RemoteRecord",
    "Result",
    "RuleMode",
    "Secret",
]

CONTACTS = "contacts"


class Secret:
    """A string that never shows itself: `reveal()` is the only way to its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class MultiValue:
    """One of several e-mails or phones of a record."""

    value: str
    label: str = ""
    primary: bool = False


class FieldType(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"
    CHOICES = "choices"
    EMAILS = "emails"
    PHONES = "phones"
    JSON = "json"


Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One remote field as the account has it now.

    `options` are (value, label) of everything it takes, empty where it is free. Where they hang on another field,
    `depends_on` is that field's key and `options_by` their share for each of its values: the stages of each pipeline.
    `remote_id` is the field's own id in the remote system, where it has one besides its key; `remote_type` the remote
    system's own word for the type, where that says more than `type` does: an amount with its currency, a reference.
    """

    key: str
    label: str
    type: FieldType = FieldType.TEXT
    read_only: bool = False
    required: bool = False
    multiple: bool = False
    options: Options = ()
    max_length: int | None = None
    custom: bool = False
    depends_on: str = ""
    options_by: tuple[tuple[str, Options], ...] = ()
    remote_id: str = ""
    remote_type: str = ""


class ReadMode(StrEnum):
    FULL = "full"
    CHANGES = "changes"
    IDS = "ids"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class ReadQuery:
    """`cursor` is what the connector itself put into an earlier Page; None starts from the beginning.

    `limit` is the most records a page may have; None leaves it to the connector. In mode PAGE, one page is read: the
    one numbered `page`, from 1, of the records that `query` finds by its words, or of all.
    """

    entity: str = CONTACTS
    mode: ReadMode = ReadMode.FULL
    cursor: Mapping[str, Any] | None = None
    since: datetime | None = None
    ids: Sequence[str] = ()
    fields: Sequence[str] = ()
    limit: int | None = None
    page: int = 1
    query: str = ""


@dataclass(frozen=True, slots=True)
class RemoteRecord:
    """Their record: `values` by their field keys, decoded; `raw` as it came.

    `former_ids` are ids under which the same record was known before, where the system changes them.
    """

    id: str
    values: Mapping[str, Any]
    version: str = ""
    updated_at: datetime | None = None
    created_at: datetime | None = None
    ref: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)
    former_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a read. Store `cursor` together with the records, never before them."""

    records: Sequence[RemoteRecord]
    cursor: Mapping[str, Any] | None = None
    last: bool = False
    deleted_ids: Sequence[str] = ()
    total: int | None = None


@dataclass(frozen=True, slots=True)
class MatchKey:
    """A way to find a record: ("email", "ann@example.com")."""

    name: str
    value: str


class Op(StrEnum):
    UPSERT = "upsert"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One record to write. `ref` comes back in its outcome; `values` hold only what must change.

    `all_values` is the whole set of mapped values, for systems whose upsert refuses partial ones.
    `key` carries the identity for an upsert (("email", …)); `before` what both sides last agreed on, when known.
    """

    ref: int
    op: Op
    values: Mapping[str, Any]
    external_id: str = ""
    version: str = ""
    key: MatchKey | None = None
    idempotency_key: str = ""
    all_values: Mapping[str, Any] | None = None
    before: Mapping[str, Any] | None = None


class Result(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one change. `external_ref` is what people see where it is not the id.

    `warning` is a sentence about a record that was written, but not wholly (a shared phone left out).
    """

    ref: int
    result: Result
    external_id: str = ""
    external_ref: str = ""
    version: str = ""
    error: ApiError | None = None
    warning: str = ""

    @property
    def ok(self) -> bool:
        return self.result not in (Result.FAILED, Result.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Health:
    """What a check found out: whose account it is, and sentences about what will not work."""

    message: str
    account: str = ""
    account_id: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a system is like, without any of its records.

    `facts` by name in JSON's types; `problems` are sentences about what is missing, `warnings` about what is unwise.
    """

    facts: Mapping[str, Any]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` found: the fields that may be written, and sentences about those that may not."""

    fields: Mapping[str, FieldSpec]
    warnings: tuple[str, ...] = ()
