"""When routes run by themselves: at intervals, in full at times of the day, in the zone of whoever they serve."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from connectors import services
from syncjobs import routes
from syncjobs.daytimes import last_before, parse_times, validate_times, validate_zone
from syncjobs.models import Route

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")
TWICE = [time(8), time(20)]


@pytest.fixture
def route(db: None) -> Route:
    ends = [
        services.create_connection(slug, slug, {"base_url": f"https://{slug}.example.com"})
        for slug in ("amocrm", "hubspot")
    ]
    return Route.objects.create(
        source=ends[0], destination=ends[1], interval_minutes=2, full_times="08:00, 20:00", time_zone="Europe/Moscow"
    )


def at(text: str, zone: ZoneInfo = MOSCOW) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize("text", ["08:00, 20:00", "20.00 8:00", "8:00;20:00", " 08:00,20:00,08:00 "])
def test_times_as_people_write_them(text: str) -> None:
    assert parse_times(text) == TWICE


@pytest.mark.parametrize("text", ["24:00", "8", "8:60", "morning", "08:00-20:00"])
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(ValidationError, match="no time of the day"):
        validate_times(text)


def test_zones_are_checked() -> None:
    validate_zone("")
    for wrong in ("Moscow", "Europe/Nowhere", "../etc/passwd"):
        with pytest.raises(ValidationError, match="time zone"):
            validate_zone(wrong)


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-11-21T07:59", "2026-11-20T20:00"),
        ("2026-11-21T08:00", "2026-11-21T08:00"),
        ("2026-11-21T19:59", "2026-11-21T08:00"),
        ("2026-11-21T23:59", "2026-11-21T20:00"),
    ],
)
def test_the_last_time_of_the_day(now: str, last: str) -> None:
    assert last_before(at(now), TWICE, MOSCOW) == at(last)


def test_times_that_a_clock_change_skips_or_repeats() -> None:
    night = [time(2, 30)]
    # On 29 March 2026 there is no 02:30 in Berlin, on 25 October there are two.
    spring = datetime(2026, 3, 29, 6, tzinfo=UTC)
    assert last_before(spring, night, BERLIN) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    for hour, minute, expected in ((0, 29, 24), (0, 31, 25), (1, 31, 25), (2, 0, 25)):
        found = last_before(datetime(2026, 10, 25, hour, minute, tzinfo=UTC), night, BERLIN)
        assert found is not None
        assert found.day == expected


def test_a_route_is_due_at_its_interval_and_in_full_at_its_times(route: Route) -> None:
    now = at("2026-11-21T12:00")
    assert list(routes.due(now)) == [(route, True)]
    Route.objects.update(started_at=now, full_started_at=now)
    assert list(routes.due(now + timedelta(seconds=60))) == []
    assert list(routes.due(now + timedelta(minutes=2))) == [(route, False)]
    Route.objects.update(started_at=at("2026-11-21T19:59"))
    assert list(routes.due(at("2026-11-21T20:00"))) == [(route, True)]
    Route.objects.update(started_at=at("2026-11-21T20:00"), full_started_at=at("2026-11-21T20:00"))
    assert list(routes.due(at("2026-11-21T20:01"))) == []


def test_a_deep_run_that_was_missed_is_made_up_for(route: Route) -> None:
    Route.objects.update(started_at=at("2026-11-20T21:00"), full_started_at=at("2026-11-20T20:00"))
    assert list(routes.due(at("2026-11-21T10:30"))) == [(route, True)]


def test_disabled_routes_and_ends_are_never_due(route: Route) -> None:
    Route.objects.update(enabled=False)
    assert list(routes.due(timezone.now())) == []
    Route.objects.update(enabled=True)
    route.destination.enabled = False
    route.destination.save()
    assert list(routes.due(timezone.now())) == []
