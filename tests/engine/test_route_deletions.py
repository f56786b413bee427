"""A record deleted at one end of a two-way route: what happens at the other, and who is asked."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors.core.clock import ManualClock
from connectors.core.sandbox import Fault
from contacts import services as contacts
from contacts.models import Contact
from syncjobs import decisions, rehearsal
from syncjobs.enqueue import enqueue_ids
from syncjobs.models import ContactSync, ReviewItem, Run, RunItem
from syncjobs.pull import pull_ids
from tests.engine.pair import End, Pair

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[("amocrm", "google"), ("google", "hubspot")], ids="-".join)
def pair(request: pytest.FixtureRequest, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Pair:
    return Pair(clock, monkeypatch, *request.param)


def filled(pair: Pair, people: int, **terms: Any) -> list[str]:
    """So many people at both ends; answers their ids at the first."""
    pair.set(**terms)
    ids = [pair.one.create(f"ann{i}@example.com", first_name=f"Ann {i}", last_name="Bell") for i in range(people)]
    pair.run()
    assert pair.other.count() == people
    return ids


def deletes(end: End, *ids: str) -> None:
    end.sandbox.clock.sleep(60)
    for external_id in ids:
        end.sandbox.person_deletes(external_id)  # type: ignore[attr-defined]


def there(pair: Pair, number: str) -> str:
    """The id that the person has at the other end."""
    contact = ContactSync.objects.get(connection=pair.one.connection, external_id=number).contact_id
    return ContactSync.objects.get(connection=pair.other.connection, contact_id=contact).external_id


def test_nothing_happens_where_deletions_are_ignored(pair: Pair) -> None:
    first, *_rest = filled(pair, 3)
    deletes(pair.one, first)
    pair.run(full=True)
    assert (pair.one.count(), pair.other.count()) == (2, 3)
    pair.quiet()


def test_a_deletion_is_carried_over(pair: Pair) -> None:
    first, *_rest = filled(pair, 3, on_delete="delete")
    deletes(pair.one, first)
    done = pair.run(full=True)
    assert (pair.one.count(), pair.other.count()) == (2, 2)
    assert Contact.objects.alive().count() == 3
    push = next(run for run in done.runs if run.kind == "push")
    assert (push.deleted, push.failed) == (1, 0)
    (item,) = RunItem.objects.filter(run=push)
    assert item.action == RunItem.Action.DELETE
    assert ContactSync.objects.filter(gone_at__isnull=False).count() == 2
    pair.quiet()


def test_over_a_one_way_route_deletions_go_one_way(pair: Pair) -> None:
    first, second, _third = filled(pair, 3, on_delete="delete", two_way=False)
    gone = there(pair, second)
    deletes(pair.one, first)
    deletes(pair.other, gone)
    pair.run(full=True)
    assert (pair.one.count(), pair.other.count()) == (2, 1)
    assert not ReviewItem.objects.exists()


def test_a_lost_answer_to_a_deletion_is_made_good(pair: Pair) -> None:
    first, *_rest = filled(pair, 3, on_delete="delete")
    deletes(pair.one, first)
    pull_ids(pair.one.connection, [first], trigger="webhook")
    deleting = r"(batchDeleteContacts|archive|contacts/\w+)$"
    fault = Fault("drop", method="POST", path=deleting, times=1)
    pair.other.sandbox.faults.append(fault)
    pair.other.destination.settle()
    assert fault.times == 0
    link = ContactSync.objects.get(connection=pair.other.connection, gone_at__isnull=False)
    assert (pair.other.count(), link.sync_status, link.due_at) == (2, "Skipped", None)
    pair.quiet()


def test_a_system_that_deletes_nothing_says_so(pair: Pair) -> None:
    first, *_rest = filled(pair, 3, on_delete="delete")
    gone = there(pair, first)
    deletes(pair.other, gone)
    pair.run(full=True)
    link = ContactSync.objects.get(connection=pair.one.connection, external_id=first)
    if pair.one.connection.spec.entities["contacts"].delete:
        assert (pair.one.count(), link.gone_at is not None) == (2, True)
    else:
        assert (pair.one.count(), link.sync_status, link.due_at) == (3, "Skipped", None)
        assert "by hand" in link.processing_error
    pair.quiet()


def test_a_separated_pair_is_joined_again_by_a_person_only(pair: Pair) -> None:
    first, *_rest = filled(pair, 2, on_delete="unlink")
    survivor = there(pair, first)
    deletes(pair.one, first)
    pair.run(full=True)
    link = ContactSync.objects.get(connection=pair.one.connection, external_id="")
    assert (link.sync_status, link.due_at) == ("Skipped", None)
    assert "separated" in link.processing_error
    pair.clock.sleep(60)
    pair.other.edit(survivor, "ann0@example.com", first_name="Anna")
    pair.run()
    assert (pair.one.count(), pair.other.count()) == (1, 2)
    enqueue_ids(pair.one.connection, [link.contact_id])
    pair.run()
    assert pair.one.count() == 2
    pair.quiet()


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_is_asked(pair: Pair, answer: bool) -> None:
    first, *_rest = filled(pair, 3, on_delete="ask")
    survivor = there(pair, first)
    deletes(pair.one, first)
    pair.run(full=True)
    assert pair.other.count() == 3
    question = ReviewItem.objects.get()
    assert (question.kind, question.external_id) == ("deletions", survivor)
    decisions.decide(question, {"delete": answer}, "ann")
    pair.run()
    assert pair.other.count() == (2 if answer else 3)
    pair.quiet()


@pytest.mark.parametrize("answer", [True, False])
def test_what_was_edited_elsewhere_is_not_deleted_unasked(pair: Pair, answer: bool) -> None:
    first, *_rest = filled(pair, 3, on_delete="delete")
    survivor = there(pair, first)
    deletes(pair.one, first)
    pair.other.edit(survivor, "ann0@example.com", first_name="Anna")
    pair.run(full=True)
    assert pair.other.count() == 3
    question = ReviewItem.objects.get()
    assert (question.kind, question.external_id) == ("deletions", survivor)
    decisions.decide(question, {"delete": answer}, "ann")
    pair.run()
    assert pair.other.count() == (2 if answer else 3)
    pair.quiet()


def test_an_edit_that_no_pull_has_seen_is_not_deleted_either(pair: Pair) -> None:
    first, *_rest = filled(pair, 3, on_delete="delete")
    pair.run()
    survivor = there(pair, first)
    deletes(pair.one, first)
    pair.other.edit(survivor, "ann0@example.com", first_name="Anna")
    pull_ids(pair.one.connection, [first], trigger="webhook")
    run = pair.other.destination.push()
    assert (pair.other.count(), run.deleted, run.conflicts) == (3, 0, 1)
    question = ReviewItem.objects.get()
    decisions.decide(question, {"delete": True}, "ann")
    run = pair.other.destination.push()
    assert (pair.other.count(), run.deleted) == (2, 1)
    question.refresh_from_db()
    assert question.decision == {"delete": True, "used": True}


def test_a_change_that_was_never_sent_to_the_deleted_side_is_an_edit(pair: Pair) -> None:
    first, *_rest = filled(pair, 3, on_delete="delete")
    link = ContactSync.objects.get(connection=pair.one.connection, external_id=first)
    stored = Contact.objects.get(pk=link.contact_id)
    contacts.edit(stored.pk, lambda record: record, source="test")
    enqueue_ids(pair.one.connection, [link.contact_id])
    deletes(pair.one, first)
    pair.run(full=True)
    assert (pair.other.count(), ReviewItem.objects.get().kind) == (3, "deletions")


def test_many_deletions_are_asked_about_one_by_one(pair: Pair) -> None:
    ids = filled(pair, 30, on_delete="delete")
    deletes(pair.one, *ids[:25])
    for part in (ids[:15], ids[15:25]):
        pull_ids(pair.one.connection, part, trigger="webhook")
    assert ReviewItem.objects.filter(kind="deletions").exclude(external_id="").count() == 25
    pair.run()
    assert pair.other.count() == 30
    for question in ReviewItem.objects.all()[:2]:
        decisions.decide(question, {"delete": True}, "ann")
    pair.run()
    assert pair.other.count() == 28


def test_what_was_taken_out_of_the_bin_is_not_deleted_elsewhere(pair: Pair) -> None:
    if not hasattr(pair.one.sandbox, "person_restores"):
        pytest.skip("nothing comes back there")
    first, *_rest = filled(pair, 3, on_delete="delete")
    deletes(pair.one, first)
    pull_ids(pair.one.connection, [first], trigger="webhook")
    pair.one.sandbox.person_restores(first)  # type: ignore[attr-defined]
    pull_ids(pair.one.connection, [first], trigger="webhook")
    pair.run(full=True)
    assert (pair.one.count(), pair.other.count()) == (3, 3)
    pair.quiet()


def test_a_rehearsal_deletes_nothing(pair: Pair) -> None:
    first, *_rest = filled(pair, 3, on_delete="delete")
    deletes(pair.one, first)
    before = list(ContactSync.objects.order_by("pk").values())
    pair.route.refresh_from_db()
    done = rehearsal.rehearse(pair.route, trigger="test", full=True)
    assert [run.deleted for run in done.runs if run.kind == "push"] == [1]
    assert list(ContactSync.objects.order_by("pk").values()) == before
    assert (pair.other.count(), ReviewItem.objects.count()) == (3, 0)
    assert not Run.objects.filter(pk__in=[run.pk for run in done.runs], dry_run=False).exists()


def test_deletions_cost_as_many_statements_however_many(pair: Pair) -> None:
    ids = filled(pair, 18, on_delete="delete")
    counted = []
    for part in (ids[:2], ids[2:18]):
        deletes(pair.one, *part)
        with CaptureQueriesContext(database) as captured:
            pull_ids(pair.one.connection, part, trigger="webhook")
            pair.other.destination.push()
        counted.append(len(captured.captured_queries))
    assert pair.other.count() == 0
    assert counted[1] <= counted[0] + 2
