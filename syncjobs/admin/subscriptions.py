"""The webhooks' part of a connection's admin page: how the subscription is, and buttons for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from connectors.models import Connection
from syncjobs import subscriptions
from syncjobs.admin.badges import SUBSCRIPTION_BADGES
from syncjobs.models import Subscription, SubscriptionState
from syncjobs.sentences import translated

ForChange = Callable[[HttpRequest, int], Connection]


def panel(connection: Connection) -> dict[str, Any]:
    """What the template shows of a connection's webhooks; empty where its system has none."""
    if not subscriptions.has_webhooks(connection):
        return {}
    held = Subscription.objects.filter(connection=connection).first()
    state = SubscriptionState(held.state) if held else SubscriptionState.OFF
    message = held.message if held else subscriptions.why_off(connection)
    return {
        "subscription": held,
        "subscription_shown": True,
        "subscription_label": state.label,
        "subscription_variant": SUBSCRIPTION_BADGES[state],
        "subscription_message": translated(message),
        "subscription_address": subscriptions.shown_destination(held) if held else "",
        "subscription_on": state != SubscriptionState.OFF,
    }


def patterns(view: Callable[..., Any], for_change: ForChange) -> list[URLPattern]:
    """The buttons' addresses. `for_change` answers the connection, or refuses whoever may not change it."""

    def button(act: Callable[[HttpRequest, Connection], None]) -> Any:
        def press(request: HttpRequest, pk: int) -> HttpResponse:
            act(request, for_change(request, pk))
            return redirect(reverse("admin:connectors_connection_change", args=[pk]))

        return view(require_POST(press))

    return [
        path("<int:pk>/webhooks/subscribe/", button(_subscribe), name="subscription_subscribe"),
        path("<int:pk>/webhooks/check/", button(_check), name="subscription_check"),
        path("<int:pk>/webhooks/remove/", button(_remove), name="subscription_remove"),
    ]


def _subscribe(request: HttpRequest, connection: Connection) -> None:
    if subscriptions.has_webhooks(connection):
        _tell(request, subscriptions.ensure(connection, by_hand=True))


def _check(request: HttpRequest, connection: Connection) -> None:
    if subscriptions.has_webhooks(connection):
        _tell(request, subscriptions.ensure(connection))


def _remove(request: HttpRequest, connection: Connection) -> None:
    removed = subscriptions.remove(connection, by_hand=True)
    if removed is None or removed.message == subscriptions.BY_HAND:
        messages.success(request, _("The webhooks have been removed."))
    else:
        messages.warning(request, translated(removed.message))


def _tell(request: HttpRequest, subscription: Subscription) -> None:
    if subscription.state == SubscriptionState.OK and not subscription.message:
        messages.success(request, _("The webhooks are subscribed to and working."))
    else:
        messages.error(request, translated(subscription.message) or _("The connection needs attention first."))
