"""A two-way route between two systems: nothing doubled, nothing lost, and quiet after one round."""

from __future__ import annotations

import pytest

from connectors.core.clock import ManualClock
from connectors.core.sandbox import Fault
from contacts.models import Contact
from syncjobs.models import ContactSync
from tests.engine.pair import Pair

pytestmark = pytest.mark.django_db

LISTS = r"/(contacts|connections|search)$"


@pytest.fixture(params=[("amocrm", "google"), ("google", "hubspot")], ids="-".join)
def pair(request: pytest.FixtureRequest, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Pair:
    return Pair(clock, monkeypatch, *request.param)


def test_each_side_gets_what_the_other_has(pair: Pair) -> None:
    pair.one.create("ann@example.com", first_name="Ann", last_name="Bell")
    pair.other.create("bob@example.com", first_name="Bob", last_name="Reed")
    pair.run()
    assert (pair.one.count(), pair.other.count()) == (2, 2)
    assert Contact.objects.count() == 2
    pair.quiet()


def test_a_route_that_becomes_two_way_brings_what_was_only_looked_at(pair: Pair) -> None:
    pair.set(two_way=False)
    pair.one.create("ann@example.com", first_name="Ann")
    pair.other.create("bob@example.com", first_name="Bob")
    pair.run()
    assert (pair.one.count(), pair.other.count()) == (1, 2)
    pair.set(two_way=True)
    pair.run()
    assert (pair.one.count(), pair.other.count()) == (2, 2)
    pair.quiet()


def test_people_known_to_both_sides_are_not_doubled(pair: Pair) -> None:
    for i in range(10):
        pair.one.create(f"ann{i}@example.com", first_name=f"Ann {i}", last_name="Bell")
        pair.other.create(f"Ann{i + 5}@Example.com", first_name=f"Ann {i + 5}", last_name="Bell")
    pair.run()
    assert (pair.one.count(), pair.other.count()) == (15, 15)
    assert Contact.objects.count() == 15
    pair.quiet()


def test_edits_of_different_fields_both_survive(pair: Pair) -> None:
    here = pair.one.create("ann@example.com", first_name="Ann", last_name="Bell")
    pair.run()
    there = ContactSync.objects.get(connection=pair.other.connection).external_id
    pair.clock.sleep(60)
    pair.one.edit(here, "ann@example.com", first_name="Anne")
    pair.other.edit(there, "ann@example.com", last_name="Reed")
    pair.run()
    for end, number in ((pair.one, here), (pair.other, there)):
        values = end.get(number).values
        assert (values[end.theirs["first_name"]], values[end.theirs["last_name"]]) == ("Anne", "Reed")
    pair.quiet()


@pytest.mark.parametrize(("policy", "expected"), [("newest", "Later"), ("source", "Sooner"), ("destination", "Later")])
def test_the_policy_decides_about_one_field(pair: Pair, policy: str, expected: str) -> None:
    pair.set(policy=policy)
    here = pair.one.create("ann@example.com", first_name="Ann", last_name="Bell")
    pair.run()
    there = ContactSync.objects.get(connection=pair.other.connection).external_id
    pair.clock.sleep(60)
    pair.one.edit(here, "ann@example.com", first_name="Sooner")
    pair.clock.sleep(60)
    pair.other.edit(there, "ann@example.com", first_name="Later")
    pair.run()
    for end, number in ((pair.one, here), (pair.other, there)):
        assert end.get(number).values[end.theirs["first_name"]] == expected
    pair.quiet()


def test_there_and_back_settles_in_one_round(pair: Pair) -> None:
    here = pair.one.create("ann@example.com", first_name="Ann", last_name="Bell")
    pair.run()
    there = ContactSync.objects.get(connection=pair.other.connection).external_id
    for name in ("Anna", "Ann", "Anna"):
        pair.clock.sleep(60)
        end, number = (pair.other, there) if name == "Anna" else (pair.one, here)
        end.edit(number, "ann@example.com", first_name=name)
        pair.run()
        before = (pair.one.writes(), pair.other.writes())
        pair.run()
        assert (pair.one.writes(), pair.other.writes()) == before
    assert pair.one.get(here).values[pair.one.theirs["first_name"]] == "Anna"


def test_an_empty_or_half_listing_deletes_nothing(pair: Pair) -> None:
    for i in range(5):
        pair.one.create(f"ann{i}@example.com", first_name=f"Ann {i}")
    pair.run()
    for end in (pair.one, pair.other):
        end.sandbox.faults.append(Fault("html", times=1, path=LISTS))
    pair.run(full=True)
    pair.run(full=True)
    assert (pair.one.count(), pair.other.count()) == (5, 5)
    assert not ContactSync.objects.filter(gone_at__isnull=False).exists()
