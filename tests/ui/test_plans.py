"""Dry runs and plans in the admin: started there, shown as differences, and carried out exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from connectors.core.clock import ManualClock
from connectors.models import Connection
from contacts.models import Contact
from syncjobs import enqueue, plan_tasks, plans
from syncjobs.models import ContactSync, Plan, PlanDirection, PlanStatus, Route, Run, RunItem, RunStatus
from syncjobs.scans import Filters
from tests.engine.pair import Pair

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Pair:
    made = Pair(ManualClock(), monkeypatch, "google", "hubspot")
    made.one.create("ann@example.com", first_name="Ann", last_name="Bell")
    made.one.create("bob@example.com", first_name="Bob", last_name="Reed")
    return made


@pytest.fixture
def as_role(person: Callable[[str], Any]) -> Callable[[str], Client]:
    def log_in(role: str) -> Client:
        client = Client()
        client.force_login(person(role))
        return client

    return log_in


def test_a_routes_dry_run_is_shown_and_then_carried_out_exactly(as_role: Callable[[str], Client], pair: Pair) -> None:
    client = as_role("operator")
    answer = client.post(reverse("admin:route_dry_run", args=[pair.route.pk]), {"most": "50"})
    plan = Plan.objects.get()
    address = reverse("admin:syncjobs_plan_change", args=[plan.pk])
    assert answer["Location"] == address
    assert (plan.status, pair.other.count(), Contact.objects.count()) == (PlanStatus.READY, 0, 0)
    page = client.get(address)
    assert [row.name for row, _steps in page.context["rows"]] == ["Bell Ann", "Reed Bob"]
    assert "Apply exactly this" in page.content.decode()
    assert len(client.get(address, {"action": "update"}).context["rows"]) == 2  # nobody would be updated: not filtered
    assert dict((a, n) for a, _label, n in page.context["choices"]) == {"create": 2}
    client.post(reverse("admin:plan_apply", args=[plan.pk]))
    plan.refresh_from_db()
    assert (plan.status, plan.skipped, pair.other.count()) == (PlanStatus.APPLIED, {}, 2)
    assert set(plan.runs) == set(Run.objects.filter(dry_run=False).values_list("pk", flat=True))
    told = client.post(reverse("admin:plan_apply", args=[plan.pk]), follow=True).content.decode()
    assert "carried out already" in told
    assert "Apply exactly this" not in told


def test_what_changed_since_is_left_out_and_listed(as_role: Callable[[str], Client], pair: Pair) -> None:
    plan = plans.make(pair.route, PlanDirection.TO_DESTINATION, Filters(), trigger="test").plan
    assert plan is not None
    number = next(iter(plan.legs[0]["records"]))
    pair.clock.sleep(60)
    pair.one.edit(number, "ann@example.com", first_name="Anna", last_name="Bell")
    client = as_role("operator")
    client.post(reverse("admin:plan_apply", args=[plan.pk]))
    page = client.get(reverse("admin:syncjobs_plan_change", args=[plan.pk]))
    assert page.context["left_out"] == [(number, "It has changed since the plan was made.")]
    assert pair.other.count() == 1


def test_a_plan_that_cannot_be_begun_may_be_tried_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plans.make(pair.route, PlanDirection.TO_DESTINATION, Filters(), trigger="test").plan
    assert plan is not None
    refused = plans.Refused("The route is being run already.", "already_running", 409)
    with monkeypatch.context() as patch:
        patch.setattr(plans, "rehearse_records", lambda *a, **k: (_ for _ in ()).throw(refused))
        plan_tasks.start_apply(plan, by="ann")
    plan.refresh_from_db()
    assert (plan.status, plan.applied_at, plan.message) == (PlanStatus.READY, None, refused.message)
    plan_tasks.start_apply(plan, by="ann")
    assert pair.other.count() == 2


def test_a_plan_that_cannot_be_made_says_why(as_role: Callable[[str], Client], pair: Pair) -> None:
    client = as_role("operator")
    Connection.objects.filter(pk=pair.one.connection.pk).update(enabled=False)
    told = client.post(reverse("admin:route_dry_run", args=[pair.route.pk]), follow=True).content.decode()
    assert "is disabled" in told
    assert not Plan.objects.exists()
    plan = Plan.objects.create(route=pair.route, direction="both", status=PlanStatus.MAKING)
    pair.one.sandbox.people().clear()
    Connection.objects.update(config={}, secrets={}, enabled=True)
    plan_tasks.make_plan(plan.pk, 50, "ann")
    plan.refresh_from_db()
    assert (plan.status, "Settings are missing" in plan.message) == (PlanStatus.FAILED, True)
    told = client.post(reverse("admin:plan_apply", args=[plan.pk]), follow=True).content.decode()
    assert "Settings are missing" in told
    assert "could not be made, or is not made yet" in told
    assert "hx-get" in client.get(reverse("admin:plan_table", args=[_waiting(pair.route)])).content.decode()


def _waiting(route: Route) -> int:
    return Plan.objects.create(route=route, direction="both", status=PlanStatus.MAKING).pk


def test_a_connections_dry_run_says_what_a_push_would_send(
    as_role: Callable[[str], Client], connection: Connection, make_people: Any
) -> None:
    people = make_people(2)
    enqueue.enqueue_ids(connection, [contact.pk for contact in people])
    client = as_role("administrator")
    answer = client.post(reverse("admin:connection_dry_run", args=[connection.pk]))
    run = Run.objects.get()
    assert answer["Location"] == reverse("admin:syncjobs_run_change", args=[run.pk])
    assert (run.dry_run, run.status, run.created) == (True, RunStatus.DONE, 2)
    assert set(ContactSync.objects.values_list("sync_status", flat=True)) == {"Queued"}
    listed = client.get(reverse("admin:syncjobs_runitem_changelist"), {"run__id__exact": run.pk}).content.decode()
    assert "ann0@example.com" in listed
    # Delivered twice, the task does not say everything twice.
    Run.objects.update(status=RunStatus.RUNNING)
    plan_tasks.rehearse_push(run.pk)
    assert RunItem.objects.filter(run=run).count() == 2
    run.refresh_from_db()
    assert run.created == 2


def test_a_viewer_sees_plans_and_starts_nothing(as_role: Callable[[str], Client], pair: Pair) -> None:
    plan = plans.make(pair.route, PlanDirection.TO_DESTINATION, Filters(), trigger="test").plan
    assert plan is not None
    client = as_role("viewer")
    page = client.get(reverse("admin:syncjobs_plan_change", args=[plan.pk])).content.decode()
    assert "Bell Ann" in page
    assert "Apply exactly this" not in page
    for name, pk in {
        "plan_apply": plan.pk,
        "route_dry_run": pair.route.pk,
        "connection_dry_run": pair.one.connection.pk,
    }.items():
        assert client.post(reverse(f"admin:{name}", args=[pk])).status_code == 403, name
    assert (Plan.objects.count(), pair.other.count()) == (1, 0)
