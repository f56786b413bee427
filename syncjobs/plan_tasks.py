"""Dry runs and plans in the background: asked for here, and what django-q2 calls for it, given ids only."""

from __future__ import annotations

from django.db import transaction
from django_q.tasks import async_task

from connectors.core.errors import ApiError
from connectors.models import Connection
from syncjobs import dryrun, plans, runs
from syncjobs.errors import Refused
from syncjobs.models import Plan, PlanDirection, PlanStatus, Route, Run, RunItem, RunStatus
from syncjobs.scans import Filters
from syncjobs.services import refuse_disabled, refuse_unsendable

# How many records of a route a plan may be about: it is shown and kept whole.
SIZES = (50, 200, 1000)


@transaction.atomic
def start_dry_run(connection: Connection, *, by: str) -> Run:
    """Asks a worker what a push would do with all that is due, and answers the run that will say it. Raises Refused."""
    refuse_unsendable(connection)
    run = dryrun.begin(connection, trigger=by)
    async_task("syncjobs.plan_tasks.rehearse_push", run.pk, group=f"dry run {run.pk}")
    return run


@transaction.atomic
def start_plan(route: Route, *, most: int, by: str) -> Plan:
    """Asks a worker to plan the route for up to `most` records of each of its starts. Raises Refused."""
    for end in (route.source, route.destination):
        refuse_disabled(end)
    direction = PlanDirection.BOTH if route.two_way else PlanDirection.TO_DESTINATION
    plan = Plan.objects.create(route=route, direction=direction, status=PlanStatus.MAKING)
    async_task("syncjobs.plan_tasks.make_plan", plan.pk, most, by, group=f"plan {plan.pk}")
    return plan


@transaction.atomic
def start_apply(plan: Plan, *, by: str) -> None:
    """Asks a worker to carry out the plan. Raises Refused: a plan is good once."""
    plans.take(plan)
    async_task("syncjobs.plan_tasks.apply_plan", plan.pk, by, group=f"plan {plan.pk}")


def rehearse_push(run_id: int) -> None:
    """The dry run, from its beginning where a worker that began it is gone."""
    run = Run.objects.select_related("connection").filter(pk=run_id, status=RunStatus.RUNNING).first()
    if run is None or runs.is_alive(run.pk):
        return
    counters = dict.fromkeys(("created", "updated", "unchanged", "skipped", "failed", "conflicts", "deleted"), 0)
    Run.objects.filter(pk=run.pk).update(**counters)
    RunItem.objects.filter(run=run).delete()
    run.refresh_from_db()
    dryrun.plan(run.connection, trigger=run.trigger, run=run)


def make_plan(plan_id: int, most: int, by: str) -> None:
    """Fills a plan that is being made; what keeps it from that is told by the plan itself."""
    plan = _plan(plan_id, PlanStatus.MAKING)
    if plan is None:
        return
    try:
        plans.fill(plan, Filters(limit=most), trigger=by)
    except (Refused, ApiError) as e:
        Plan.objects.filter(pk=plan.pk).update(status=PlanStatus.FAILED, message=e.message)


def apply_plan(plan_id: int, by: str) -> None:
    """Carries out a plan that was taken, or the rest of it: what was done already has changed since."""
    plan = _plan(plan_id, PlanStatus.APPLYING)
    if plan is None:
        return
    try:
        plans.carry_out(plan, trigger=by)
    except (Refused, ApiError) as e:
        # The plan says so itself, and may be carried out later where nothing has been done.
        Plan.objects.filter(pk=plan.pk).update(message=e.message)


def _plan(plan_id: int, status: PlanStatus) -> Plan | None:
    routed = Plan.objects.select_related("route__source", "route__destination")
    return routed.filter(pk=plan_id, status=status).first()
