"""The seed's sync of two address books: a dry run with a plan, and its application."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from connectors import services as connections
from connectors.core.errors import ApiError
from connectors.models import Connection
from syncjobs import plans
from syncjobs.compat import seed_000
from syncjobs.compat.seed_000_debug import KnowsDebugSecret, knows_secret
from syncjobs.gateway.access import refusal
from syncjobs.models import Plan, PlanDirection, Route
from syncjobs.scans import Filters
from syncjobs.sentences import translated

DEFAULT_LIMIT, BOTH_LIMIT = 50, 20
LONGEST = 1000
TO_GOOGLE, TO_AMO, BOTH = "to_google", "to_amo", "both"
_ALSO = {"google": TO_GOOGLE, "amo": TO_AMO}
COUNTED = ("created", "updated", "unchanged", "skipped", "failed", "conflicts")


class CommonQuery(serializers.Serializer):
    limit = serializers.IntegerField(min_value=1, max_value=LONGEST, required=False)
    since_minutes = serializers.IntegerField(min_value=1, max_value=525_600, required=False)
    since_days = serializers.IntegerField(min_value=1, max_value=3650, required=False)
    amo_ids = serializers.CharField(max_length=10_000, required=False, help_text="ID1,ID2,…")

    def validate_amo_ids(self, text: str) -> list[str]:
        numbers = [part.strip() for part in text.split(",") if part.strip()]
        if not all(number.isascii() and number.isdigit() for number in numbers):
            raise ValidationError(_("Write the ids as numbers with commas between them."))
        return numbers


class DryRunQuery(CommonQuery):
    direction = serializers.ChoiceField([BOTH, "amo", "google", TO_GOOGLE, TO_AMO], default=BOTH)
    mode = serializers.ChoiceField(["fast", "full"], default="fast")


class ApplyQuery(CommonQuery):
    direction = serializers.ChoiceField([TO_GOOGLE, TO_AMO, BOTH], default=TO_GOOGLE)
    confirm = serializers.CharField(required=False)
    plan_id = serializers.IntegerField(min_value=1, required=False)


class DryRunThrottle(AnonRateThrottle):
    """Strangers may try it out, and not use up the accounts' quotas."""

    rate = "10/min"


@extend_schema(exclude=True)
class SyncView(APIView):
    """Takes its parameters from the address, and of a POST also from a JSON body."""

    form: type[serializers.Serializer]

    def get(self, request: Request) -> Response:
        return self._answered(request, request.query_params.dict())

    def post(self, request: Request) -> Response:
        body = request.data if isinstance(request.data, dict) else {}
        return self._answered(request, {**request.query_params.dict(), **body})

    def _answered(self, request: Request, given: dict[str, Any]) -> Response:
        form = self.form(data=given)
        form.is_valid(raise_exception=True)
        for key in (seed_000.GOOGLE, seed_000.AMO):
            missing = seed_000.access_missing(key)
            if missing is not None:
                return Response(seed_000.needed(key), status=401)
        started = time.monotonic()
        try:
            told = self.work(request, form.validated_data)
        except ApiError as e:
            raise refusal(e) from e
        return Response({"duration_ms": round((time.monotonic() - started) * 1000), **told})

    def work(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


class DryRunView(SyncView):
    """What a sync would do, with a plan that can be applied. Strangers see no values."""

    form = DryRunQuery
    permission_classes = (AllowAny,)
    throttle_classes = (DryRunThrottle,)

    def work(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        direction = _ALSO.get(query["direction"], query["direction"])
        wanted = query.get("limit", DEFAULT_LIMIT)
        limit = min(wanted, BOTH_LIMIT) if direction == BOTH else wanted
        route, way = _route(), _way(direction)
        filters = _filters(query, limit)
        made = plans.make(route, way, filters, trigger="api", hasty=query["mode"] == "fast")
        open_handed = IsAuthenticated().has_permission(request, self) or knows_secret(request)
        return {
            "mode": query["mode"],
            "direction": direction,
            "limit": limit,
            "limit_clamped": limit < wanted,
            **_counted(made, route),
            "plan_id": made.plan.pk if made.plan is not None else None,
            "plan": _shown(made.plan, values=open_handed),
        }


class ApplyView(SyncView):
    """Carries a sync out, or a plan."""

    form = ApplyQuery
    authentication_classes = ()
    permission_classes = (KnowsDebugSecret,)

    def work(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        if query.get("confirm") not in ("1", "true"):
            raise ValidationError({"confirm": [_("Add confirm=1: this writes to the accounts.")]})
        route = _route()
        if "plan_id" in query:
            plan = Plan.objects.filter(pk=query["plan_id"], route=route).first()
            if plan is None:
                raise ValidationError({"plan_id": [_("There is no such plan.")]})
            done = plans.apply(plan, trigger="api")
            return {"plan_id": plan.pk, "direction": plan.direction, **_counted(done, route)}
        filters = _filters(query, query.get("limit", DEFAULT_LIMIT))
        done = plans.run(route, _way(query["direction"]), filters, trigger="api")
        return {"direction": query["direction"], "limit": filters.limit, **_counted(done, route)}


def _route() -> Route:
    """The route between the two, from the first to the second; one for this alone runs by itself never."""
    amo, google = connections.by_key(seed_000.AMO), connections.by_key(seed_000.GOOGLE)
    terms = {"two_way": True, "enabled": False}
    route, _created = Route.objects.get_or_create(source=amo, destination=google, defaults=terms)
    return route


def _way(direction: str) -> PlanDirection:
    ways = {TO_GOOGLE: PlanDirection.TO_DESTINATION, TO_AMO: PlanDirection.TO_SOURCE}
    return ways.get(direction, PlanDirection.BOTH)


def _filters(query: dict[str, Any], limit: int) -> Filters:
    ages = [timedelta(minutes=query[name]) for name in ("since_minutes",) if name in query]
    ages += [timedelta(days=query[name]) for name in ("since_days",) if name in query]
    since = timezone.now() - min(ages) if ages else None
    return Filters(ids=query.get("amo_ids", ()), since=since, limit=limit)


def _counted(work: plans.Work, route: Route) -> dict[str, Any]:
    """The seed's counters, and how many records there were of each outcome."""
    ends = {"amo": route.source, "google": route.destination}
    totals = {name: work.totals(end.pk) for name, end in ends.items()}
    legs = [leg.counters() for leg in work.runs]
    return {
        "scanned": sum(len(found.ids) for found in work.scans),
        **{name: sum(leg[name] for leg in legs) for name in COUNTED},
        **{f"{name}_requests": told.requests for name, told in totals.items()},
        **{f"pages_{name}": _pages(work, end) for name, end in ends.items()},
        "retries": sum(told.retries for told in totals.values()),
        "rate_limit_hits": sum(told.rate_limit_hits for told in totals.values()),
        "runs": [run.pk for leg in work.runs for run in leg.runs],
        "skipped_records": work.skipped,
        "stopped": translated(work.stopped) if work.stopped else None,
    }


def _pages(work: plans.Work, end: Connection) -> int:
    scanned = sum(found.pages for leg, found in zip(work.runs, work.scans, strict=False) if leg.start.pk == end.pk)
    return scanned + sum(leg.pages for leg in work.runs if leg.end.pk == end.pk)


def _shown(plan: Plan | None, *, values: bool) -> list[dict[str, Any]]:
    """A line for every record that something would happen to; without `values`, the names of fields alone."""
    lines = []
    for leg in plan.legs if plan is not None else ():
        for number, steps in leg["records"].items():
            for step in steps:
                shown = {**step, "reason": translated(step["reason"])}
                if not values:
                    shown["changes"] = {name: ["***", "***"] for name in step["changes"]}
                lines.append({"record": number, **shown})
    return lines


PAGES = [
    path("sync/contacts/dry-run", DryRunView.as_view()),
    path("sync/contacts/apply", ApplyView.as_view()),
]
