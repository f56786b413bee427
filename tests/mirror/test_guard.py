"""Many deletions at once: nothing is marked until a person has said so, by a button, the API or the command."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from syncjobs import decisions, mirror_tasks, reviews
from syncjobs.models import ReviewItem
from tests.mirror.conftest import Mirrored


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[tuple[Any, ...]]:
    """The tasks that were asked for; none runs by itself."""
    settings.SECURE_SSL_REDIRECT = False
    tasks: list[tuple[Any, ...]] = []
    monkeypatch.setattr("syncjobs.mirror.schedule.async_task", lambda *args, **kwargs: tasks.append(args))
    return tasks


@pytest.fixture
def kept(portal: Mirrored) -> set[str]:
    """Of sixty mirrored contacts the portal has lost 21; these are left."""
    numbers = [portal.sandbox.person_adds(NAME=f"Ann {i}") for i in range(60)]
    portal.run()
    for number in numbers[:21]:
        portal.sandbox.person_deletes(number)
    run = portal.run(full=True)
    assert (run.deleted, alive(portal)) == (0, set(numbers))
    assert "21 of 60 records were not found" in run.message
    return set(numbers[21:])


def alive(portal: Mirrored) -> set[str]:
    return set(portal.rows(where="WHERE _deleted_at IS NULL"))


def test_the_command_allows_them_and_withdraws_the_question(portal: Mirrored, kept: set[str]) -> None:
    assert portal.run(full=True, deletions=True).deleted == 21
    assert alive(portal) == kept
    assert not ReviewItem.objects.exists()


def test_a_question_is_asked_once_and_a_no_leaves_everything(portal: Mirrored, kept: set[str]) -> None:
    portal.run(full=True)
    item = ReviewItem.objects.get()
    assert item.message == "21 of 60 records in bitrix24.contact are no longer in Bitrix24."
    decisions.decide(item, {"allow": False}, "ann")
    assert portal.run().mode == "incremental"
    assert portal.run(full=True).deleted == 0
    assert ReviewItem.objects.filter(decided_at__isnull=True).count() == 1


def test_a_yes_by_the_api_is_carried_out_by_a_full_read(
    portal: Mirrored, kept: set[str], asked: list[Any], operator: APIClient, django_capture_on_commit_callbacks: Any
) -> None:
    item = ReviewItem.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        answer = operator.post(f"/api/v1/reviews/{item.pk}/decide", {"allow": True}, format="json")
    assert answer.status_code == 200, answer.content
    # The word is about the mirror's rows: not about the contacts that a pull may find missing.
    assert not reviews.deletions_allowed(portal.connection)
    ((_name, *args),) = asked
    mirror_tasks.mirror_now(*args)
    assert alive(portal) == kept
    item.refresh_from_db()
    assert item.decision == {"allow": True, "used": True}


def test_a_yes_is_carried_out_by_the_schedule_where_no_worker_was_free(portal: Mirrored, kept: set[str]) -> None:
    decisions.decide(ReviewItem.objects.get(), {"allow": True}, "ann")
    run = portal.run()
    assert (run.mode, run.deleted, alive(portal)) == ("full", 21, kept)
    assert portal.run().mode == "incremental"


def test_the_page_of_the_question_has_the_buttons(
    portal: Mirrored, kept: set[str], asked: list[Any], client: Client, admin_user: Any
) -> None:
    client.force_login(admin_user)
    item = ReviewItem.objects.get()
    page = client.get(f"/admin/syncjobs/reviewitem/{item.pk}/change/").content.decode()
    assert f"/admin/syncjobs/mirrorentity/{portal.entity().pk}/change/" in page
    assert "They were deleted" in page
    client.post(f"/admin/syncjobs/reviewitem/{item.pk}/decide/", {"choice": '{"allow": true}'})
    item.refresh_from_db()
    assert (item.decision, item.decided_by) == ({"allow": True}, admin_user.get_username())
    assert client.get(f"/admin/syncjobs/mirrorentity/{portal.entity().pk}/change/").status_code == 200
