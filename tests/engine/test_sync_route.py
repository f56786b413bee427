"""`sync_route` on a terminal: both ways, and the dry run that leaves nothing behind."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command

from connectors.core.clock import ManualClock
from contacts.models import Contact
from syncjobs.models import ContactSync, Cursor, Route, Run
from tests.engine.pair import Pair

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[("amocrm", "google"), ("google", "hubspot")], ids="-".join)
def pair(request: pytest.FixtureRequest, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Pair:
    made = Pair(clock, monkeypatch, *request.param)
    made.one.create("ann@example.com", first_name="Ann", last_name="Bell")
    made.other.create("bob@example.com", first_name="Bob", last_name="Reed")
    return made


def told(pair: Pair, *options: str) -> str:
    out = io.StringIO()
    call_command("sync_route", pair.one.connection.key, pair.other.connection.key, *options, stdout=out)
    return out.getvalue()


def test_a_dry_run_shows_the_plan_and_leaves_nothing_behind(pair: Pair) -> None:
    Route.objects.all().delete()
    shown = told(pair, "--both", "--dry-run")
    assert f"{pair.one.connection.key}: create" in shown
    assert f"{pair.other.connection.key}: create" in shown
    assert (pair.one.count(), pair.other.count()) == (1, 1)
    left = [model.objects.count() for model in (Route, Contact, ContactSync, Cursor)]
    assert left == [0, 0, 0, 0]
    assert set(Run.objects.values_list("dry_run", flat=True)) == {True}


def test_a_dry_run_both_ways_leaves_a_one_way_route_as_it_is(pair: Pair) -> None:
    Route.objects.update(two_way=False)
    told(pair, "--both", "--dry-run")
    assert not Route.objects.get().two_way


def test_deletions_are_told(pair: Pair) -> None:
    pair.set(on_delete="delete")
    first = pair.one.create("carol@example.com", first_name="Carol")
    pair.run()
    pair.clock.sleep(60)
    pair.one.sandbox.person_deletes(first)  # type: ignore[attr-defined]
    assert f"{pair.other.connection.key}: deletion" in told(pair, "--full", "--dry-run")
    assert "1 deleted" in told(pair, "--full")


def test_the_run_does_what_the_dry_run_said(pair: Pair) -> None:
    planned = json.loads(told(pair, "--both", "--dry-run", "--json"))
    done = json.loads(told(pair, "--both", "--json"))
    assert planned["created"] == done["created"] == 2
    assert (pair.one.count(), pair.other.count()) == (2, 2)
    assert "Nothing would change." in told(pair, "--both", "--full", "--dry-run")
