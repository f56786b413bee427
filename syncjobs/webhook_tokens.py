"""Whose webhook a token belongs to, answered from memory: a stranger's guesses cost no question to the database."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from django.core.cache import caches

from connectors import services as connections
from connectors.core.webhooks import same_text
from connectors.models import Connection
from syncjobs.models import Subscription, SubscriptionState

_KNOWN, _LOADED = "webhooks.known", "webhooks.loaded"
# How long another process may go on with what it knew.
_SECONDS = 10
# An unknown token may be a new one: it is looked for, but not more often than this.
_PAUSE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Sender:
    """Who may put webhooks into the inbox: a connection, and the slug of its connector."""

    connection_id: int
    slug: str
    token_digest: str


def new_token() -> str:
    """An unguessable text for an address: 32 random bytes."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is stored of a token to find it by."""
    return hashlib.sha256(token.encode()).hexdigest()


def sender(slug: str, token: str) -> Sender | None:
    """The connection of this connector that the token was made for."""
    wanted = digest(token)
    found = _known().get(wanted)
    if found is None and caches["process"].add(_LOADED, True, _PAUSE_SECONDS):
        found = _load().get(wanted)
    if found is None or found.slug != slug or not same_text(found.token_digest, wanted):
        return None
    return found


def forget() -> None:
    """A subscription has changed: this process looks again at once."""
    caches["process"].delete_many([_KNOWN, _LOADED])


def _known() -> dict[str, Sender]:
    known: dict[str, Sender] | None = caches["process"].get(_KNOWN)
    return _load() if known is None else known


def _load() -> dict[str, Sender]:
    """The tokens of subscriptions, of addresses that were registered by hand, and those entered as a setting."""
    known: dict[str, Sender] = {}
    for held in Subscription.objects.select_related("connection"):
        marks = [held.token_digest] if held.state != SubscriptionState.OFF else []
        if held.secret.get("handler_token"):
            marks.append(digest(str(held.secret["handler_token"])))
        known |= {mark: Sender(held.connection_id, held.connection.connector, mark) for mark in marks}
    for connection in connections.usable(Connection.objects.filter(enabled=True)):
        webhooks = connection.connector_class.webhooks
        if webhooks is not None and webhooks.token_setting:
            token = str(connection.settings_and_secrets().get(webhooks.token_setting) or "")
            if token:
                known[digest(token)] = Sender(connection.pk, connection.connector, digest(token))
    caches["process"].set(_KNOWN, known, _SECONDS)
    return known
