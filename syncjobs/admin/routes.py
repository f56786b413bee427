"""Routes in the admin: what they carry, and running them now."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import action

from syncjobs import services
from syncjobs.models import Route


@admin.register(Route)
class RouteAdmin(ModelAdmin):
    list_display = ["__str__", "enabled", "two_way", "policy", "interval_minutes", "full_times", "started_at"]
    list_select_related = ["source", "destination"]
    fields = [
        ("source", "destination"), ("enabled", "two_way"), ("policy", "on_delete", "recreate"),
        ("interval_minutes", "full_times", "time_zone"), ("started_at", "full_started_at"),
    ]  # fmt: skip
    readonly_fields = ["started_at", "full_started_at"]
    actions = ["run_now", "run_full"]

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
