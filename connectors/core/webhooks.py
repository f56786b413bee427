"""What a connector with webhooks brings: which events it wants, how to subscribe, and what a body says.

A webhook is a hint: it names records that may have changed. What they are now is read through the API, so bodies may
come twice, late, in any order, or be forged by somebody who knows the address, and nothing wrong is stored.
"""

from __future__ import annotations

import hmac
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from connectors.core.base import Connector
from connectors.core.forms import Malformed

__all__ = ["Hook", "Malformed", "RemoteEvent", "WebhookAdapter", "same_text"]


@dataclass(frozen=True, slots=True)
class RemoteEvent:
    """One record that a webhook names. `entity` is the connector's word for it, `action` the remote system's.

    `at` is the time of change as the body tells it and `account` the account it says it comes from, "" when it says
    nothing; `raw` is the record as it came, a tree of texts.
    """

    entity: str
    action: str
    id: str
    at: datetime | None = None
    account: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Hook:
    """A subscription as the remote system has it; `account` is the id of the account it belongs to, if told."""

    destination: str
    events: frozenset[str]
    disabled: bool = False
    account: str = ""


class WebhookAdapter(ABC):
    """The webhooks of one account. What needs no account is asked of the class.

    `events` are the codes subscribed to, in the remote system's words. `token_setting` names the setting that holds the
    secret of what a person has set up in the remote system itself, "" where there is none.
    """

    events: ClassVar[tuple[str, ...]]
    token_setting: ClassVar[str] = ""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector

    @abstractmethod
    def subscribe(self, url: str, events: Sequence[str]) -> Hook:
        """Asks for `events` at `url`; one that exists gets exactly these and is enabled. Raises ApiError."""

    @abstractmethod
    def listed(self, url: str) -> Hook | None:
        """The subscription of this destination, None when there is none. Raises ApiError."""

    @abstractmethod
    def unsubscribe(self, url: str) -> None:
        """Ends the subscription; one that is gone already is no error. Raises ApiError."""

    @classmethod
    @abstractmethod
    def parse(cls, event_type: str, content_type: str, body: bytes) -> list[RemoteEvent]:
        """Every record that a body names, in its order. Raises Malformed."""

    @classmethod
    def token_in(cls, body: bytes) -> str:
        """The secret that a body carries, for systems whose address has none; "" where there is none."""
        return ""

    @classmethod
    def verify(cls, event: RemoteEvent, account: str) -> bool:
        """Whether an event belongs to the account with this id; one that tells no account is taken."""
        return not event.account or not account or same_text(event.account, account)


def same_text(one: str, other: str) -> bool:
    """Compares in a time that does not tell how much agrees."""
    return hmac.compare_digest(one.encode(), other.encode())
