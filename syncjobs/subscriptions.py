"""A connection's webhooks by themselves: made when it works and we can be reached, repaired, and removed again."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import transaction
from django.utils import timezone
from django_q.tasks import async_task

from connectors import services as connections
from connectors.core.errors import ApiError
from connectors.core.webhooks import Hook, WebhookAdapter
from connectors.models import Connection, ConnectionState
from syncjobs import webhook_tokens
from syncjobs.inbox import ALL_EVENTS
from syncjobs.models import Subscription, SubscriptionState
from syncjobs.site_address import is_loopback, is_public, site_url

log = logging.getLogger(__name__)

PATH = "/api/v1/webhooks"

NOT_PUBLIC = "SITE_URL is not public: the system cannot reach this hub. Changes are read at intervals."
DISABLED = "The connection is disabled."
BY_HAND = "It was removed by hand."
NOT_LISTED = "The system does not list it."
SWITCHED_OFF = "The system has disabled it after failed deliveries."


def has_webhooks(connection: Connection) -> bool:
    """Whether the connection's system tells of changes by itself."""
    return connection.connector_class.webhooks is not None


def why_off(connection: Connection) -> str:
    """Why there is nothing to subscribe to, as a sentence; "" when a subscription can be made."""
    site = site_url()
    if not connection.enabled:
        return DISABLED
    if not is_public(site) and not (connection.is_sandbox and is_loopback(site)):
        return NOT_PUBLIC
    return ""


def ensure(connection: Connection, *, by_hand: bool = False) -> Subscription:
    """Looks at the subscription and makes, repairs or removes it as it has to be; says how it is.

    What the remote system refuses is told by `state` and `message`. One that a person removed is made again `by_hand`
    only. Raises nothing for the remote.
    """
    subscription = row(connection, by_hand=by_hand)
    reason = why_off(connection) or ("" if subscription.wanted else BY_HAND)
    if reason:
        return _switch_off(subscription, reason)
    if connection.state == ConnectionState.NEEDS_ATTENTION:
        return subscription
    destination = _destination(subscription)
    # Before the remote system knows the address: what it sends at once is to be let in.
    _keep(subscription, state=_expected(subscription))
    try:
        with webhooks_of(connection) as webhooks:
            _repair(subscription, webhooks, destination)
    except ApiError as e:
        _keep(subscription, message=e.message, checked_at=timezone.now())
    return subscription


def remove(connection: Connection, *, by_hand: bool = False) -> Subscription | None:
    """Ends the subscription; what went wrong is in its message. `by_hand` keeps it from being made again by itself."""
    subscription = Subscription.objects.filter(connection=connection).first()
    if subscription is None:
        return None
    subscription.connection = connection
    if by_hand:
        _keep(subscription, wanted=False)
    return _switch_off(subscription, BY_HAND if by_hand else why_off(connection))


def check_all() -> None:
    """Every connection that has webhooks, or had."""
    for connection in connections.usable(Connection.objects.all()):
        if has_webhooks(connection):
            ensure(connection)


def check_soon(connection: Connection) -> bool:
    """Has a worker look at the subscription, where there is something to do; True when it was asked."""
    if not has_webhooks(connection):
        return False
    registered = Subscription.objects.filter(connection=connection).exclude(state=SubscriptionState.OFF).exists()
    if bool(why_off(connection)) and not registered:
        return False
    transaction.on_commit(lambda: async_task("syncjobs.inbox_tasks.check_subscription", connection.pk))
    return True


def shown_destination(subscription: Subscription) -> str:
    """The registered address with its secret masked."""
    destination = str(subscription.secret.get("destination", ""))
    token = str(subscription.secret.get("token", ""))
    return destination.replace(token, "***") if token else destination


def row(connection: Connection, *, by_hand: bool = False) -> Subscription:
    """What is known of the connection's webhooks, begun where there is nothing yet."""
    token = webhook_tokens.new_token()
    made = {"token_digest": webhook_tokens.digest(token), "secret": {"token": token}}
    subscription, _created = Subscription.objects.get_or_create(connection=connection, defaults=made)
    subscription.connection = connection
    if by_hand and not subscription.wanted:
        _keep(subscription, wanted=True)
    return subscription


def _destination(subscription: Subscription) -> str:
    token = subscription.secret["token"]
    return f"{site_url()}{PATH}/{subscription.connection.connector}/{ALL_EVENTS}/{token}"


def _expected(subscription: Subscription) -> str:
    """The state until the remote system has answered."""
    off = subscription.state == SubscriptionState.OFF
    return SubscriptionState.MISSING if off else subscription.state


def _repair(subscription: Subscription, webhooks: WebhookAdapter, destination: str) -> None:
    known = subscription.secret.get("destination") == destination
    if not known:
        # Before it is asked for: an answer that is lost must not leave a subscription that nobody remembers.
        previous = subscription.secret.get("destination") or subscription.secret.get("previous", "")
        _keep(subscription, secret={**subscription.secret, "destination": destination, "previous": previous})
    found = webhooks.listed(destination) if known else None
    wanted = frozenset(webhooks.events)
    if found is None or found.disabled or found.events != wanted:
        if known:
            _note_fault(subscription, found)
        found = webhooks.subscribe(destination, webhooks.events)
    account = found.account or subscription.account
    _keep(subscription, state=SubscriptionState.OK, message="", account=account, events=sorted(wanted))
    if subscription.secret.get("previous"):
        webhooks.unsubscribe(subscription.secret["previous"])
        _keep(subscription, secret={**subscription.secret, "previous": ""})
    _keep(subscription, checked_at=timezone.now())


def _note_fault(subscription: Subscription, found: Hook | None) -> None:
    """What is wrong with a subscription that was made before, in case that saving it again fails."""
    disabled = found is not None and found.disabled
    state = SubscriptionState.DISABLED if disabled else SubscriptionState.MISSING
    message = SWITCHED_OFF if disabled else NOT_LISTED
    _keep(subscription, state=state, message=message, repairs=subscription.repairs + 1)


def _switch_off(subscription: Subscription, reason: str) -> Subscription:
    """Unsubscribes what was subscribed; a new token is made for the next time, so that the old one is worth nothing."""
    held = [str(subscription.secret[name]) for name in ("destination", "previous") if subscription.secret.get(name)]
    message = reason
    if held:
        message = "\n".join(filter(None, [reason, _unsubscribe(subscription.connection, held)]))
        token = webhook_tokens.new_token()
        kept = {name: held for name, held in subscription.secret.items() if name not in ("destination", "previous")}
        _keep(subscription, secret={**kept, "token": token}, token_digest=webhook_tokens.digest(token))
    _keep(subscription, state=SubscriptionState.OFF, message=message, checked_at=timezone.now())
    return subscription


def _unsubscribe(connection: Connection, destinations: Sequence[str]) -> str:
    """ "" or the sentence why it did not work: best effort, as the account may be out of reach for good."""
    try:
        with webhooks_of(connection) as webhooks:
            for destination in destinations:
                webhooks.unsubscribe(destination)
    except ApiError as e:
        log.warning("webhooks of %s were not unsubscribed: %s", connection.key, e.kind)
        return e.message
    return ""


def _keep(subscription: Subscription, **values: object) -> None:
    for name, value in values.items():
        setattr(subscription, name, value)
    subscription.save(update_fields=list(values))
    webhook_tokens.forget()


@contextmanager
def webhooks_of(connection: Connection) -> Iterator[WebhookAdapter]:
    """The account's webhooks, asked once each and not again: somebody may be waiting. Raises ApiError."""
    connector = connections.open_connector(connection, patient=False)
    try:
        adapter = connector.webhooks
        assert adapter is not None, f"{connection.connector} has no webhooks"  # noqa: S101 - callers ask first
        yield adapter(connector)
    finally:
        connector.close()
