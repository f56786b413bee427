"""Routes in the admin: what they carry and when, in words; running them now, or only on paper."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from syncjobs import plan_tasks, schedule_words, services
from syncjobs.admin.interval_fields import IntervalField, TimesField, zone_choices
from syncjobs.errors import Refused
from syncjobs.models import Route


class RouteForm(forms.ModelForm):
    """The schedule as a number with its unit, times of the day, and a time zone to choose."""

    interval_minutes = IntervalField(
        label=gettext_lazy("Runs every"),
        required=False,
        help_text=gettext_lazy("Empty: as often as the source's connection says."),
    )
    full_times = TimesField(
        label=gettext_lazy("Full runs at"),
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Times of the day at which everything is compared, such as 08:00, 20:00."),
    )
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Route
        fields = [
            "source", "destination", "enabled", "two_way", "policy", "on_delete", "recreate", "interval_minutes",
            "full_times", "time_zone",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones: Any = self.fields.get("time_zone")
        if zones is not None:
            zones.choices = zone_choices(self.instance.time_zone)


@admin.register(Route)
class RouteAdmin(ModelAdmin):
    form = RouteForm
    list_display = ["__str__", "enabled", "two_way", "policy", "changes_words", "full_words", "started_at"]
    list_select_related = ["source", "destination"]
    change_form_outer_before_template = "syncjobs/route_actions.html"
    fields = [
        ("source", "destination"), ("enabled", "two_way"), ("policy", "on_delete", "recreate"),
        "interval_minutes", ("full_times", "time_zone"), ("started_at", "full_started_at"),
    ]  # fmt: skip
    readonly_fields = ["started_at", "full_started_at"]
    actions = ["run_now", "run_full"]

    def get_urls(self) -> list[URLPattern]:
        dry_run = self.admin_site.admin_view(require_POST(self.dry_run_view))
        return [path("<int:pk>/dry-run/", dry_run, name="route_dry_run"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        routes = Route.objects.select_related("source", "destination")
        route = routes.filter(pk=object_id).first() if object_id.isdecimal() else None
        extra: dict[str, Any] = {}
        if route is not None:
            plans = reverse("admin:syncjobs_plan_changelist") + f"?route__id__exact={route.pk}"
            extra = {"when": schedule_words.of_route(route), "sizes": plan_tasks.SIZES, "plans_url": plans}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})

    def dry_run_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Has a worker plan the route for some records, and leads to the plan."""
        route = get_object_or_404(Route.objects.select_related("source", "destination"), pk=pk)
        if not self.has_change_permission(request, route):
            raise PermissionDenied
        asked = request.POST.get("most", "")
        most = int(asked) if asked.isdecimal() and int(asked) in plan_tasks.SIZES else plan_tasks.SIZES[0]
        try:
            plan = plan_tasks.start_plan(route, most=most, by=request.user.get_username())
        except Refused as e:
            self.message_user(request, e.message, messages.ERROR)
            return redirect(reverse("admin:syncjobs_route_change", args=[pk]))
        return redirect(reverse("admin:syncjobs_plan_change", args=[plan.pk]))

    @display(description=gettext_lazy("carries changes over"))
    def changes_words(self, route: Route) -> str:
        return schedule_words.changes(route)

    @display(description=gettext_lazy("compares everything"))
    def full_words(self, route: Route) -> str:
        return schedule_words.in_full(route) or "–"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None and db_field.name in ("source", "destination"):
            field.queryset = field.queryset.order_by("key")
        return field

    @action(description=gettext_lazy("Run now"), permissions=["change"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Route]) -> None:
        self._start(request, queryset, full=False)

    @action(description=gettext_lazy("Run now, comparing everything"), permissions=["change"])
    def run_full(self, request: HttpRequest, queryset: QuerySet[Route]) -> None:
        self._start(request, queryset, full=True)

    def _start(self, request: HttpRequest, queryset: QuerySet[Route], *, full: bool) -> None:
        routes = list(queryset)
        for route in routes:
            services.start_route(route, full=full)
        text = ngettext("%(count)s route will run now.", "%(count)s routes will run now.", len(routes))
        self.message_user(request, text % {"count": len(routes)}, messages.SUCCESS)
