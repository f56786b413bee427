"""Plans: what a route would do with some records, stored, and carried out exactly as it was shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.core.errors import ApiError
from connectors.core.metrics import Totals
from syncjobs.errors import Refused
from syncjobs.models import Plan, PlanDirection, PlanStatus, Route, RunItem
from syncjobs.rehearsal import rehearse_records
from syncjobs.route_runs import RouteRun, run_records
from syncjobs.scans import Filters, Scan, scan

# Whether a leg goes against the route's direction.
LEGS = {
    PlanDirection.TO_DESTINATION: (False,),
    PlanDirection.TO_SOURCE: (True,),
    PlanDirection.BOTH: (False, True),
}
Steps = list[dict[str, Any]]


@dataclass(slots=True)
class Work:
    """What making or carrying out a plan consisted of. `scans` and `runs` are by leg; `skipped` are by record's id."""

    plan: Plan | None = None
    scans: list[Scan] = field(default_factory=list)
    runs: list[RouteRun] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def stopped(self) -> str | None:
        """Why a leg could not end its work, if one could not."""
        return next((leg.stopped.message for leg in self.runs if leg.stopped is not None), None)

    def totals(self, connection_id: int) -> Totals:
        """The requests to one connection."""
        told = Totals()
        for leg, found in zip(self.runs, [*self.scans, *[None] * len(self.runs)], strict=False):
            for run in leg.runs:
                if run.connection_id == connection_id:
                    told.requests += run.requests
                    told.retries += run.retries
                    told.rate_limit_hits += run.rate_limit_hits
            if found is not None and leg.start.pk == connection_id:
                told.requests += found.totals.requests
                told.retries += found.totals.retries
                told.rate_limit_hits += found.totals.rate_limit_hits
        return told


def make(route: Route, direction: PlanDirection, filters: Filters, *, trigger: str, hasty: bool = False) -> Work:
    """Plans what would become of the records that the filters choose at the start of each leg.

    `hasty`: one page of each list, and nobody is looked for beyond that. Raises Refused and ApiError.
    """
    return fill(Plan(route=route, direction=direction), filters, trigger=trigger, hasty=hasty)


def fill(plan: Plan, filters: Filters, *, trigger: str, hasty: bool = False) -> Work:
    """Makes a plan that so far has only its route and direction, and stores it. Raises Refused and ApiError."""
    work, legs = Work(plan), []
    route = plan.route
    for reverse in _legs(PlanDirection(plan.direction), filters):
        start = route.destination if reverse else route.source
        found = scan(start, filters, most_pages=1 if hasty else None)
        done = rehearse_records(route, found.ids, trigger=trigger, reverse=reverse, hasty=hasty)
        work.scans.append(found)
        work.runs.append(done)
        records: dict[str, Steps] = {number: [] for number in found.ids} | steps_of(done)
        legs.append({"reverse": reverse, "runs": [run.pk for run in done.runs], "records": records})
    plan.legs, plan.status, plan.message = legs, PlanStatus.READY, work.stopped or ""
    plan.save()
    return work


def apply(plan: Plan, *, trigger: str) -> Work:
    """Carries out what the plan says, for the records of which it still holds. Raises Refused: a plan is good once."""
    take(plan)
    return carry_out(plan, trigger=trigger)


def take(plan: Plan) -> None:
    """Keeps everybody else from carrying out the plan. Raises Refused when somebody has, and before it is made."""
    stored = Plan.objects.filter(pk=plan.pk)
    taken = stored.filter(status=PlanStatus.READY).update(
        applied_at=timezone.now(), status=PlanStatus.APPLYING, message=""
    )
    if taken:
        return
    if stored.exclude(applied_at=None).exists():
        raise Refused(_("This plan has been carried out already."), "plan_applied", 409)
    raise Refused(_("This plan could not be made, or is not made yet."), "plan_not_ready", 409)


def give_back(plan: Plan, message: str) -> None:
    """The plan that was taken has done nothing yet, and may be taken again; `message` says why."""
    Plan.objects.filter(pk=plan.pk).update(applied_at=None, status=PlanStatus.READY, message=message)


def carry_out(plan: Plan, *, trigger: str) -> Work:
    """Carries out a plan that was taken. Raises Refused and ApiError; one that could not be begun is given back."""
    work = Work(plan)
    try:
        # All legs are compared before the first is carried out: what one does would look like a change to the next.
        unchanged = [_unchanged(plan, leg, work, trigger) for leg in plan.legs]
        for leg, numbers in zip(plan.legs, unchanged, strict=True):
            work.runs.append(run_records(plan.route, numbers, trigger=trigger, reverse=leg["reverse"]))
    except (Refused, ApiError) as e:
        if not work.runs:
            give_back(plan, e.message)
            raise
        _note_end(plan, work, e.message)
        raise
    _note_end(plan, work, work.stopped or "")
    return work


def _note_end(plan: Plan, work: Work, message: str) -> None:
    runs = [run.pk for leg in work.runs for run in leg.runs]
    Plan.objects.filter(pk=plan.pk).update(status=PlanStatus.APPLIED, runs=runs, skipped=work.skipped, message=message)


def _unchanged(plan: Plan, leg: Mapping[str, Any], work: Work, trigger: str) -> list[str]:
    """The leg's records of which the plan still holds; the others are noted as skipped."""
    planned: Mapping[str, Steps] = leg["records"]
    wanted = [number for number, steps in planned.items() if steps]
    now = steps_of(rehearse_records(plan.route, wanted, trigger=trigger, reverse=leg["reverse"]))
    same = [number for number in wanted if now.get(number, []) == planned[number]]
    work.skipped |= dict.fromkeys(set(wanted) - set(same), _("It has changed since the plan was made."))
    return same


def run(route: Route, direction: PlanDirection, filters: Filters, *, trigger: str) -> Work:
    """Carries out the route for the records that the filters choose, without a plan. Raises Refused and ApiError."""
    work = Work()
    for reverse in _legs(direction, filters):
        found = scan(route.destination if reverse else route.source, filters)
        work.scans.append(found)
        work.runs.append(run_records(route, found.ids, trigger=trigger, reverse=reverse))
    return work


def _legs(direction: PlanDirection, filters: Filters) -> list[bool]:
    """Ids are those of the route's source: they choose nothing at its other end. Raises Refused."""
    legs = [reverse for reverse in LEGS[direction] if not (reverse and filters.ids)]
    if not legs:
        raise Refused(_("These ids choose records of the source, which are not read in this direction."), "wrong_end")
    return legs


def steps_of(done: RouteRun) -> dict[str, Steps]:
    """By record at the start of the leg, what would happen to it and for it, in order."""
    keys = {run.pk: (run.connection_id, run.connection.key) for run in done.runs}
    found: dict[str, Steps] = defaultdict(list)
    for item in RunItem.objects.filter(run__in=keys):
        connection_id, key = keys[item.run_id]
        number = item.external_id if connection_id == done.start.pk else _origin(item, done)
        if number:
            found[number].append(_step(item, key))
    return dict(found)


def _origin(item: RunItem, done: RouteRun) -> str:
    return done.origins.get(item.contact_id, "") if item.contact_id is not None else ""


def _step(item: RunItem, key: str) -> dict[str, Any]:
    return {
        "connection": key,
        "action": item.action,
        "external_id": item.external_id,
        "reason": item.message,
        "changes": item.changes or {},
    }
