"""What the worker makes of the inbox: each record once, in any order, and nothing lost on the way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.core.errors import ApiError, ErrorKind
from connectors.models import Connection, ConnectionState
from syncjobs import inbox, inbox_processing, inbox_tasks, runs
from syncjobs.models import EventStatus, InboundEvent, RunKind, RunStatus
from tests.inbox.conftest import Follower, Sender, changed, only_event

pytestmark = pytest.mark.django_db


def let_time_pass() -> None:
    InboundEvent.objects.update(due_at=timezone.now() - timedelta(hours=1))


def fail_with(error: Exception) -> Any:
    def fail(ids: Sequence[str]) -> None:
        raise error

    return fail


def test_several_records_entities_and_actions_in_one_body(
    send: Sender, connection: Connection, follower: Follower
) -> None:
    send(
        changed(1, 2)
        | changed(3, action="add")
        | changed(4, action="delete", type="contact")
        | changed(6, entity="leads", action="status", old_status_id=142)
        | {"contacts[add][9][id]": "5", "contacts[add][9][type]": "company"}
        | {"contacts[update][40][id]": "7", "account[id]": "31287990"}
    )
    inbox_processing.process(connection)
    assert sorted(follower.ids) == ["1", "2", "3", "4", "7"]
    event = only_event()
    assert event.status == EventStatus.DONE
    assert ["leads", "status", "6"] in event.entities
    assert ["companies", "add", "5"] in event.entities
    assert event.message == ("Nothing follows companies of this connection.\nNothing follows leads of this connection.")


def test_companies_come_under_contacts(send: Sender, connection: Connection, follower: Follower) -> None:
    send(changed(5, type="company"))
    inbox_processing.process(connection)
    event = only_event()
    assert event.entities == [["companies", "update", "5"]]
    assert event.message == "Nothing follows companies of this connection."
    assert follower.calls == []


def test_a_record_named_often_is_read_once(send: Sender, connection: Connection, follower: Follower) -> None:
    for second in range(30):
        send(changed(17, 18, last_modified=1694434030 + second))
    inbox_processing.process(connection)
    assert follower.calls == [["17", "18"]]
    assert set(InboundEvent.objects.values_list("status", flat=True)) == {EventStatus.DONE}


def test_order_does_not_matter(send: Sender, connection: Connection, follower: Follower) -> None:
    send(changed(17, action="delete"))
    send(changed(17, action="update", last_modified=5))
    send(changed(17, action="add", last_modified=1))
    inbox_processing.process(connection)
    assert follower.calls == [["17"]]


def test_another_accounts_webhook_is_ignored(send: Sender, connection: Connection, follower: Follower) -> None:
    send(changed(17) | {"account[id]": "1"})
    inbox_processing.process(connection)
    assert only_event().status == EventStatus.IGNORED
    assert only_event().message == inbox_processing.OTHER_ACCOUNT
    assert follower.calls == []


def test_statements_do_not_grow_with_events(send: Sender, connection: Connection, follower: Follower) -> None:
    def cost(count: int, first: int) -> int:
        for number in range(first, first + count):
            send(changed(number))
        with CaptureQueriesContext(database) as asked:
            inbox_processing.process(connection)
        return len(asked)

    assert cost(3, 0) == cost(300, 1000)


def test_a_failure_is_tried_again_and_then_given_up(send: Sender, connection: Connection, follower: Follower) -> None:
    follower.fail = fail_with(ApiError(ErrorKind.TRANSIENT, "The server is away."))
    send(changed(17))
    pauses = []
    for attempt in range(1, inbox_processing.MAX_ATTEMPTS):
        inbox_processing.process(connection)
        event = only_event()
        assert (event.status, event.attempts, event.message) == (EventStatus.NEW, attempt, "The server is away.")
        pauses.append((event.due_at - timezone.now()).total_seconds())
        assert inbox_processing.process(connection) == 0
        let_time_pass()
    inbox_processing.process(connection)
    assert (only_event().status, only_event().attempts) == (EventStatus.FAILED, inbox_processing.MAX_ATTEMPTS)
    assert pauses == sorted(pauses)
    assert inbox_processing.process(connection) == 0


@pytest.mark.parametrize("kind", [ErrorKind.AUTH, ErrorKind.RATE_LIMITED, ErrorKind.CONFIG])
def test_what_concerns_the_whole_account_spends_no_attempt(
    send: Sender, connection: Connection, follower: Follower, kind: ErrorKind
) -> None:
    follower.fail = fail_with(ApiError(kind, "Not now."))
    send(changed(17))
    for _ in range(inbox_processing.MAX_ATTEMPTS + 1):
        inbox_processing.process(connection)
        let_time_pass()
    assert (only_event().status, only_event().attempts) == (EventStatus.NEW, 0)


def test_one_bad_record_costs_only_its_own_events(send: Sender, connection: Connection, follower: Follower) -> None:
    def fail(ids: Sequence[str]) -> None:
        if "13" in ids:
            raise ValueError("thirteen")

    follower.fail = fail
    for number in range(20):
        send(changed(number))
    for _ in range(inbox_processing.MAX_ATTEMPTS):
        inbox_processing.process(connection)
        let_time_pass()
    failed = InboundEvent.objects.filter(status=EventStatus.FAILED)
    assert [event.entities for event in failed] == [[["contacts", "update", "13"]]]
    assert InboundEvent.objects.filter(status=EventStatus.DONE).count() == 19


def test_a_run_that_stopped_is_tried_again_and_one_that_ended_is_told(
    send: Sender, connection: Connection, follower: Follower
) -> None:
    run = follower.run = runs.start(connection, RunKind.PULL, trigger="webhook")
    runs.finish(run, RunStatus.STOPPED, "The account is away.")
    send(changed(17))
    inbox_processing.process(connection)
    assert (only_event().status, only_event().message) == (EventStatus.NEW, "The account is away.")
    follower.run = runs.start(connection, RunKind.PULL, trigger="webhook")
    runs.finish(follower.run, RunStatus.DONE)
    let_time_pass()
    inbox_processing.process(connection)
    event = only_event()
    assert (event.status, event.run_id, event.message) == (EventStatus.DONE, follower.run.pk, "")
    assert event.processed_at is not None


def test_a_replay_is_processed_once_more(send: Sender, connection: Connection, follower: Follower, asked: Any) -> None:
    send(changed(17))
    inbox_processing.process(connection)
    asked.clear()
    inbox_tasks.process_inbox(connection.pk)
    assert inbox.replay(InboundEvent.objects.all()) == 1
    assert asked[0][0] == "syncjobs.inbox_tasks.process_inbox"
    assert inbox.replay(InboundEvent.objects.all()) == 0  # it waits already
    inbox_tasks.process_inbox(connection.pk)
    event = only_event()
    assert follower.ids == ["17", "17"]
    assert (event.status, event.replays) == (EventStatus.DONE, 1)


@pytest.mark.parametrize("away", [{"enabled": False}, {"state": ConnectionState.NEEDS_ATTENTION}])
def test_events_of_a_connection_that_does_not_work_wait(
    send: Sender, connection: Connection, follower: Follower, away: dict[str, Any]
) -> None:
    send(changed(17))
    Connection.objects.filter(pk=connection.pk).update(**away)
    inbox_tasks.process_inbox(connection.pk)
    assert inbox.waiting_connections() == []
    Connection.objects.filter(pk=connection.pk).update(enabled=True, state=ConnectionState.OK)
    assert inbox.waiting_connections() == [connection.pk]
    inbox_tasks.process_inbox(connection.pk)
    assert follower.ids == ["17"]


def test_old_events_are_forgotten_but_not_those_that_wait(
    send: Sender, connection: Connection, follower: Follower
) -> None:
    send(changed(17))
    inbox_processing.process(connection)
    send(changed(18))
    InboundEvent.objects.update(received_at=timezone.now() - timedelta(days=inbox.KEEP_DAYS + 1))
    assert inbox.purge() == 1
    assert only_event().status == EventStatus.NEW
