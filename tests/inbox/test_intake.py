"""What the endpoint takes in and what it refuses: nothing that arrives corrupts anything, and each answer is quick."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connectors.core import registry
from connectors.core.forms import parse_form
from connectors.models import Connection
from crmsync.logs import redact_text
from syncjobs import inbox, inbox_processing
from syncjobs.models import EventStatus, InboundEvent, Subscription
from tests.inbox.conftest import FORM, SLUG, Follower, Sender, changed, only_event

pytestmark = pytest.mark.django_db
BASE = f"/api/v1/webhooks/{SLUG}"


def test_a_webhook_is_stored_as_it_came_and_answered(send: Sender) -> None:
    answer = send(changed(17))
    assert answer.status_code == 200
    event = only_event()
    assert bytes(event.body) == b"contacts%5Bupdate%5D%5B0%5D%5Bid%5D=17"
    assert (event.event_type, event.content_type, event.status) == ("all", FORM, EventStatus.NEW)


def test_the_token_may_be_in_the_query(send: Sender, subscription: Subscription) -> None:
    token = subscription.secret["token"]
    assert send(changed(1), f"{BASE}/update_contact?token={token}").status_code == 200
    assert only_event().event_type == "update_contact"


def test_an_unknown_event_is_stored_and_answered(send: Sender, connection: Connection, follower: Follower) -> None:
    assert send({"moons[waxed][0][id]": "5"}, send.path.replace("/all/", "/moon_waxed/")).status_code == 200
    inbox_processing.process(connection)
    event = only_event()
    assert (event.event_type, event.status) == ("moon_waxed", EventStatus.DONE)
    assert event.message == "Nothing follows moons of this connection."
    assert follower.calls == []


@pytest.mark.parametrize("path", [f"{BASE}/all", f"{BASE}/all/", f"{BASE}/all/wrong", f"{BASE}/all?token=wrong",
                                  "/api/v1/webhooks/nothing/all/wrong"])  # fmt: skip
def test_without_the_token_nothing_is_stored(send: Sender, path: str) -> None:
    answer = send(changed(1), path)
    assert answer.status_code == 401
    assert answer.json()["code"] == "token_invalid"
    assert not InboundEvent.objects.exists()


def test_a_token_is_good_for_its_own_system_only(send: Sender) -> None:
    assert send(changed(1), send.path.replace(f"/{SLUG}/", "/brevo/")).status_code == 401


def test_guessing_is_slowed_down_and_does_not_stop_the_real_sender(send: Sender) -> None:
    send(changed(1))
    answers = [send(b"x=1", f"{BASE}/all/guess{n}") for n in range(62)]
    assert [a.status_code for a in answers[:60]] == [401] * 60
    assert answers[61].status_code == 429
    assert answers[61]["Retry-After"] == "60"
    assert send(changed(2)).status_code == 200


def test_guesses_ask_the_database_nothing(send: Sender) -> None:
    send(b"x=1", f"{BASE}/all/guess")
    with CaptureQueriesContext(database) as asked:
        send(b"x=1", f"{BASE}/all/another")
    assert len(asked) == 0


def test_a_webhook_costs_one_statement(send: Sender) -> None:
    send(changed(1))
    with CaptureQueriesContext(database) as asked:
        send(changed(2))
    assert len(asked) == 1


def test_a_flood_asks_for_one_worker(send: Sender, asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "ASK_SECONDS", 0.0)
    asked.clear()
    for number in range(20):
        send(changed(number))
    assert [task[0] for task in asked] == ["syncjobs.inbox_tasks.process_inbox"]


def test_repetitions_that_wait_are_one_event(send: Sender) -> None:
    for _ in range(3):
        assert send(changed(17)).status_code == 200
    assert only_event().repeats == 2


def test_a_repetition_after_processing_is_looked_at_again(
    send: Sender, connection: Connection, follower: Follower
) -> None:
    """A record deleted, restored and deleted again sends equal bodies: the second must not be taken for a retry."""
    send(changed(17, action="delete"))
    inbox_processing.process(connection)
    send(changed(17, action="delete"))
    inbox_processing.process(connection)
    assert follower.ids == ["17", "17"]


def test_only_post(send: Sender) -> None:
    answer = send.client.get(send.path)
    assert answer.status_code == 405
    assert answer["Allow"] == "POST, OPTIONS"
    assert answer.json()["code"] == "method_not_allowed"
    assert send.client.options(send.path)["Allow"] == "POST, OPTIONS"


def test_what_is_too_large_is_refused_and_not_stored(send: Sender) -> None:
    assert send(b"a=" + b"x" * (5 << 20)).status_code == 413
    assert send(b"a=1&" * 100_001).status_code == 413
    assert send(b"").status_code == 400
    assert not InboundEvent.objects.exists()


def test_neither_session_nor_csrf_token_is_asked_for(send: Sender) -> None:
    assert Client(enforce_csrf_checks=True).post(send.path, b"a=1", content_type=FORM).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"contacts[update][0][id",
        b"contacts[update]=1",
        b"contacts=1&contacts[update]=2&contacts[update][0]=3",
        b"[]=1&[=2&]=3&[[[]]]=4",
        b"=&&&===",
        b"contacts[update][0][id]=1%00%ff%zz",
        b"contacts[update][0][id]=-5&contacts[update][1][id]=" + b"9" * 5000,
        b"a" + b"[b]" * 5000 + b"=1",
        b"\xff\xfe\x00\x01",
        b'{"contacts": {"update": [{"id": 17}]}}',
        b"account=5&contacts[add][0][id]=",
    ],
)
def test_malformed_bodies_are_stored_and_ignored(
    send: Sender, connection: Connection, follower: Follower, body: bytes
) -> None:
    assert send(body).status_code == 200
    inbox_processing.process(connection)
    event = only_event()
    assert event.status == EventStatus.IGNORED
    assert event.message
    assert follower.calls == []


def test_a_hundred_thousand_keys_are_read(send: Sender, connection: Connection, follower: Follower) -> None:
    body = b"&".join(b"contacts[update][0][x%d]=1" % n for n in range(99_998)) + b"&contacts[update][7][id]=17"
    assert send(body).status_code == 200
    inbox_processing.process(connection)
    assert follower.ids == ["17"]


def test_the_token_does_not_reach_the_log(send: Sender) -> None:
    assert redact_text("Not Found: /api/v1/webhooks/x/all/" + "t" * 43) == "Not Found: /api/v1/webhooks/x/all/***"


def test_a_system_may_carry_its_token_in_the_body(
    send: Sender, subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = registry.get(SLUG).webhooks
    assert adapter is not None
    assert send(changed(1) | {"auth[token]": subscription.secret["token"]}, f"{BASE}/all").status_code == 401
    monkeypatch.setattr(adapter, "token_in", lambda body: parse_form(body).get("auth", {}).get("token", ""))
    assert send(changed(1) | {"auth[token]": subscription.secret["token"]}, f"{BASE}/all").status_code == 200
    assert send(changed(1) | {"auth[token]": "wrong"}, f"{BASE}/all").status_code == 401
    assert InboundEvent.objects.count() == 1
