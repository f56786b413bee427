"""The nouns connectors and engine exchange: frozen dataclasses, no Django, no CRM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectors.core.errors import ApiError

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


class Auth(StrEnum):
    API_KEY = "api_key"
    BEARER = "bearer"
    BASIC = "basic"
    OAUTH2 = "oauth2"
    URL_SECRET = "url_secret"  # noqa: S105 - the name of a method, not a secret
    DSN = "dsn"
    NONE = "none"


class ConfigKind(StrEnum):
    TEXT = "text"
    URL = "url"
    SECRET = "secret"  # noqa: S105 - the name of a kind, not a secret
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    INTEGERS = "integers"


@dataclass(frozen=True, slots=True)
class ConfigField:
    """One setting of a connection: draws the form, reads the environment, is checked before use.

    `env` defaults to the connector's prefix and the upper-cased name: BREVO_API_KEY. Where `signs_in` is true the
    connection counts as configured only when this field has a value.
    """

    name: str
    label: str
    kind: ConfigKind = ConfigKind.TEXT
    required: bool = False
    default: Any = None
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    env: str = ""
    signs_in: bool = False
    advanced: bool = False


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`requests` per `seconds` for one remote account; `name` tells several limits of one system apart.

    `burst` requests may go at once after a pause. `margin` is the share left unused, because requests reach the
    server less evenly than they leave us.
    """

    requests: float
    seconds: float
    name: str = "default"
    burst: int = 1
    margin: float = 0.03

    @property
    def interval(self) -> float:
        """Seconds between two slots, such that no window of `seconds` ever holds more than `requests`."""
        return self.seconds / (self.requests - (self.burst - 1)) / (1 - self.margin)


class Deletes(StrEnum):
    """How deletions in the remote system become known."""

    NONE = "none"
    LISTED = "listed"
    WEBHOOK = "webhook"
    SCAN = "scan"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector can do with one entity.

    `upsert_key` names the identity by which a repeated create is harmless ("" where there is none: the engine then
    looks before it creates). `find_keys` are the keys `find` accepts.
    """

    read: bool = False
    write: bool = False
    delete: bool = False
    changes: bool = False
    deletes: Deletes = Deletes.NONE
    page_size: int = 100
    write_batch: int = 1
    upsert_key: str = ""
    find_keys: tuple[str, ...] = ()
    find_batch: int = 1
    versioned: bool = False
    max_in_flight: int = 4


class RuleMode(StrEnum):
    OVERWRITE = "overwrite"
    IF_NEW = "if_new"
    IF_EMPTY = "if_empty"
    APPEND = "append"


class Direction(StrEnum):
    PUSH = "push"
    PULL = "pull"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class DefaultRule:
    """A field rule a new connection starts with: our field, theirs, and how."""

    ours: str
    theirs: str
    direction: Direction = Direction.BOTH
    mode: RuleMode = RuleMode.OVERWRITE
    transform: str = ""


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """The static facts of a connector; forms, admin actions, API, docs and tests are drawn from it.

    `needs` names the contact fields without which a contact cannot be sent ("email"). `requires_pypi` names packages
    without which the connector stays unregistered.
    """

    slug: str
    label: str
    auth: Auth
    config: tuple[ConfigField, ...]
    entities: Mapping[str, Capabilities]
    limits: tuple[RateLimit, ...] = ()
    env_prefix: str = ""
    aliases: tuple[str, ...] = ()
    match_order: tuple[str, ...] = ("email",)
    needs: tuple[str, ...] = ()
    default_interval_minutes: int | None = None
    retries_lost_creates: bool = False

    @property
    def prefix(self) -> str:
        return self.env_prefix or self.slug.upper()

    def env_name(self, config_field: ConfigField) -> str:
        return config_field.env or f"{self.prefix}_{config_field.name.upper()}"

    def secrets(self) -> tuple[ConfigField, ...]:
        return tuple(f for f in self.config if f.kind is ConfigKind.SECRET)

    def is_configured(self, values: Mapping[str, Any]) -> bool:
        """True when every field that signs in, and every required one, has a value."""
        return all(values.get(f.name) not in (None, "") for f in self.config if f.signs_in or f.required)


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


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One remote field as the account has it now."""

    key: str
    label: str
    type: FieldType = FieldType.TEXT
    read_only: bool = False
    required: bool = False
    multiple: bool = False
    options: tuple[tuple[str, str], ...] = ()
    max_length: int | None = None
    custom: bool = False


class ReadMode(StrEnum):
    FULL = "full"
    CHANGES = "changes"
    IDS = "ids"


@dataclass(frozen=True, slots=True)
class ReadQuery:
    """`cursor` is what the connector itself put into an earlier Page; None starts from the beginning.

    `limit` is the most records a page may have; None leaves it to the connector.
    """

    entity: str = CONTACTS
    mode: ReadMode = ReadMode.FULL
    cursor: Mapping[str, Any] | None = None
    since: datetime | None = None
    ids: Sequence[str] = ()
    fields: Sequence[str] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteRecord:
    """Their record: `values` by their field keys, decoded; `raw` as it came."""

    id: str
    values: Mapping[str, Any]
    version: str = ""
    updated_at: datetime | None = None
    created_at: datetime | None = None
    ref: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)


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
class Prepared:
    """What `prepare` found: the fields that may be written, and sentences about those that may not."""

    fields: Mapping[str, FieldSpec]
    warnings: tuple[str, ...] = ()
