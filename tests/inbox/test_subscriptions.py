"""The subscription by itself: made when it can be, repaired when it broke, removed when it is not wanted."""

from __future__ import annotations

from typing import Any

import pytest

from connectors import services
from connectors.core.sandbox import Fault, Sandbox
from connectors.models import Connection, ConnectionState
from syncjobs import inbox_tasks, subscriptions
from syncjobs.models import Subscription, SubscriptionState
from syncjobs.site_address import is_public
from tests.inbox.conftest import SITE, SLUG, Sender, changed

pytestmark = pytest.mark.django_db
HOOKS = "webhooks"


def rows(sandbox: Sandbox) -> list[dict[str, Any]]:
    return list(sandbox.hooks.rows.values())  # type: ignore[attr-defined]


def test_it_is_made_with_an_unguessable_address(subscription: Subscription, sandbox: Sandbox) -> None:
    (row,) = rows(sandbox)
    token = subscription.secret["token"]
    assert row["destination"] == f"{SITE}/api/v1/webhooks/{SLUG}/all/{token}"
    assert len(token) >= 43
    assert {"add_lead", "update_lead", "status_lead", "responsible_lead"} < set(row["settings"])
    assert {"add_contact", "update_contact", "delete_contact", "restore_contact"} < set(row["settings"])
    assert subscription.account


def test_neither_database_nor_screen_shows_the_token(subscription: Subscription) -> None:
    from django.db import connection as database

    with database.cursor() as cursor:
        cursor.execute("SELECT s::text FROM syncjobs_subscription s")
        assert subscription.secret["token"] not in cursor.fetchone()[0]
    assert subscriptions.shown_destination(subscription) == f"{SITE}/api/v1/webhooks/{SLUG}/all/***"


def test_a_second_look_changes_nothing(subscription: Subscription, connection: Connection, sandbox: Sandbox) -> None:
    before = len(sandbox.seen)
    again = subscriptions.ensure(connection)
    assert again.secret == subscription.secret
    assert again.repairs == 0
    assert [seen.method for seen in list(sandbox.seen)[before:]] == ["GET"]


@pytest.mark.parametrize("how", ["disabled", "missing", "changed"])
def test_what_broke_is_repaired(subscription: Subscription, connection: Connection, sandbox: Sandbox, how: str) -> None:
    (row,) = rows(sandbox)
    if how == "disabled":
        row["disabled"] = True
    elif how == "missing":
        sandbox.hooks.rows.clear()  # type: ignore[attr-defined]
    else:
        row["settings"] = ["add_lead"]
    inbox_tasks.check_subscriptions()
    subscription.refresh_from_db()
    (row,) = rows(sandbox)
    assert (row["disabled"], len(row["settings"])) == (False, len(subscription.events))
    assert (subscription.state, subscription.repairs) == (SubscriptionState.OK, 1)


def test_a_repair_that_fails_says_what_is_wrong(
    subscription: Subscription, connection: Connection, sandbox: Sandbox
) -> None:
    rows(sandbox)[0]["disabled"] = True
    sandbox.faults.append(Fault("status", method="POST", path=HOOKS, status=402, body={}))
    again = subscriptions.ensure(connection)
    assert again.state == SubscriptionState.DISABLED
    assert "not paid" in again.message
    assert Connection.objects.get().state == ConnectionState.OK  # contacts go on without webhooks


def test_an_answer_that_is_lost_leaves_nothing_behind(connection: Connection, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault("drop", method="POST", path=HOOKS))
    first = subscriptions.ensure(connection)
    assert first.state == SubscriptionState.MISSING
    assert len(rows(sandbox)) == 1
    subscriptions.remove(connection)
    assert rows(sandbox) == []


def test_a_new_site_moves_it(
    subscription: Subscription, connection: Connection, sandbox: Sandbox, settings: Any
) -> None:
    settings.SITE_URL = "https://other.example.com"
    moved = subscriptions.ensure(connection)
    (row,) = rows(sandbox)
    assert row["destination"].startswith("https://other.example.com/")
    assert (moved.state, moved.secret["previous"]) == (SubscriptionState.OK, "")


@pytest.mark.parametrize("url", ["", "http://hub.example.com", "https://localhost", "https://10.0.0.1", "https://hub",
                                 "https://127.0.0.1:8000", "https://[::1]", "https://hub.local"])  # fmt: skip
def test_without_a_public_address_it_is_off(connection: Connection, sandbox: Sandbox, settings: Any, url: str) -> None:
    settings.SITE_URL = url
    assert not is_public(url)
    made = subscriptions.ensure(connection)
    assert (made.state, made.message) == (SubscriptionState.OFF, subscriptions.NOT_PUBLIC)
    assert rows(sandbox) == []


def test_sandboxes_reach_a_loopback_address(connection: Connection, sandbox: Sandbox, settings: Any) -> None:
    settings.SITE_URL = "http://127.0.0.1:8000"
    connection.is_sandbox = True
    assert subscriptions.ensure(connection).state == SubscriptionState.OK


def test_its_end_makes_the_address_worthless(send: Sender, connection: Connection, sandbox: Sandbox) -> None:
    assert send(changed(1)).status_code == 200
    ended = subscriptions.remove(connection, by_hand=True)
    assert ended is not None
    assert ended.state == SubscriptionState.OFF
    assert rows(sandbox) == []
    assert send(changed(2)).status_code == 401


def test_one_removed_by_hand_stays_away_until_a_person_wants_it(subscription: Subscription, sandbox: Sandbox) -> None:
    connection = subscription.connection
    subscriptions.remove(connection, by_hand=True)
    inbox_tasks.check_subscriptions()
    assert rows(sandbox) == []
    assert subscriptions.ensure(connection, by_hand=True).state == SubscriptionState.OK


def test_a_disabled_connection_wants_none(
    subscription: Subscription, connection: Connection, sandbox: Sandbox, asked: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    connection.enabled = False
    with django_capture_on_commit_callbacks(execute=True):
        connection.save()
    assert asked[-1] == ("syncjobs.inbox_tasks.check_subscription", connection.pk)
    inbox_tasks.check_subscription(connection.pk)
    assert rows(sandbox) == []


def test_a_deleted_connection_takes_it_along(
    subscription: Subscription, connection: Connection, sandbox: Sandbox
) -> None:
    connection.delete()
    assert rows(sandbox) == []


def test_a_connection_is_deleted_though_its_system_is_away(
    subscription: Subscription, connection: Connection, sandbox: Sandbox
) -> None:
    sandbox.faults.append(Fault("refuse", times=9))
    connection.delete()
    assert not Subscription.objects.exists()


def test_a_connection_that_begins_to_work_is_subscribed(
    connection: Connection, sandbox: Sandbox, asked: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    services.park(connection, "Away.")
    with django_capture_on_commit_callbacks(execute=True):
        services.unpark(connection)
    assert asked == [("syncjobs.inbox_tasks.check_subscription", connection.pk)]
    inbox_tasks.check_subscription(connection.pk)
    assert len(rows(sandbox)) == 1
