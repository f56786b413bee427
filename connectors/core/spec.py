"""The static facts of a connector, as data: settings, limits, capabilities, default rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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

    `env` defaults to the connector's prefix and the upper-cased name: BREVO_API_KEY. `env_aliases` are further names,
    asked in their order where that variable is empty. Where `signs_in` is true the connection counts as configured only
    when this field has a value.
    """

    name: str
    label: str
    kind: ConfigKind = ConfigKind.TEXT
    required: bool = False
    default: Any = None
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    env: str = ""
    env_aliases: tuple[str, ...] = ()
    signs_in: bool = False
    advanced: bool = False


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`requests` per `seconds` for one remote account; `name` tells several limits of one system apart.

    `burst` requests may go at once after a pause. `margin` is the share left unused, because requests reach the
    server less evenly than they leave us. A `rolling` limit lets all of them go at once, and the next as these grow
    older than `seconds`: for quotas in which one request may count as several (see Call.limits).
    """

    requests: float
    seconds: float
    name: str = "default"
    burst: int = 1
    margin: float = 0.03
    rolling: bool = False

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
    looks before it creates). `find_keys` are the keys `find` accepts. `paged` is whether a person may leaf through the
    records by page number, `search` whether they may be searched by words, `makes_fields` whether `ensure_fields` does.
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
    paged: bool = False
    search: bool = False
    makes_fields: bool = False


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

    `needs` names the contact fields without which a contact cannot be sent ("email"). `ways_in` are sets of settings of
    which one has to be whole, for systems that can be signed in to in several ways. `id_field` is the field that holds
    a record's own id, where others may carry it on as the reference to it.
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
    ways_in: tuple[tuple[str, ...], ...] = ()
    id_field: str = ""

    @property
    def prefix(self) -> str:
        return self.env_prefix or self.slug.upper()

    def env_name(self, config_field: ConfigField) -> str:
        return config_field.env or f"{self.prefix}_{config_field.name.upper()}"

    def secrets(self) -> tuple[ConfigField, ...]:
        return tuple(f for f in self.config if f.kind is ConfigKind.SECRET)

    def api_key(self) -> ConfigField | None:
        """The secret that is enough by itself to sign in; None where there is none."""
        alone = {way[0] for way in self.ways_in if len(way) == 1}
        return next((f for f in self.secrets() if f.signs_in or f.name in alone), None)

    def is_configured(self, values: Mapping[str, Any]) -> bool:
        """True when every field that signs in, every required one, and those of one way in have a value."""
        return not self.missing(values)

    def missing(self, values: Mapping[str, Any]) -> list[str]:
        """The labels of the settings that are still needed; of several ways in, those of the nearest."""
        needed = [f.name for f in self.config if f.signs_in or f.required]
        ways = [[name for name in way if values.get(name) in (None, "")] for way in self.ways_in]
        nearest = min(ways, key=len) if ways else []
        absent = {name for name in needed if values.get(name) in (None, "")} | set(nearest)
        return [f.label for f in self.config if f.name in absent]
