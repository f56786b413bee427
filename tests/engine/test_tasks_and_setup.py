"""What workers and `setup` do: ticks, slices, clearing up, connections from the environment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import Schedule

from connectors import services as connections
from connectors.models import Connection, ConnectionState
from contacts.models import Contact
from syncjobs import demo, estimates, runs, services, setup, tasks
from syncjobs.models import ContactSync, Run, RunItem, RunKind, RunStatus
from tests.engine.conftest import DESTINATIONS, Destination

MakeContacts = Callable[..., list[Contact]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Tasks that were put into the worker's queue, instead of running them."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr("syncjobs.services.async_task", lambda *args, **kwargs: asked.append(args))
    return asked


def test_a_tick_starts_only_what_is_due(
    destination: Destination, make_contacts: MakeContacts, started: list[tuple[Any, ...]]
) -> None:
    tasks.tick()
    assert started == []
    make_contacts(2)
    destination.queue_all()
    tasks.tick()
    assert started == [("syncjobs.tasks.push_now", destination.connection.pk, None)]


def test_a_tick_keeps_the_interval(
    destination: Destination, make_contacts: MakeContacts, started: list[tuple[Any, ...]]
) -> None:
    make_contacts(2)
    destination.queue_all()
    destination.push()
    destination.queue_all()
    tasks.tick()
    assert started == []
    Run.objects.update(started_at=timezone.now() - timedelta(minutes=destination.connection.interval))
    tasks.tick()
    assert len(started) == 1


def test_a_disabled_connection_rests(
    destination: Destination, make_contacts: MakeContacts, started: list[tuple[Any, ...]]
) -> None:
    make_contacts(2)
    destination.queue_all()
    Connection.objects.update(enabled=False)
    tasks.tick()
    tasks.push_now(destination.connection.pk)
    assert started == []
    assert not Run.objects.exists()


def test_a_long_push_goes_on_in_slices(
    destination: Destination,
    make_contacts: MakeContacts,
    started: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("syncjobs.tasks.SLICE_SECONDS", 0.0)
    monkeypatch.setattr("syncjobs.pages.SMALLEST_PAGE", 100)
    make_contacts(250)
    destination.queue_all()

    tasks.push_now(destination.connection.pk)
    while started:
        tasks.push_now(*started.pop()[1:])

    run = Run.objects.get()
    assert (run.status, run.created) == (RunStatus.DONE, 250)
    assert len(destination.people()) == 250


def test_a_slice_lasts_as_long_as_its_connector_knows_the_account(
    destination: Destination,
    make_contacts: MakeContacts,
    started: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("syncjobs.tasks.SLICE_SECONDS", 0.0)
    monkeypatch.setattr("syncjobs.pages.SMALLEST_PAGE", 50)
    monkeypatch.setattr(destination.connection.connector_class, "knows_account", True)
    make_contacts(150)
    destination.queue_all()

    tasks.push_now(destination.connection.pk)
    assert started == []
    assert Run.objects.get().created == 150

    monkeypatch.setattr("syncjobs.push.KNOWING_SLICE_SECONDS", 0.0)
    Contact.objects.update(last_name="Reed")
    destination.queue_all()
    tasks.push_now(destination.connection.pk)
    assert len(started) == 1


def test_one_worker_at_a_time_pushes_on_schedule(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(2)
    destination.queue_all()
    runs.start(destination.connection, RunKind.PUSH, trigger="other")
    tasks.push_now(destination.connection.pk)
    assert Run.objects.count() == 1
    assert destination.people() == []


def test_a_run_whose_process_is_gone_is_closed(destination: Destination) -> None:
    run = runs.start(destination.connection, RunKind.PUSH, trigger="gone")
    Run.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
    runs.reap()
    run.refresh_from_db()
    assert (run.status, bool(run.finished_at)) == (RunStatus.STOPPED, True)
    assert run.message


def test_outcomes_are_forgotten_after_some_weeks(destination: Destination, make_contacts: MakeContacts) -> None:
    make_contacts(3)
    destination.queue_all()
    destination.push()
    tasks.purge()
    assert RunItem.objects.count() == 3
    Run.objects.update(started_at=timezone.now() - timedelta(days=tasks.KEEP_ITEMS_DAYS + 1))
    tasks.purge()
    assert (RunItem.objects.count(), Run.objects.count()) == (0, 1)


def test_the_pace_is_measured(destination: Destination, make_contacts: MakeContacts) -> None:
    assert estimates.pace(destination.connection) == estimates.documented_pace(destination.connection)
    now = timezone.now()
    Run.objects.create(
        connection=destination.connection, kind=RunKind.PUSH, created=500, started_at=now - timedelta(seconds=10),
        finished_at=now, status=RunStatus.DONE,
    )  # fmt: skip
    assert estimates.pace(destination.connection) == pytest.approx(50, rel=0.01)
    make_contacts(30)
    destination.queue_all()
    wait = estimates.completion(destination.connection) - timezone.now()
    assert timedelta(minutes=4) < wait < timedelta(minutes=6)


def test_an_urgent_contact_is_told_a_minute(destination: Destination, make_contacts: MakeContacts) -> None:
    (contact,) = make_contacts(1)
    link = services.queue_one(contact.pk, destination.connection)
    assert services.estimate(link, destination.connection) == "Within 5 minutes"
    link.priority = 10
    assert services.estimate(link, destination.connection) == "Within 1 minute"
    link.sync_status = "Complete"
    assert services.estimate(link, destination.connection) is None


def sign_in(slug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.core import registry

    spec = registry.get(slug).spec
    for field in spec.config:
        if field.signs_in or field.name in next(iter(spec.ways_in), ()):
            monkeypatch.setenv(spec.env_name(field), "from-the-environment")


@pytest.mark.django_db
@pytest.mark.parametrize("slug", DESTINATIONS)
def test_setup_connects_what_the_environment_names(slug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(slug, monkeypatch)
    lines = setup.run()
    assert any(line.startswith("Connected") for line in lines)
    connection = Connection.objects.get(key=slug)
    assert connection.is_configured()
    assert connection.rules.exists()
    assert "from-the-environment" not in str(connection.config) + str(connection.secrets)
    assert setup.run() == []
    assert Schedule.objects.filter(func__in=[func for _name, func, *_rest in setup.SCHEDULES]).count() == len(
        setup.SCHEDULES
    )


@pytest.mark.django_db
@pytest.mark.parametrize("slug", DESTINATIONS)
def test_a_real_account_takes_the_sandbox_s_place(slug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncjobs.services.async_task", lambda *args, **kwargs: None)
    assert demo.wanted()
    lines = demo.prepare({slug: "http://127.0.0.1:1"})
    assert lines
    assert ContactSync.objects.count() == demo.SAMPLES
    sign_in(slug, monkeypatch)
    setup.run()
    connection = Connection.objects.get(key=slug)
    assert (connection.is_sandbox, connection.from_environment) == (False, True)
    assert not ContactSync.objects.exists()
    assert not demo.wanted()
    assert "127.0.0.1" not in str(connection.settings_and_secrets())


@pytest.mark.django_db
def test_the_samples_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncjobs.services.async_task", lambda *args, **kwargs: None)
    slug = DESTINATIONS[0]
    demo.prepare({slug: "http://127.0.0.1:1"})
    demo.prepare({slug: "http://127.0.0.1:2"})
    assert Contact.objects.count() == demo.SAMPLES
    assert any("ё" in name.lower() for name in Contact.objects.values_list("last_name", flat=True))


def test_parking_and_going_on(destination: Destination) -> None:
    connection = destination.connection
    connections.park(connection, "The key is gone.")
    assert (connection.state, connection.state_message) == (ConnectionState.NEEDS_ATTENTION, "The key is gone.")
    health = connections.check_credentials(connection)
    assert health.message
    assert (connection.state, connection.state_message) == (ConnectionState.OK, "")
