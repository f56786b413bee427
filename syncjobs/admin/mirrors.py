"""The mirror in the admin: which entities are mirrored and how often, and how their tables have grown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from connectors import services as connections
from connectors.models import Connection
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
    list_before_template = "syncjobs/mirror_start.html"

    def get_urls(self) -> list[URLPattern]:
        begin = self.admin_site.admin_view(require_POST(self.begin_view))
        return [path("begin/<int:pk>/", begin, name="mirror_begin"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With a button for every connection that could be mirrored and is not yet."""
        offered = _unmirrored() if request.user.has_perm("syncjobs.add_mirrorentity") else []
        return super().changelist_view(request, {**(extra_context or {}), "offered": offered})

    def begin_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Mirrors all entities of a connection from now on."""
        if not request.user.has_perm("syncjobs.add_mirrorentity"):
            raise PermissionDenied
        connection = get_object_or_404(Connection, pk=pk)
        try:
            for mirror in schedule.entities(connection, enabled=True):
                schedule.start(mirror, full=True, trigger=request.user.get_username())
        except Refused as e:
            self.message_user(request, e.message, messages.WARNING)
        else:
            text = _("%(crm)s is mirrored into the schema %(schema)s.")
            told = {"crm": connection, "schema": schema_of(connection.key)}
            self.message_user(request, text % told, messages.SUCCESS)
        return redirect("admin:syncjobs_mirrorentity_changelist")

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


def _unmirrored() -> list[Connection]:
    """The enabled connections that have something to mirror, none of which is mirrored yet."""
    idle = Connection.objects.defer("secrets").filter(enabled=True, mirrored=None)
    return [connection for connection in connections.usable(idle) if schedule.readable(connection)]


@admin.register(SchemaChange)
class SchemaChangeAdmin(ReadOnlyAdmin):
    list_display = ["at", "mirror", "kind", "column", "before", "after"]
    list_display_links = None
    list_filter = [("mirror", RelatedDropdownFilter), ("kind", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["mirror__connection"]
