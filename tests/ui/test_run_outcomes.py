"""A run's outcomes: searched, filtered, downloaded, and what failed tried once more."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from connectors.models import Connection
from contacts.models import Contact
from syncjobs import outcome_files, runs
from syncjobs.models import ContactSync, Run, RunItem, RunKind, RunStatus
from syncjobs.states import ERROR, SyncStatus

pytestmark = pytest.mark.django_db
LIST = reverse("admin:syncjobs_runitem_changelist")


@pytest.fixture
def people(make_people: Callable[[int], list[Contact]]) -> list[Contact]:
    return make_people(3)


@pytest.fixture
def run(connection: Connection, people: list[Contact]) -> Run:
    made = runs.start(connection, RunKind.PUSH, trigger="test", total=3)
    actions = [RunItem.Action.UPDATE, RunItem.Action.FAIL, RunItem.Action.FAIL]
    RunItem.objects.bulk_create(
        RunItem(run=made, contact_id=contact.pk, external_id=f"x{n}", action=action, message="=1+1", fields=["company"],
                changes={"company": ["Oak", "=cmd"]} if n == 0 else None)
        for n, (contact, action) in enumerate(zip(people, actions, strict=True))
    )  # fmt: skip
    for contact in people[1:]:
        ContactSync.objects.create(
            contact=contact, connection=connection, sync_status=ERROR.sync, processing_status=ERROR.processing,
            error_kind="data", retry_count=2,
        )  # fmt: skip
    Run.objects.filter(pk=made.pk).update(updated=1, failed=2)
    runs.finish(made, RunStatus.FAILED)
    return made


@pytest.fixture
def as_role(person: Callable[[str], Any]) -> Callable[[str], Client]:
    def log_in(role: str) -> Client:
        client = Client()
        client.force_login(person(role))
        return client

    return log_in


def rows(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))[1:]


def test_outcomes_are_searched_and_filtered(as_role: Callable[[str], Client], run: Run) -> None:
    client = as_role("viewer")

    def found(**query: str) -> list[str]:
        answer = client.get(LIST, {"run__id__exact": run.pk, **query})
        return sorted(item.external_id for item in answer.context["cl"].result_list)

    assert found() == ["x0", "x1", "x2"]
    assert found(q="ann1") == ["x1"]
    assert found(q="x2") == ["x2"]
    assert found(action__exact="fail") == ["x1", "x2"]
    assert found(action__exact="fail", q="ann0") == []
    assert "Oak → =cmd" in client.get(LIST, {"run__id__exact": run.pk}).content.decode().replace("</b>", "")


def test_the_file_holds_what_the_list_shows_and_no_formula(as_role: Callable[[str], Client], run: Run) -> None:
    client = as_role("viewer")
    page = client.get(LIST, {"run__id__exact": run.pk, "action__exact": "fail", "q": "ann1"})
    address = page.context["download_url"]
    assert [row[3] for row in rows(client.get(address))] == ["x1"]
    every = rows(client.get(reverse("admin:run_outcomes", args=[run.pk])))
    assert [row[3] for row in every] == ["x0", "x1", "x2"]
    assert every[0][5] == "'=1+1"
    assert every[0][6] == "Company: Oak → =cmd"
    assert [outcome_files.safe_cell(text) for text in ("+7916", "-1", "@a", "Ann", "")] == [
        "'+7916", "'-1", "'@a", "Ann", "",
    ]  # fmt: skip


def test_a_long_file_costs_a_statement_for_every_piece(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome_files, "AT_ONCE", 2)
    stream = outcome_files.lines(RunItem.objects.filter(run=run).order_by("id"))
    with CaptureQueriesContext(database) as captured:
        assert len(list(stream)) == 4
    assert len([q for q in captured.captured_queries if "contacts_contact" in q["sql"]]) == 2


def test_what_failed_is_queued_again(
    as_role: Callable[[str], Client], run: Run, connection: Connection, people: list[Contact]
) -> None:
    other = ContactSync.objects.create(
        contact=people[0], connection=connection, sync_status=ERROR.sync, processing_status=ERROR.processing
    )
    client = as_role("operator")
    page = reverse("admin:syncjobs_run_change", args=[run.pk])
    assert "Retry failed" in client.get(page).content.decode()
    told = client.post(reverse("admin:run_retry", args=[run.pk]), follow=True).content.decode()
    assert "2 failed contacts are queued again" in told
    waiting = ContactSync.objects.filter(sync_status=SyncStatus.QUEUED, retry_count=0)
    assert set(waiting.values_list("contact_id", flat=True)) == {c.pk for c in people[1:]}
    other.refresh_from_db()
    assert other.sync_status == SyncStatus.ERROR  # of another run
    told = client.post(reverse("admin:connection_retry", args=[connection.pk]), follow=True).content.decode()
    assert "1 failed contact is queued again" in told


def test_a_viewer_retries_nothing_and_a_stranger_downloads_nothing(
    as_role: Callable[[str], Client], run: Run, connection: Connection, django_user_model: Any
) -> None:
    client = as_role("viewer")
    assert "Retry failed" not in client.get(reverse("admin:syncjobs_run_change", args=[run.pk])).content.decode()
    assert client.post(reverse("admin:run_retry", args=[run.pk])).status_code == 403
    assert client.post(reverse("admin:connection_retry", args=[connection.pk])).status_code == 403
    stranger = Client()
    stranger.force_login(django_user_model.objects.create_user("s", "s@example.com", is_staff=True))
    assert stranger.get(reverse("admin:run_outcomes", args=[run.pk])).status_code == 403
