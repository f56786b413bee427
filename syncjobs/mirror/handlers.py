"""Where a remote system delivers its events when a person registers an address by the API, beside our subscription.

The address carries a token of its own, kept with the connection's subscription: it stays good whatever becomes of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from django.utils.translation import gettext as _

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.webhooks import WebhookAdapter
from connectors.models import Connection
from syncjobs import subscriptions, webhook_tokens
from syncjobs.errors import Refused
from syncjobs.models import Subscription


@dataclass(frozen=True, slots=True)
class Handler:
    """An address as the remote system has it; `address` without its token."""

    address: str
    events: list[str]


def register(connection: Connection, base: str, path: str) -> Handler:
    """Asks for all events at `base` + `path`; what is registered already stays. Raises Refused."""
    _refuse_base(base)
    subscription = _subscription(connection)
    token = str(subscription.secret.get("handler_token") or webhook_tokens.new_token())
    address = f"{base.rstrip('/')}{path}"
    # Before the remote system knows the address: what it sends at once is to be let in.
    _keep(subscription, token, [*_addresses(subscription), address])
    with _webhooks(connection) as webhooks:
        hook = webhooks.subscribe(_with_token(address, token), webhooks.events)
    return Handler(address, sorted(hook.events))


def unregister(connection: Connection, base: str, path: str) -> None:
    """Takes the address away; one that is not registered is no error. Raises Refused."""
    _refuse_base(base)
    subscription = _subscription(connection)
    address = f"{base.rstrip('/')}{path}"
    token = str(subscription.secret.get("handler_token") or "")
    if token:
        with _webhooks(connection) as webhooks:
            webhooks.unsubscribe(_with_token(address, token))
        _keep(subscription, token, [known for known in _addresses(subscription) if known != address])


def registered(connection: Connection) -> list[Handler]:
    """What the remote system has: of our subscription and of what was registered by hand. Raises Refused."""
    subscription = _subscription(connection)
    token = str(subscription.secret.get("handler_token") or "")
    asked = {_with_token(address, token): address for address in _addresses(subscription)}
    if subscription.secret.get("destination"):
        asked[str(subscription.secret["destination"])] = subscriptions.shown_destination(subscription)
    if not asked:
        return []
    with _webhooks(connection) as webhooks:
        found = {shown: webhooks.listed(url) for url, shown in asked.items()}
    return [Handler(shown, sorted(hook.events)) for shown, hook in found.items() if hook is not None]


def _subscription(connection: Connection) -> Subscription:
    if not subscriptions.has_webhooks(connection):
        message = _("%(crm)s is not known to send webhooks.") % {"crm": connection.spec.label}
        raise Refused(message, "no_webhooks")
    return subscriptions.row(connection)


def _addresses(subscription: Subscription) -> list[str]:
    return list(subscription.secret.get("handlers", []))


def _keep(subscription: Subscription, token: str, addresses: list[str]) -> None:
    handlers = list(dict.fromkeys(addresses))
    subscription.secret = {**subscription.secret, "handler_token": token, "handlers": handlers}
    subscription.save(update_fields=["secret"])
    webhook_tokens.forget()


def _with_token(address: str, token: str) -> str:
    return f"{address}?{urlencode({'token': token})}"


def _refuse_base(base: str) -> None:
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Refused(
            _("handler_base_url must be the address of this hub, such as https://hub.example.com."), "bad_url"
        )


@contextmanager
def _webhooks(connection: Connection) -> Iterator[WebhookAdapter]:
    """Raises Refused with what a person can do where the system does not let us."""
    try:
        with subscriptions.webhooks_of(connection) as webhooks:
            yield webhooks
    except ApiError as e:
        if e.kind in (ErrorKind.CONFIG, ErrorKind.AUTH):
            raise Refused(e.message, "cannot_register", 409) from e
        raise Refused(e.message, "remote_unavailable", 503) from e
