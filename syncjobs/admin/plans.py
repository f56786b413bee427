"""Plans in the admin: what a route would do with each record, and the button that carries it out exactly so."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from syncjobs import plan_tables, plan_tasks
from syncjobs.admin.badges import ACTION_BADGES, PLAN_BADGES
from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.errors import Refused
from syncjobs.models import Plan, PlanStatus, Run, RunItem
from syncjobs.sentences import translated

APPLY = "syncjobs.change_route"
ON_A_PAGE = 50
MOVING = (PlanStatus.MAKING, PlanStatus.APPLYING)


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    list_display = ["title", "route", "direction", "state", "created_at", "applied_at"]
    list_filter = [("route", RelatedDropdownFilter), ("status", ChoicesDropdownFilter)]
    list_filter_submit = True
    change_form_outer_before_template = "syncjobs/plan.html"
    fields = [("route", "direction"), ("created_at", "applied_at")]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        return _routed().defer("legs", "skipped")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/apply/", view(require_POST(self.apply_view)), name="plan_apply"),
            path("<int:pk>/table/", view(require_GET(self.table_view)), name="plan_table"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        plan = _routed().filter(pk=object_id).first() if object_id.isdecimal() else None
        extra = table(request, plan) if plan else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})

    def table_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The plan's part of its page: asks for itself as long as a worker is at it."""
        plan = get_object_or_404(_routed(), pk=pk)
        if not self.has_view_permission(request, plan):
            raise PermissionDenied
        return render(request, "syncjobs/plan.html", table(request, plan))

    def apply_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Has a worker carry out the plan."""
        plan = get_object_or_404(Plan.objects.defer("legs"), pk=pk)
        if not request.user.has_perm(APPLY):
            raise PermissionDenied
        try:
            plan_tasks.start_apply(plan, by=request.user.get_username())
        except Refused as e:
            self.message_user(request, e.message, messages.WARNING)
        else:
            self.message_user(request, _("The plan is being carried out."), messages.SUCCESS)
        return redirect(reverse("admin:syncjobs_plan_change", args=[pk]))

    @display(description=gettext_lazy("plan"), ordering="id")
    def title(self, plan: Plan) -> str:
        return f"#{plan.pk}"

    @display(description=gettext_lazy("status"), label=PLAN_BADGES)
    def state(self, plan: Plan) -> tuple[str, str]:
        return plan.status, plan.get_status_display()


def table(request: HttpRequest, plan: Plan) -> dict[str, Any]:
    """What the plan's part shows: a page of the records that something would happen to, or with the asked action."""
    records = plan_tables.planned(plan)
    found = plan_tables.counts(records)
    changing = [record for record in records if record.steps]
    wanted = request.GET.get("action", "")
    chosen = [record for record in records if wanted in record.actions] if wanted in found else changing
    page = Paginator(chosen, ON_A_PAGE).get_page(request.GET.get("p"))
    labels = {**dict(RunItem.Action.choices), plan_tables.NOTHING: _("nothing to do")}
    return {
        "plan": plan,
        "plan_variant": PLAN_BADGES[plan.status],
        "moving": plan.status in MOVING,
        "plan_message": translated(plan.message),
        "records": len(records),
        "changing": len(changing),
        "wanted": wanted if wanted in found else "",
        "choices": [(action, labels[action], count) for action, count in found.items()],
        "page": page,
        "rows": [(row, _badged(row)) for row in plan_tables.rows(plan, list(page))],
        "left_out": [(number, translated(why)) for number, why in plan.skipped.items()],
        "done_by": Run.objects.filter(pk__in=plan.runs).select_related("connection").order_by("id"),
        "may_apply": bool(changing) and plan.status == PlanStatus.READY and request.user.has_perm(APPLY),
    }


def _badged(row: plan_tables.Row) -> list[tuple[plan_tables.Step, str]]:
    return [(step, ACTION_BADGES.get(step.action, "")) for step in row.steps]


def _routed() -> QuerySet[Plan]:
    return Plan.objects.select_related("route__source", "route__destination")
