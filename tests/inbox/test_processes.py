"""Real commits, real processes, real HTTP: a worker that is killed, and a stand-in that delivers by itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connections

from connectors import services
from connectors.core import registry
from connectors.core.testing import SandboxServer
from connectors.models import Connection
from syncjobs import inbox, inbox_processing, subscriptions
from syncjobs.models import EventStatus, InboundEvent, Subscription, SubscriptionState
from tests.engine.test_processes import ROOT, environment_of_processes, wait_until
from tests.inbox.conftest import SLUG, Follower

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HANGING = """
import sys, time, django
django.setup()
from connectors.models import Connection
from syncjobs import inbox_consumers, inbox_processing
def consume(connection, ids, trigger):
    print("reading", flush=True)
    time.sleep(60)
inbox_consumers.register("hub", "contacts", consume, lambda connection: True)
inbox_processing.process(Connection.objects.get())
"""


@pytest.fixture
def plain(transactional_db: None) -> Connection:
    values = registry.sandbox_class(SLUG)().config("https://sandbox.example.com")  # type: ignore[misc]
    return services.create_connection(SLUG, SLUG, values)


def start_worker() -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-c", HANGING],
        cwd=ROOT,
        env=environment_of_processes(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "reading\n"
    return worker


def test_a_killed_worker_loses_nothing_and_keeps_nobody_out(plain: Connection, follower: Follower) -> None:
    for number in range(5):
        InboundEvent.objects.create(
            connection=plain, event_type="all", body=b"contacts[add][0][id]=%d" % number, digest=bytes([number] * 16)
        )
    worker = start_worker()
    try:
        assert inbox_processing.process(plain) == 0  # one worker at a time
        assert set(InboundEvent.objects.values_list("status", flat=True)) == {EventStatus.NEW}
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    wait_until(lambda: inbox_processing.process(plain) == 5)
    assert follower.ids == ["0", "1", "2", "3", "4"]
    assert set(InboundEvent.objects.values_list("status", flat=True)) == {EventStatus.DONE}


def test_what_arrives_while_a_body_is_being_read_is_an_event_of_its_own(plain: Connection, follower: Follower) -> None:
    """The record may have changed after it was read: the same body again must not be taken for a repetition."""
    body = b"contacts[update][0][id]=17"

    def arrive(ids: Sequence[str]) -> None:
        if len(follower.calls) == 1:
            inbox._asked[plain.pk] = time.monotonic() + 60
            inbox.accept(plain.pk, "all", "", body)

    follower.fail = arrive
    inbox._asked[plain.pk] = time.monotonic() + 60
    inbox.accept(plain.pk, "all", "", body)
    inbox_processing.process(plain)
    assert follower.ids == ["17", "17"]


@pytest.fixture
def delivered(live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.SITE_URL = live_server.url
    settings.ALLOW_PRIVATE_HOSTS = ["127.0.0.1"]
    for module in ("inbox", "subscriptions"):
        monkeypatch.setattr(f"syncjobs.{module}.async_task", lambda *args, **kwargs: None)
    sandbox = registry.sandbox_class(SLUG)(enforce_limits=False)  # type: ignore[misc]
    with SandboxServer(sandbox) as server:
        values = sandbox.config(server.url) | {"rps": 0}
        connection = services.create_connection(SLUG, SLUG, values, is_sandbox=True)
        yield sandbox, connection
        sandbox.hooks.rows.clear()
    connections.close_all()


def test_a_change_in_the_stand_in_reaches_the_consumer(delivered: Any, follower: Follower) -> None:
    sandbox, connection = delivered
    assert subscriptions.ensure(connection).state == SubscriptionState.OK
    number = sandbox.person_adds(first_name="Ann")
    sandbox.person_updates(number, last_name="Bell")
    wait_until(lambda: InboundEvent.objects.count() == 2)
    inbox_processing.process(connection)
    assert follower.calls == [[number]]
    assert set(InboundEvent.objects.values_list("status", "event_type")) == {
        (EventStatus.DONE, "contacts add"),
        (EventStatus.DONE, "contacts update"),
    }
    assert Subscription.objects.get().missed == 0
