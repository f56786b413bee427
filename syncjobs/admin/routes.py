"""Routes in the admin, the questions that runs leave to people, and where each reading stands."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from syncjobs import services
from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.models import ReviewItem, Route
from syncjobs.sentences import translated


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


@admin.register(ReviewItem)
class ReviewItemAdmin(ReadOnlyAdmin):
    list_display = ["question", "connection", "about", "in_words", "field", "created_at", "decided_at"]
    list_filter = [("connection", RelatedDropdownFilter), ("kind", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["connection"]
    fields = ["connection", "question", "about", "in_words", "field", "ours", "theirs", "candidates", "created_at"]

    @display(description=gettext_lazy("question"))
    def question(self, item: ReviewItem) -> str:
        return str(item.get_kind_display())

    @display(description=gettext_lazy("in words"))
    def in_words(self, item: ReviewItem) -> str:
        return translated(item.message)

    @display(description=gettext_lazy("about"))
    def about(self, item: ReviewItem) -> str:
        if item.contact_id is None:
            return item.external_id or "–"
        url = reverse("admin:contacts_contact_change", args=[item.contact_id])
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', url, _("contact"))
