"""The sweep repairs what webhooks missed, and counts it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors.models import Connection
from syncjobs import inbox_tasks, pull, runs, sweep
from syncjobs.errors import Refused
from syncjobs.models import Run, RunKind, RunStatus, Subscription, SubscriptionState
from tests.inbox.conftest import Follower, Sender, changed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pulled_before")]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the next pull of changes finds; "asked" counts the pulls."""
    told: dict[str, Any] = {"created": 0, "updated": 0, "status": RunStatus.DONE, "asked": []}

    def read(connection: Connection, *, trigger: str) -> Run:
        told["asked"].append(trigger)
        run = runs.start(connection, RunKind.PULL, trigger=trigger)
        Run.objects.filter(pk=run.pk).update(created=told["created"], updated=told["updated"])
        runs.finish(run, told["status"])
        return run

    monkeypatch.setattr(pull, "pull", read)
    return told


def test_what_came_without_a_webhook_is_counted(
    subscription: Subscription, connection: Connection, found: dict[str, Any]
) -> None:
    found |= {"created": 2, "updated": 3}
    sweep.sweep(connection, count=False)  # the first one reads what was there before any webhook
    subscription.refresh_from_db()
    assert subscription.missed == 0
    sweep.sweep(connection, count=True)
    sweep.sweep(connection, count=True)
    subscription.refresh_from_db()
    assert subscription.missed == 10
    assert found["asked"] == ["sweep"] * 3


def test_what_waits_in_the_inbox_is_read_first_and_so_not_missed(
    send: Sender, connection: Connection, follower: Follower, found: dict[str, Any]
) -> None:
    send(changed(17))
    sweep.sweep(connection, count=True)
    assert follower.ids == ["17"]


def test_a_pull_that_stopped_proves_nothing(
    subscription: Subscription, connection: Connection, found: dict[str, Any]
) -> None:
    found |= {"created": 2, "status": RunStatus.STOPPED}
    sweep.sweep(connection, count=True)
    subscription.refresh_from_db()
    assert subscription.missed == 0


def test_it_comes_at_the_connections_interval_and_only_with_a_working_subscription(
    subscription: Subscription, connection: Connection
) -> None:
    assert sweep.claim_due() == [(connection.pk, False)]
    assert sweep.claim_due() == []
    earlier = timezone.now() - timedelta(minutes=connection.interval)
    Subscription.objects.update(swept_at=earlier)
    assert sweep.claim_due() == [(connection.pk, True)]
    Subscription.objects.update(swept_at=earlier, state=SubscriptionState.MISSING)
    assert sweep.claim_due() == []


def test_the_tick_asks_for_it_and_for_events_that_are_due(
    send: Sender, connection: Connection, follower: Follower, found: dict[str, Any], asked: list[Any]
) -> None:
    send(changed(17))
    Subscription.objects.update(wake_asked_at=None)
    asked.clear()
    inbox_tasks.tick()
    assert asked == [
        ("syncjobs.inbox_tasks.process_inbox", connection.pk),
        ("syncjobs.inbox_tasks.sweep_one", connection.pk, False),
    ]
    inbox_tasks.sweep_one(connection.pk, False)
    assert found["asked"] == ["sweep"]


def test_it_gives_way_to_another_pull(
    subscription: Subscription, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(connection: Connection, *, trigger: str) -> Run:
        raise Refused("It is being pulled already.", "already_running", 409)

    monkeypatch.setattr(pull, "pull", refuse)
    assert sweep.sweep(connection, count=True) is None
