"""What is found wrong, how long it is kept, and how often people are told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone, translation

from connectors import services
from connectors.core import registry
from connectors.models import Connection, ConnectionState
from syncjobs.alerts import finding, keeping, tasks, telling
from syncjobs.alerts.wording import sentence
from syncjobs.models import Alert, AlertKind, ContactSync, Run, RunKind
from tests.factories import ContactFactory

pytestmark = pytest.mark.django_db
SLUG = sorted(slug for slug in registry.all_connectors() if registry.sandbox_class(slug))[0]
NOW = timezone.now


@pytest.fixture
def connection() -> Connection:
    made = services.create_connection(SLUG, SLUG, {})
    Connection.objects.update(state=ConnectionState.OK)
    made.refresh_from_db()
    return made


@pytest.fixture
def mailed(settings: Any) -> Any:
    settings.EMAIL_URL, settings.ALERT_EMAILS = "smtp://localhost", ["ops@example.com"]
    return mail.outbox


class Hook(BaseHTTPRequestHandler):
    """A chat system's webhook."""

    got: list[dict[str, Any]] = []
    status = 200

    def do_POST(self) -> None:
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def hook(settings: Any) -> Iterator[type[Hook]]:
    Hook.got, Hook.status = [], 200
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.ALERT_WEBHOOK_URL = f"http://127.0.0.1:{server.server_port}/alerts"
    settings.ALLOW_PRIVATE_HOSTS = ["127.0.0.1"]
    yield Hook
    server.shutdown()
    thread.join()
    server.server_close()


def found() -> list[tuple[AlertKind, dict[str, Any]]]:
    return [(one.kind, one.facts) for one in finding.find()]


def ran(connection: Connection, at: datetime, **counts: int) -> None:
    run = Run.objects.create(connection=connection, kind=RunKind.PULL, started_at=at, heartbeat_at=at, **counts)
    Run.objects.filter(pk=run.pk).update(status="done", finished_at=at)


def parked(connection: Connection, problem: str = "The key was refused.") -> None:
    Connection.objects.update(state=ConnectionState.NEEDS_ATTENTION, state_message=problem)


def later(alert: Alert, **ages: timedelta) -> None:
    Alert.objects.filter(pk=alert.pk).update(**{name: NOW() - age for name, age in ages.items()})


def test_nothing_is_wrong_with_a_connection_that_works(connection: Connection) -> None:
    ran(connection, NOW(), created=100, failed=5)
    assert found() == []


def test_a_parked_connection_is_found_and_a_disabled_one_is_not(connection: Connection) -> None:
    parked(connection)
    assert found() == [(AlertKind.ATTENTION, {"problem": "The key was refused."})]
    Connection.objects.update(enabled=False)
    assert found() == []


@pytest.mark.parametrize(("failed", "created", "raised"), [(20, 100, True), (19, 0, False), (20, 1000, False)])
def test_failures_count_by_number_and_share(connection: Connection, failed: int, created: int, raised: bool) -> None:
    ran(connection, NOW(), failed=failed, created=created)
    ran(connection, NOW() - timedelta(hours=3), failed=1000)
    assert found() == ([(AlertKind.FAILURES, {"failed": failed, "tried": failed + created})] if raised else [])


def test_a_queue_that_stands_still_is_found(connection: Connection) -> None:
    contact = ContactFactory()
    due = NOW() - timedelta(minutes=65 + connection.interval)
    ContactSync.objects.create(
        contact=contact, connection=connection, sync_status="Queued", processing_status="Queued", due_at=due
    )
    ((kind, facts),) = found()
    assert (kind, facts["minutes"] >= 65) == (AlertKind.STUCK, True)


WEEKS = [timedelta(days=7), timedelta(days=14)]


def ordinary_weeks(connection: Connection, silent_since: timedelta, weeks: list[timedelta]) -> None:
    """The same hours of earlier weeks brought a change every half an hour; then came the silence."""
    ran(connection, NOW() - timedelta(days=20), updated=1)
    for week in weeks:
        for half_hours in range(1, 8):
            ran(connection, NOW() - week - timedelta(minutes=30 * half_hours), updated=1)
    ran(connection, NOW() - silent_since, updated=1)


def test_silence_in_hours_that_usually_bring_changes_is_found(connection: Connection) -> None:
    ordinary_weeks(connection, timedelta(hours=3), WEEKS)
    ran(connection, NOW() - timedelta(minutes=1), unchanged=500)
    ((kind, facts),) = found()
    assert (kind, facts["usual"]) == (AlertKind.SILENCE, 5)


def test_silence_in_hours_that_are_always_silent_is_none(connection: Connection) -> None:
    ordinary_weeks(connection, timedelta(hours=3), WEEKS[:1])
    assert found() == []


def test_a_short_silence_is_none(connection: Connection) -> None:
    ordinary_weeks(connection, timedelta(hours=1), WEEKS)
    assert found() == []


def test_it_is_told_once_and_again_after_a_day(connection: Connection, mailed: Any) -> None:
    parked(connection)
    for _minute in range(3):
        tasks.tick()
    assert [message.to for message in mailed] == [["ops@example.com"]]
    assert "The key was refused." in mailed[0].body
    later(Alert.objects.get(), told_at=timedelta(hours=25))
    tasks.tick()
    assert len(mailed) == 2


def test_its_end_is_told_once_it_has_lasted(connection: Connection, mailed: Any) -> None:
    parked(connection)
    tasks.tick()
    Connection.objects.update(state=ConnectionState.OK)
    tasks.tick()
    assert len(mailed) == 1
    later(Alert.objects.get(), closed_at=timedelta(minutes=20))
    tasks.tick()
    tasks.tick()
    assert len(mailed) == 2
    assert "works again" in mailed[1].subject


def test_what_comes_and_goes_is_no_storm(connection: Connection, mailed: Any) -> None:
    for _ in range(5):
        parked(connection)
        tasks.tick()
        Connection.objects.update(state=ConnectionState.OK)
        tasks.tick()
    assert len(mailed) == 1
    assert Alert.objects.count() == 1


def test_many_at_once_are_one_message(connection: Connection, mailed: Any) -> None:
    services.create_connection(SLUG, "second", {})
    parked(connection)
    tasks.tick()
    assert len(mailed) == 1
    assert mailed[0].body.count("The key was refused.") == 2


def test_nobody_is_told_while_it_is_quiet(connection: Connection, mailed: Any) -> None:
    parked(connection)
    keeping.keep(finding.find())
    keeping.quieten(Alert.objects.get(), 24)
    tasks.tick()
    assert mailed == []
    assert Alert.objects.filter(closed_at=None).exists()


def test_a_webhook_is_posted_a_text_and_the_facts(connection: Connection, hook: type[Hook]) -> None:
    parked(connection)
    tasks.tick()
    (body,) = hook.got
    assert "The key was refused." in body["text"]
    (told,) = body["alerts"]
    assert (told["connection"], told["kind"], told["over"]) == (SLUG, "attention", False)


def test_what_could_not_be_told_stays_due(connection: Connection, hook: type[Hook]) -> None:
    parked(connection)
    hook.status = 500
    tasks.tick()
    assert Alert.objects.get().told_at is None
    hook.status = 200
    tasks.tick()
    assert Alert.objects.get().told_at is not None
    assert len(hook.got) == 2


def test_a_channel_that_fails_does_not_make_the_other_repeat(
    connection: Connection, hook: type[Hook], mailed: Any
) -> None:
    parked(connection)
    hook.status = 500
    tasks.tick()
    tasks.tick()
    assert (len(mailed), len(hook.got)) == (1, 1)


def test_inner_addresses_are_not_posted_to(connection: Connection, hook: type[Hook], settings: Any) -> None:
    settings.ALLOW_PRIVATE_HOSTS = []
    with pytest.raises(telling.NotTold):
        telling.tell([])
    assert hook.got == []


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (AlertKind.ATTENTION, {"problem": "The record is gone (HTTP 410)."}),
        (AlertKind.FAILURES, {"failed": 20, "tried": 100}),
        (AlertKind.STUCK, {"minutes": 90}),
        (AlertKind.SILENCE, {"since": "2026-01-01T00:00:00+00:00", "usual": 5}),
    ],
)
def test_every_kind_reads_well_in_both_languages(
    connection: Connection, kind: AlertKind, facts: dict[str, Any]
) -> None:
    alert = Alert(connection=connection, kind=kind, facts=facts)
    english = sentence(alert)
    with translation.override("ru"):
        russian = sentence(alert)
    assert english != russian
    assert str(connection) in english
    assert str(connection) in russian


def test_the_command_lists_and_tests(connection: Connection, mailed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("alerts")
    assert "Nothing is wrong." in capsys.readouterr().out
    parked(connection)
    tasks.tick()
    call_command("alerts")
    assert "The key was refused." in capsys.readouterr().out
    call_command("alerts", "--test")
    assert "test" in mailed[-1].subject


def test_the_command_says_what_to_set(settings: Any) -> None:
    settings.EMAIL_URL = settings.ALERT_WEBHOOK_URL = ""
    with pytest.raises(CommandError, match="ALERT_EMAILS"):
        call_command("alerts", "--test")


def test_open_alerts_stand_above_the_dashboard(
    connection: Connection, client: Any, django_user_model: Callable[..., Any]
) -> None:
    user = django_user_model.objects.create_superuser("root", "root@example.com", "x")  # type: ignore[attr-defined]
    client.force_login(user)
    ran(connection, NOW(), failed=30)
    tasks.tick()
    page = client.get("/admin/").content.decode()
    assert "30 of 30 records failed within an hour." in page
    assert "sync_status__exact=Error" in page
    listed = client.get("/admin/syncjobs/alert/").content.decode()
    assert "30 of 30 records failed" in listed
    client.post("/admin/syncjobs/alert/", {"action": "quieten", "_selected_action": Alert.objects.get().pk})
    assert Alert.objects.get().quiet_until is not None
