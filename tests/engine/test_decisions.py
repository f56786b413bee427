"""Questions with both values, what waits for their answers, and answers carried out by the runs themselves."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors.core.clock import ManualClock
from connectors.core.types import MultiValue
from contacts.models import Contact
from syncjobs import decisions, queue
from syncjobs.enqueue import Filters, enqueue_filtered
from syncjobs.errors import Refused
from syncjobs.models import ContactSync, ReviewItem
from syncjobs.pages import PagePlanner
from tests.engine.pair import Pair

pytestmark = pytest.mark.django_db
PHONE = "+79161234567"


@pytest.fixture(params=[("amocrm", "google"), ("google", "hubspot")], ids="-".join)
def pair(request: pytest.FixtureRequest, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Pair:
    return Pair(clock, monkeypatch, *request.param)


@pytest.fixture
def google(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """People are told apart by phone at both ends."""
    return Pair(clock, monkeypatch, "amocrm", "google")


def first_names(pair: Pair, here: str, there: str) -> tuple[Any, Any]:
    ends = ((pair.one, here), (pair.other, there))
    one, other = (end.get(number).values[end.theirs["first_name"]] for end, number in ends)
    return one, other


def in_question(pair: Pair) -> tuple[str, str]:
    """Ann, whose first name was changed at both ends; her ids there."""
    pair.set(policy="ask")
    here = pair.one.create("ann@example.com", first_name="Ann", last_name="Bell")
    pair.run()
    there = ContactSync.objects.get(connection=pair.other.connection).external_id
    pair.clock.sleep(60)
    pair.one.edit(here, "ann@example.com", first_name="Sooner")
    pair.other.edit(there, "ann@example.com", first_name="Later")
    pair.run()
    return here, there


def test_a_field_in_question_is_not_sent_until_it_is_answered(pair: Pair) -> None:
    here, there = in_question(pair)
    question = ReviewItem.objects.get()
    assert (question.field, question.ours, question.theirs) == ("first_name", "Sooner", "Later")
    assert first_names(pair, here, there) == ("Sooner", "Later")
    pair.clock.sleep(60)
    pair.one.edit(here, "ann@example.com", last_name="Reed")
    pair.run()
    values = pair.other.get(there).values
    names = (values[pair.other.theirs["first_name"]], values[pair.other.theirs["last_name"]])
    assert names == ("Later", "Reed")
    pair.quiet()


@pytest.mark.parametrize(("take", "expected"), [("ours", "Sooner"), ("theirs", "Later")])
def test_the_answer_reaches_both_ends(pair: Pair, take: str, expected: str) -> None:
    here, there = in_question(pair)
    question = decisions.decide(ReviewItem.objects.get(), {"take": take}, "ann")
    decisions.carry_out(question.connection)
    pair.run()
    assert first_names(pair, here, there) == (expected, expected)
    question.refresh_from_db()
    assert (question.decision, question.decided_by) == ({"take": take, "used": True}, "ann")
    pair.quiet()


def test_a_run_carries_out_what_no_worker_has(pair: Pair) -> None:
    here, there = in_question(pair)
    decisions.decide(ReviewItem.objects.get(), {"take": "theirs"}, "ann")
    pair.run()
    assert first_names(pair, here, there) == ("Later", "Later")
    pair.quiet()


def test_a_question_about_a_record_that_is_gone_is_dropped(google: Pair) -> None:
    question, candidates = ambiguous(google)
    google.clock.sleep(60)
    google.other.sandbox.person_deletes(question.external_id)  # type: ignore[attr-defined]
    google.run()
    assert not ReviewItem.objects.exists()
    made = ContactSync.objects.filter(connection=google.other.connection).exclude(external_id="")
    assert {str(link.contact_id) for link in made} == set(candidates)
    google.quiet()


def test_a_difference_that_went_away_is_asked_no_more(pair: Pair) -> None:
    here, there = in_question(pair)
    pair.clock.sleep(60)
    pair.other.edit(there, "ann@example.com", first_name="Sooner")
    pair.run()
    assert not ReviewItem.objects.exists()
    assert first_names(pair, here, there) == ("Sooner", "Sooner")
    pair.quiet()


def test_only_known_answers_are_taken_and_only_once(pair: Pair) -> None:
    in_question(pair)
    question = ReviewItem.objects.get()
    with pytest.raises(Refused):
        decisions.decide(question, {"new": True}, "ann")
    decisions.decide(question, {"take": "ours"}, "ann")
    with pytest.raises(Refused):
        decisions.decide(question, {"take": "theirs"}, "ann")


def ambiguous(pair: Pair) -> tuple[ReviewItem, list[str]]:
    """Two people of one name and phone at one end, one of them at the other."""
    for number in range(2):
        pair.one.create(f"ann{number}@example.com", first_name="Ann", last_name="Bell", phone=PHONE)
    pair.other.create("ann9@example.com", first_name="Ann", last_name="Bell", phone="8 (916) 123-45-67")
    pair.run()
    question = ReviewItem.objects.get()
    assert (question.kind, len(question.candidates)) == ("ambiguous", 2)
    return question, list(question.candidates)


def test_a_record_that_several_contacts_fit_waits_with_all_their_values(google: Pair) -> None:
    question, candidates = ambiguous(google)
    assert {tuple(question.ours[i]["phones"]) for i in candidates} == {(PHONE,)}
    assert question.theirs["familyName"] == "Bell"
    assert (google.one.count(), google.other.count()) == (2, 1)
    waiting = ContactSync.objects.filter(connection=google.other.connection)
    assert {link.sync_status for link in waiting} == {"Skipped"}
    google.quiet()


def test_a_record_in_question_is_not_taken_by_an_upsert(pair: Pair) -> None:
    pair.one.create("shared@example.com", first_name="Ann 0", last_name="Bell")
    second = pair.one.create("ann1@example.com", first_name="Ann 1", last_name="Bell")
    pair.one.edit(second, "ann1@example.com", emails=[MultiValue("shared@example.com", primary=True)])
    pair.other.create("shared@example.com", first_name="Bob", last_name="Reed")
    pair.run()
    question = ReviewItem.objects.get()
    assert pair.other.get(question.external_id).values[pair.other.theirs["first_name"]] == "Bob"
    assert pair.other.count() == 1
    chosen = question.candidates[0]
    decisions.decide(question, {"contact": chosen}, "ann")
    pair.run()
    link = ContactSync.objects.get(connection=pair.other.connection, external_id=question.external_id)
    assert str(link.contact_id) == chosen


def test_the_record_is_the_one_contacts(google: Pair) -> None:
    question, candidates = ambiguous(google)
    decisions.decide(question, {"contact": candidates[1]}, "ann")
    decisions.carry_out(google.other.connection)
    google.run()
    link = ContactSync.objects.get(connection=google.other.connection, contact_id=candidates[1])
    assert link.external_id == question.external_id
    assert (google.one.count(), google.other.count(), Contact.objects.count()) == (2, 2, 2)
    google.quiet()


def test_the_record_is_somebody_elses_and_that_is_remembered(google: Pair) -> None:
    question, candidates = ambiguous(google)
    decisions.decide(question, {"new": True}, "ann")
    decisions.carry_out(google.other.connection)
    google.run()
    link = ContactSync.objects.get(connection=google.other.connection, external_id=question.external_id)
    assert str(link.contact_id) not in candidates
    google.run(full=True)
    assert (google.one.count(), google.other.count(), Contact.objects.count()) == (3, 3, 3)
    assert not ReviewItem.objects.filter(decided_at=None).exists()
    google.quiet()


def test_somebody_who_shares_an_address_is_made_at_the_other_end_when_a_person_says_so(google: Pair) -> None:
    for number in range(2):
        google.one.create("shared@example.com", first_name=f"Ann {number}")
    google.other.create("shared@example.com", first_name="Bob")
    google.run()
    question = ReviewItem.objects.get()
    decisions.decide(question, {"new": True}, "ann")
    decisions.carry_out(google.other.connection)
    google.run()
    assert google.one.count() == 3


@pytest.mark.parametrize("same", [True, False])
def test_a_contact_that_several_records_fit(google: Pair, same: bool) -> None:
    ids = [google.other.create(f"ann{n}@example.com", first_name=f"Ann {n}", phone=PHONE) for n in range(2)]
    google.one.create("nobody@example.com", phone=PHONE)
    google.set(two_way=False)
    google.run()
    question = ReviewItem.objects.get()
    assert sorted(question.theirs["records"]) == sorted(question.theirs["values"]) == sorted(ids)
    assert question.ours
    assert google.other.count() == 2
    decisions.decide(question, {"record": ids[0]} if same else {"new": True}, "ann")
    google.run()
    link = ContactSync.objects.get(connection=google.other.connection)
    assert (link.external_id == ids[0], google.other.count()) == (same, 2 if same else 3)
    question.refresh_from_db()
    assert (question.decision or {})["used"]


def test_questions_cost_as_many_statements_however_many_contacts(pair: Pair) -> None:
    in_question(pair)
    counted = []
    for people in (2, 40):
        for number in range(people):
            pair.one.create(f"new{people}-{number}@example.com", first_name=f"New {number}")
        pair.run()
        enqueue_filtered(pair.other.connection, Filters())
        planner = PagePlanner(pair.other.connection, pair.other.connector)
        links = queue.preview(pair.other.connection, 0, 1000)
        with CaptureQueriesContext(database) as captured:
            planner.plan(links)
        counted.append(len(captured.captured_queries))
    assert counted[0] == counted[1]
