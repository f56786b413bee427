"""The mirror in the admin: which entities are mirrored and how often, and how their tables have grown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.errors import Refused
from syncjobs.mirror import schedule
from syncjobs.mirror.names import schema_of, table_of
from syncjobs.models import MirrorColumn, MirrorEntity, SchemaChange


class ColumnInline(TabularInline):
    """The fields of an entity and the columns that hold them."""

    model = MirrorColumn
    fields = ["label", "key", "column", "type", "gone_at"]
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(MirrorEntity)
class MirrorEntityAdmin(ModelAdmin):
    list_display = ["table", "connection", "enabled", "interval_minutes", "webhook_enabled", "started_at", "history"]
    list_filter = [("connection", RelatedDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["connection"]
    fields = [
        ("connection", "entity"),
        ("enabled", "webhook_enabled"),
        ("interval_minutes", "full_hours"),
        "started_at",
    ]
    readonly_fields = ["connection", "entity", "started_at"]
    inlines = [ColumnInline]
    actions = ["run_now", "run_full"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("table"), ordering="entity")
    def table(self, mirror: MirrorEntity) -> str:
        return f"{schema_of(mirror.connection.key)}.{table_of(mirror.entity)}"

    @display(description=gettext_lazy("history"))
    def history(self, mirror: MirrorEntity) -> str:
        changes = reverse("admin:syncjobs_schemachange_changelist") + f"?mirror__id__exact={mirror.pk}"
        runs = reverse("admin:syncjobs_run_changelist")
        runs += f"?connection__id__exact={mirror.connection_id}&entity={mirror.entity}"
        link = '<a class="text-primary-600 underline" href="{}">{}</a>'
        return format_html(f"{link} · {link}", changes, _("schema"), runs, _("runs"))

    @action(description=gettext_lazy("Mirror now"), permissions=["change"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[MirrorEntity]) -> None:
        self._start(request, queryset, full=False)

    @action(description=gettext_lazy("Mirror now, reading everything"), permissions=["change"])
    def run_full(self, request: HttpRequest, queryset: QuerySet[MirrorEntity]) -> None:
        self._start(request, queryset, full=True)

    def _start(self, request: HttpRequest, queryset: QuerySet[MirrorEntity], *, full: bool) -> None:
        started = 0
        for mirror in queryset.select_related("connection"):
            try:
                schedule.start(mirror, full=full, trigger=request.user.get_username())
            except Refused as e:
                self.message_user(request, e.message, messages.WARNING)
            else:
                started += 1
        if started:
            text = ngettext(
                "%(count)s entity will be mirrored now.", "%(count)s entities will be mirrored now.", started
            )
            self.message_user(request, text % {"count": started}, messages.SUCCESS)


@admin.register(SchemaChange)
class SchemaChangeAdmin(ReadOnlyAdmin):
    list_display = ["at", "mirror", "kind", "column", "before", "after"]
    list_display_links = None
    list_filter = [("mirror", RelatedDropdownFilter), ("kind", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["mirror__connection"]
