"""The connector: five verbs over one configured account of a remote system, and what it is given to do them."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.core.clock import Clock, SystemClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.limits import Limiter, MemoryLimiter
from connectors.core.turns import MemoryTurns, Turns
from connectors.core.types import (
    CONTACTS,
    Capabilities,
    Change,
    ConnectorSpec,
    DefaultRule,
    FieldSpec,
    Health,
    Inspection,
    MatchKey,
    Outcome,
    Page,
    Prepared,
    ReadQuery,
    RemoteRecord,
    Secret,
)

if TYPE_CHECKING:
    import requests.adapters

    from connectors.core.auth import OAuth2, TokenStore
    from connectors.core.metrics import Recorder
    from connectors.core.webhooks import WebhookAdapter


@dataclass
class Context:
    """Everything a connector may use of the world: settings, secrets, clock, limits, transport, log.

    `timeout` is for one request, in seconds; `deadline`, a moment of the clock's `monotonic`, for all of them.
    """

    config: Mapping[str, Any]
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    key: str = ""
    clock: Clock = field(default_factory=SystemClock)
    limiter: Limiter = field(default_factory=MemoryLimiter)
    turns: Turns = field(default_factory=MemoryTurns)
    timeout: float = 30.0
    deadline: float | None = None
    allow_private_hosts: Sequence[str] = ()
    max_tries: int = 4
    adapter: requests.adapters.BaseAdapter | None = None
    recorder: Recorder | None = None
    tokens: TokenStore | None = None
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("connectors"))

    def seconds_left(self) -> float:
        """How long a request that starts now may take. Raises ApiError (TRANSIENT) when no time is left."""
        if self.deadline is None:
            return self.timeout
        left = self.deadline - self.clock.monotonic()
        if left <= 0:
            raise ApiError(ErrorKind.TRANSIENT, "The remote system took too long to answer.")
        return min(self.timeout, left)

    def secret(self, name: str) -> str:
        """The secret's text, "" when it is not set."""
        held = self.secrets.get(name)
        return held.reveal() if held else ""


class Connector(ABC):
    """One configured account of a remote system. Made anew for every run; not shared between processes.

    `write` never raises for one record: it yields exactly one Outcome per Change, in any order, and raises ApiError
    only for what concerns the whole run (AUTH, CONFIG, RATE_LIMITED that outlasts the run).
    """

    spec: ClassVar[ConnectorSpec]
    # How a person gives access; None where credentials are typed in.
    oauth: OAuth2 | None = None
    # How the system tells of changes by itself; None where it does not.
    webhooks: ClassVar[type[WebhookAdapter] | None] = None

    def __init__(self, context: Context) -> None:
        self.context = context
        self.config = context.config

    @classmethod
    def default_rules(cls, config: Mapping[str, Any]) -> Sequence[DefaultRule]:
        """The field rules a new connection starts with."""
        return ()

    @classmethod
    def facts(cls, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """What crm-config shows of this connection besides the common keys. No secrets."""
        return {}

    @abstractmethod
    def check(self) -> Health:
        """The cheapest authenticated read; creates nothing. Raises ApiError (AUTH, CONFIG, TRANSIENT …)."""

    def inspect(self) -> Inspection:
        """What the account is like and lacks, for whoever sets it up. Raises ApiError when it cannot be asked."""
        health = self.check()
        return Inspection({"account": health.account}, warnings=health.warnings)

    @abstractmethod
    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        """The entity's fields as this account has them now, custom ones included."""

    def prepare(self, entity: str, wanted: Sequence[str]) -> Prepared:
        """Makes the account ready for writing the fields `wanted`: reads the catalogue, creates our own fields."""
        return Prepared(fields={f.key: f for f in self.describe(entity)})

    def ensure_fields(self, entity: str, wanted: Sequence[FieldSpec]) -> list[FieldSpec]:
        """Makes the fields that the account lacks, and the options that its lists lack; answers each as it is there.

        One with a `remote_id` is that very field, others are told by their label. Nothing is taken away.
        """
        raise NotSupported(self, "ensure_fields")

    def expect(self, query: ReadQuery) -> None:  # noqa: B027 - most ask for nothing together
        """`describe` of the query's entity comes next, and `read` of the query after it.

        What both begin with may be asked for at once.
        """

    def read(self, query: ReadQuery) -> Iterator[Page]:
        """Pages of records: all, changed ones, or by id. The last page says so."""
        raise NotSupported(self, "read")

    def readers(self, entity: str) -> Mapping[str, Callable[[Any], Any]] | None:
        """By field key, what makes a value of what `raw` holds under that key: values depend on nothing else then.

        A field without one holds texts as they are, of which "" is nothing. None for all where only the record itself
        can tell. Whoever reads very many records saves decoding equal values again.
        """
        return None

    def values_of(self, entity: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Values by field key out of a record as the remote system's own users would write it.

        Raises ApiError (DATA), which names the field, for what is not written so.
        """
        return body

    def find(self, entity: str, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        """For every key the records that carry it, checked on the answer; a key without any is given an empty list."""
        raise NotSupported(self, "find")

    @property
    def knows_account(self) -> bool:
        """Whether finding has cost a read of the whole account: another connector would have to read it again."""
        return False

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        """Sends changes in the largest fitting batches, several in flight, pulling `changes` as it goes."""
        raise NotSupported(self, "write")

    def close(self) -> None:  # noqa: B027 - a connector without sockets has nothing to release
        """Releases sockets. The connector cannot be used afterwards."""

    def capabilities(self, entity: str = CONTACTS) -> Capabilities:
        return self.spec.entities[entity]

    def account_key(self) -> str:
        """What tells this remote account from others, so that two connections to it share its rate limits."""
        return self.context.key or self.spec.slug


class NotSupported(TypeError):
    """The engine asked for a verb that the connector's capabilities do not declare."""

    def __init__(self, connector: Connector, verb: str) -> None:
        super().__init__(f"{connector.spec.label} cannot {verb}: its capabilities say so")
