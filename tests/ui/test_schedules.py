"""Schedules in words, in both languages, and as people type them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from connectors.models import Connection
from syncjobs import schedule_words
from syncjobs.models import Route


@pytest.mark.parametrize(
    ("minutes", "english", "russian"),
    [
        (1, "every minute", "каждую минуту"),
        (2, "every 2 minutes", "каждые 2 минуты"),
        (5, "every 5 minutes", "каждые 5 минут"),
        (21, "every 21 minutes", "каждую 21 минуту"),
        (60, "every hour", "каждый час"),
        (180, "every 3 hours", "каждые 3 часа"),
        (1440, "every day", "каждый день"),
        (7200, "every 5 days", "каждые 5 дней"),
    ],
)
def test_an_interval_in_words(minutes: int, english: str, russian: str) -> None:
    with override("en"):
        assert schedule_words.every(minutes) == english
    with override("ru"):
        assert schedule_words.every(minutes) == russian


@pytest.fixture
def route(connection: Connection) -> Route:
    other = Connection.objects.create(key="other", connector=connection.connector, interval_minutes=60)
    return Route.objects.create(source=other, destination=connection)


@pytest.fixture
def client(person: Callable[[str], Any]) -> Client:
    made = Client()
    made.force_login(person("administrator"))
    return made


def form(route: Route, **given: Any) -> dict[str, Any]:
    blank = {"interval_minutes_0": "", "interval_minutes_1": "minutes", "full_times": "", "time_zone": ""}
    ends = {"source": route.source_id, "destination": route.destination_id}
    return {**ends, "enabled": "on", "policy": "newest", "on_delete": "ignore", **blank, **given}


@pytest.mark.django_db
def test_a_route_says_when_it_runs(client: Client, route: Route) -> None:
    page = reverse("admin:syncjobs_route_change", args=[route.pk])
    assert "Changes are carried over every hour, as its source." in client.get(page).content.decode()
    given = {"interval_minutes_0": "2", "full_times": "20.00 8:00", "time_zone": "Europe/Moscow"}
    client.post(page, form(route, **given))
    route.refresh_from_db()
    assert (route.interval_minutes, route.full_times) == (2, "08:00, 20:00")
    sentence = "every 2 minutes; everything is compared daily at 08:00 and 20:00 (Europe/Moscow)."
    assert sentence in client.get(page).content.decode()
    client.post(page, form(route, full_times="08:00, 20:00", time_zone="Europe/Moscow"))
    route.refresh_from_db()
    assert route.interval_minutes is None
    Route.objects.update(interval_minutes=2)
    listed = client.get(reverse("admin:syncjobs_route_changelist"), headers={"accept-language": "ru"})
    assert "каждые 2 минуты" in listed.content.decode()
    assert "ежедневно в 08:00 и 20:00 (Europe/Moscow)" in listed.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"interval_minutes_0": "soon"}, "Write the interval as a whole number."),
        ({"interval_minutes_0": "0"}, "at least one minute and at most seven days"),
        ({"interval_minutes_0": "8", "interval_minutes_1": "days"}, "at least one minute and at most seven days"),
        ({"full_times": "8:00, 25:00"}, "25:00 is no time of the day: write it as 08:00."),
        ({"time_zone": "Moon/Base"}, "Moon/Base is not one of the available choices"),
    ],
)
def test_what_is_no_schedule_is_refused_in_words(
    client: Client, route: Route, given: dict[str, str], sentence: str
) -> None:
    answer = client.post(reverse("admin:syncjobs_route_change", args=[route.pk]), form(route, **given))
    assert sentence in answer.content.decode()
    route.refresh_from_db()
    assert (route.interval_minutes, route.full_times, route.time_zone) == (None, "", "")


@pytest.mark.django_db
def test_a_connection_says_how_often_it_pushes(client: Client, connection: Connection) -> None:
    Connection.objects.update(interval_minutes=120)
    page = client.get(reverse("admin:connectors_connection_change", args=[connection.pk])).content.decode()
    assert "What is queued is sent every 2 hours." in page
    assert 'name="interval_minutes_0" value="2"' in page
