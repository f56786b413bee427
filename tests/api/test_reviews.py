"""Questions over the API: listed with both values, answered once, by operators only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from connectors.models import Connection
from contacts.models import Contact
from syncjobs.models import ReviewItem

REVIEWS = "/api/v1/reviews"


@pytest.fixture
def question(connection: Connection, make_contact: Callable[..., Contact]) -> ReviewItem:
    contact = make_contact()
    return ReviewItem.objects.create(
        connection=connection, kind="conflict", external_id="7", field="first_name", contact_id=contact.pk, ours="Ann",
        theirs="Anna",
    )  # fmt: skip


def test_questions_are_listed_with_their_answers(operator: APIClient, question: ReviewItem) -> None:
    answer = operator.get(REVIEWS, {"connection": question.connection.key, "kind": "conflict", "open": "true"}).json()
    (told,) = answer["results"]
    assert (told["ours"], told["theirs"], told["field"]) == ("Ann", "Anna", "first_name")
    assert told["choices"] == [{"take": "ours"}, {"take": "theirs"}]
    assert operator.get(REVIEWS, {"open": "false"}).json()["results"] == []
    assert operator.get(REVIEWS, {"kind": "deletions"}).json()["results"] == []


def test_an_answer_is_stored_and_carried_out_once(operator: APIClient, question: ReviewItem) -> None:
    address = f"{REVIEWS}/{question.pk}/decide"
    told = operator.post(address, {"take": "theirs"}, format="json")
    assert (told.status_code, told.json()["decision"], told.json()["choices"]) == (200, {"take": "theirs"}, [])
    again = operator.post(address, {"take": "ours"}, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "already_decided")


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"take": "ours", "new": True}, 400), ({"take": "mine"}, 400), ({"delete": True}, 400),
     ({"contact": "no uuid"}, 400)],
)  # fmt: skip
def test_what_the_question_does_not_take_is_refused(
    operator: APIClient, question: ReviewItem, body: dict[str, Any], status: int
) -> None:
    answer = operator.post(f"{REVIEWS}/{question.pk}/decide", body, format="json")
    assert (answer.status_code, set(answer.json()) >= {"error", "code"}) == (status, True)
    question.refresh_from_db()
    assert question.decided_at is None


def test_a_contact_that_is_gone_is_no_answer(
    operator: APIClient, connection: Connection, make_contact: Callable[..., Contact]
) -> None:
    contact = make_contact()
    gone = str(contact.pk)
    item = ReviewItem.objects.create(connection=connection, kind="ambiguous", external_id="7", candidates=[gone])
    contact.delete()
    answer = operator.post(f"{REVIEWS}/{item.pk}/decide", {"contact": gone}, format="json")
    assert answer.status_code == 404


def test_viewers_see_no_questions(client_of: Callable[[str | None], APIClient], question: ReviewItem) -> None:
    viewer = client_of("viewer")
    assert viewer.get(REVIEWS).status_code == 403
    assert viewer.post(f"{REVIEWS}/{question.pk}/decide", {"take": "ours"}, format="json").status_code == 403


def test_a_list_costs_as_many_statements_however_long(operator: APIClient, question: ReviewItem) -> None:
    counted = []
    operator.get(REVIEWS)
    for start in (0, 40):
        for number in range(start):
            ReviewItem.objects.create(connection=question.connection, kind="conflict", external_id=f"r{number}")
        with CaptureQueriesContext(database) as captured:
            assert operator.get(REVIEWS).status_code == 200
        counted.append(len(captured.captured_queries))
    assert counted[0] == counted[1]
