"""The inbox and the subscription in the admin: who sees what, who may do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from connectors.core.sandbox import Fault, Sandbox
from connectors.models import Connection
from crmsync.roles import give_role
from syncjobs import inbox_processing, subscriptions
from syncjobs.models import EventStatus, InboundEvent, Subscription, SubscriptionState
from syncjobs.payloads import payload
from tests.inbox.conftest import Follower, Sender, changed, only_event

pytestmark = pytest.mark.django_db
LIST = reverse("admin:syncjobs_inboundevent_changelist")


@pytest.fixture
def browser(django_user_model: Any) -> Callable[[str], Client]:
    def make(role: str) -> Client:
        user = django_user_model.objects.create_user(role, f"{role}@example.com", "x", is_staff=True)
        give_role(user, role)
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def event(send: Sender, connection: Connection, follower: Follower) -> InboundEvent:
    send(
        changed(17, name="Эрик Леонхард", responsible_user_id=10072086)
        | {"contacts[update][0][custom_fields][0][values][0][value]": "+79996370816"}
        | {"contacts[update][0][custom_fields][1][values][0][value]": "erik@example.com"}
    )
    inbox_processing.process(connection)
    return only_event()


def page(event: InboundEvent) -> str:
    return reverse("admin:syncjobs_inboundevent_change", args=[event.pk])


@pytest.mark.parametrize("role", ["operator", "administrator"])
def test_whoever_operates_sees_what_was_received(browser: Any, event: InboundEvent, role: str) -> None:
    shown = browser(role).get(page(event)).content.decode()
    assert "Эрик Леонхард" in shown
    assert "+79996370816" in shown
    assert "erik@example.com" in shown


def test_a_viewer_sees_keys_and_ids_and_nothing_personal(browser: Any, event: InboundEvent) -> None:
    shown = browser("viewer").get(page(event)).content.decode()
    assert "contacts[update][0][name]" in shown
    assert "10072086" in shown
    for personal in ("Леонхард", "79996370816", "erik@example.com"):
        assert personal not in shown


@pytest.mark.parametrize(
    "body",
    [
        b"contacts[update][0][type]=%2B79996370816",
        b"contacts[update][0][id]=Leonhard+Erik",
        b"Leonhard,+79996370816",
        b"a[Leonhard Erik]=1",
        b'{"name": "Leonhard", "phones": ["+79996370816"]}',
        b"a" + b"[b]" * 50 + b"=Leonhard",
        "имя=Leonhard".encode(),
    ],
)
def test_masking_does_not_trust_names_of_keys(body: bytes) -> None:
    shown = payload(InboundEvent(body=body), masked=True)
    text = f"{shown.rows} {shown.text}"
    assert "***" in text
    assert "Leonhard" not in text
    assert "79996370816" not in text


def test_secrets_of_a_body_are_shown_to_nobody() -> None:
    event = InboundEvent(body=b"auth[application_token]=jvh9y1&auth[domain]=a.example.com")
    assert payload(event, masked=False).rows == [("auth[application_token]", "***"), ("auth[domain]", "a.example.com")]


def test_a_long_body_is_shown_in_part() -> None:
    shown = payload(InboundEvent(body=b"&".join(b"a%d=1" % n for n in range(700))), masked=False)
    assert (len(shown.rows), shown.left_out) == (500, 200)


def test_replay_from_the_page_and_from_the_list(browser: Any, event: InboundEvent, asked: list[Any]) -> None:
    client = browser("operator")
    client.post(reverse("admin:event_replay", args=[event.pk]))
    event.refresh_from_db()
    assert (event.status, event.replays) == (EventStatus.NEW, 1)
    InboundEvent.objects.update(status=EventStatus.FAILED)
    answer = client.post(LIST, {"action": "replay_selected", "_selected_action": [event.pk]}, follow=True)
    assert "1 event is processed again." in answer.content.decode()
    event.refresh_from_db()
    assert (event.status, event.replays) == (EventStatus.NEW, 2)


def test_a_viewer_replays_nothing(browser: Any, event: InboundEvent) -> None:
    client = browser("viewer")
    assert client.post(reverse("admin:event_replay", args=[event.pk])).status_code == 403
    client.post(LIST, {"action": "replay_selected", "_selected_action": [event.pk]})
    event.refresh_from_db()
    assert event.replays == 0
    assert "Process again" not in client.get(page(event)).content.decode()


def test_events_are_neither_made_nor_changed_nor_deleted_by_hand(browser: Any, event: InboundEvent) -> None:
    client = browser("administrator")
    assert client.get(reverse("admin:syncjobs_inboundevent_add")).status_code == 403
    assert client.post(reverse("admin:syncjobs_inboundevent_delete", args=[event.pk])).status_code == 403


@pytest.mark.parametrize(
    "query",
    ["", "?status__exact=done", "?event_type__icontains=contacts", "?connection__id__exact={pk}",
     "?received_at_from_0=2026-01-01&received_at_from_1=00:00"],
)  # fmt: skip
def test_the_list_filters(browser: Any, event: InboundEvent, query: str) -> None:
    answer = browser("viewer").get(LIST + query.format(pk=event.connection_id))
    assert answer.status_code == 200
    assert "contacts 17" in answer.content.decode()


def test_the_list_costs_the_same_for_many_and_reads_no_body(
    browser: Any, event: InboundEvent, send: Sender, settings: Any
) -> None:
    client = browser("operator")
    client.get(LIST)
    with CaptureQueriesContext(database) as few:
        client.get(LIST)
    for number in range(30):
        send(changed(number))
    with CaptureQueriesContext(database) as many:
        client.get(LIST)
    assert len(many) == len(few)
    assert not any('"body"' in query["sql"] for query in many.captured_queries)


def connection_page(connection: Connection) -> str:
    return reverse("admin:connectors_connection_change", args=[connection.pk])


def press(client: Client, name: str, connection: Connection) -> str:
    path = reverse(f"admin:subscription_{name}", args=[connection.pk])
    return client.post(path, follow=True).content.decode()


def test_the_buttons_of_a_connection(browser: Any, connection: Connection, sandbox: Sandbox) -> None:
    client = browser("administrator")
    assert "Subscribe" in client.get(connection_page(connection)).content.decode()
    shown = press(client, "subscribe", connection)
    assert "The webhooks are subscribed to and working." in shown
    assert "/all/***" in shown
    assert Subscription.objects.get().secret["token"] not in shown
    sandbox.hooks.rows.clear()  # type: ignore[attr-defined]
    assert "Repaired: 1" in press(client, "check", connection)
    assert "The webhooks have been removed." in press(client, "remove", connection)
    assert Subscription.objects.get().state == SubscriptionState.OFF


def test_a_refusal_is_told(browser: Any, subscription: Subscription, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault("status", method="GET", path="webhooks", status=402, body={}))
    assert "not paid" in press(browser("administrator"), "check", subscription.connection)


def test_an_address_that_is_not_public_is_told(browser: Any, connection: Connection, settings: Any) -> None:
    settings.SITE_URL = ""
    client = browser("administrator")
    assert subscriptions.NOT_PUBLIC in client.get(connection_page(connection)).content.decode()
    assert subscriptions.NOT_PUBLIC in press(client, "subscribe", connection)


@pytest.mark.parametrize("role", ["viewer", "operator"])
@pytest.mark.parametrize("name", ["subscribe", "check", "remove"])
def test_only_administrators_press_them(browser: Any, subscription: Subscription, role: str, name: str) -> None:
    path = reverse(f"admin:subscription_{name}", args=[subscription.connection_id])
    assert browser(role).post(path).status_code == 403
    subscription.refresh_from_db()
    assert subscription.state == SubscriptionState.OK
