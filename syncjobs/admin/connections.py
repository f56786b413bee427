"""The connections' admin: set up from the spec, test credentials, push now, field rules."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from connectors import oauth
from connectors import services as connections
from connectors.core import registry
from connectors.core.errors import ApiError
from connectors.models import Connection, OAuthGrant
from syncjobs import counts, plan_tasks, runs, schedule_words, services
from syncjobs.admin import dashboard, instructions, subscriptions
from syncjobs.admin.badges import STATES
from syncjobs.admin.forms import form_class, setting_names
from syncjobs.admin.mapping import MappingPages
from syncjobs.admin.retrying import RETRY, retry
from syncjobs.compat import signing_in
from syncjobs.errors import Refused
from syncjobs.pull import is_readable, refuse_unreadable
from syncjobs.sentences import translated
from syncjobs.states import SyncStatus


@admin.register(Connection)
class ConnectionAdmin(ModelAdmin):
    """Accounts of remote systems."""

    list_display = ["name", "key", "system", "state_badge", "queue", "account", "enabled"]
    list_display_links = ["name", "key"]
    search_fields = ["key", "label"]
    change_form_outer_before_template = "syncjobs/connection_actions.html"
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        return super().get_queryset(request).filter(connector__in=registry.all_connectors())

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        found = counts.stats_of(changelist.result_list)
        for connection in changelist.result_list:
            connection.stats = found[connection.pk]
        return changelist

    def get_form(self, request: HttpRequest, obj: Connection | None = None, change: bool = False, **kwargs: Any) -> Any:
        spec = obj.spec if obj else registry.get(request.GET.get("connector", "")).spec
        return super().get_form(request, obj, change, form=form_class(spec), **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Connection | None = None) -> Any:
        spec = obj.spec if obj else registry.get(request.GET.get("connector", "")).spec
        shown: list[tuple[Any, dict[str, Any]]] = [
            (None, {"fields": ["label", "key", "enabled", *setting_names(spec, advanced=False)]}),
            (_("Pace"), {"fields": ["interval_minutes", "batch_size", "follow_changes"]}),
        ]
        advanced = setting_names(spec, advanced=True)
        if advanced:
            shown.append((_("Advanced"), {"fields": advanced, "classes": ["collapse"]}))
        return shown

    def get_readonly_fields(self, request: HttpRequest, obj: Connection | None = None) -> list[str]:
        return ["key"] if obj else []

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        spec = registry.get(request.GET.get("connector", "")).spec
        taken = Connection.objects.filter(key=spec.slug).exists()
        return {"label": spec.label, "key": "" if taken else spec.slug, "enabled": True, "follow_changes": True}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        found = Connection.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        message = translated(found.state_message) if found else ""
        shown: dict[str, Any] = {"state_message": message}
        if found is not None and found.connector in registry.all_connectors():
            shown["instructions_of"] = found.connector
        if found is not None and oauth.can_connect(found):
            shown |= {"can_connect": True, "is_connected": OAuthGrant.objects.filter(connection=found).exists()}
        if found is not None and found.connector in registry.all_connectors():
            shown |= {"can_pull": is_readable(found), "can_push": registry.is_writable(found.connector)}
            shown |= {"every": schedule_words.every(found.interval), "failed": _failed(found)}
            shown["may_retry"] = request.user.has_perm(RETRY)
            shown |= subscriptions.panel(found)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.GET.get("connector", "") not in registry.all_connectors():
            specs = [connector.spec for connector in registry.all_connectors().values()]
            context = {**self.admin_site.each_context(request), "specs": specs, "title": _("Connect a system")}
            return render(request, "syncjobs/choose_connector.html", context)
        shown = {"instructions_of": request.GET["connector"]}
        return super().add_view(request, form_url, {**(extra_context or {}), **shown})

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not change:
            connections.add_default_rules(form.instance)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/test/", view(require_POST(self.test_view)), name="connection_test"),
            path("<int:pk>/push/", view(require_POST(self.push_view)), name="connection_push"),
            path("<int:pk>/dry-run/", view(require_POST(self.dry_run_view)), name="connection_dry_run"),
            path("<int:pk>/retry/", view(require_POST(self.retry_view)), name="connection_retry"),
            path("<int:pk>/pull/", view(require_POST(self.pull_view)), name="connection_pull"),
            path("<int:pk>/connect/", view(require_GET(self.connect_view)), name="connection_connect"),
            path("status/", view(dashboard.status_view), name="dashboard_status"),
            path("instructions/<slug:slug>/", view(require_GET(self.instructions_view)), name="instructions"),
            *subscriptions.patterns(view, self._for_change),
            *MappingPages(self).patterns(view),
            *super().get_urls(),
        ]

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Tests the stored credentials by a read and shows what the system said."""
        connection = self._for_change(request, pk)
        try:
            health = connections.check_credentials(connection)
        except ApiError as e:
            self.message_user(request, translated(e.message), messages.ERROR)
        else:
            self.message_user(request, " ".join(map(translated, [health.message, *health.warnings])), messages.SUCCESS)
        return redirect(reverse("admin:connectors_connection_change", args=[pk]))

    def instructions_view(self, request: HttpRequest, slug: str) -> HttpResponse:
        """How the system is connected, step by step."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = self.admin_site.each_context(request) | instructions.of(slug)
        return render(request, "syncjobs/instructions.html", context)

    def connect_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Leads on to the page where access is given; a link, as forms may not lead to other hosts."""
        return signing_in.begin(request, self._for_change(request, pk))

    def push_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Starts a push of what is due."""
        connection = self._for_change(request, pk)
        try:
            services.refuse_unsendable(connection)
        except Refused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return redirect(reverse("admin:connectors_connection_change", args=[pk]))
        if runs.live(connection) is None:
            services.start_push(connection)
        self.message_user(request, _("The push has been started."), messages.SUCCESS)
        return redirect(reverse("admin:syncjobs_run_changelist") + f"?connection__id__exact={pk}")

    def dry_run_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Has a worker say what a push would do, and leads to what it says."""
        connection = self._for_change(request, pk)
        try:
            run = plan_tasks.start_dry_run(connection, by=request.user.get_username())
        except Refused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return redirect(reverse("admin:connectors_connection_change", args=[pk]))
        return redirect(reverse("admin:syncjobs_run_change", args=[run.pk]))

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queues every failed link of the connection again, with its attempts counted anew."""
        connection = get_object_or_404(Connection, pk=pk)
        retry(request, connection, lambda: services.retry_all(connection, reset=True))
        return redirect(reverse("admin:connectors_connection_change", args=[pk]))

    def pull_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Starts to read what the system holds into the hub."""
        connection = self._for_change(request, pk)
        try:
            services.refuse_disabled(connection)
            refuse_unreadable(connection)
        except Refused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return redirect(reverse("admin:connectors_connection_change", args=[pk]))
        services.start_pull(connection)
        self.message_user(request, _("The pull has been started."), messages.SUCCESS)
        return redirect(reverse("admin:syncjobs_run_changelist") + f"?connection__id__exact={pk}")

    def _for_change(self, request: HttpRequest, pk: int) -> Connection:
        connection = get_object_or_404(Connection, pk=pk)
        if not self.has_change_permission(request, connection):
            raise PermissionDenied
        return connection

    @display(description=gettext_lazy("name"), ordering="label")
    def name(self, connection: Connection) -> str:
        return str(connection)

    @display(description=gettext_lazy("system"), ordering="connector")
    def system(self, connection: Connection) -> str:
        return connection.spec.label

    @display(description=gettext_lazy("state"), label=STATES)
    def state_badge(self, connection: Connection) -> tuple[str, str]:
        return connection.state, connection.get_state_display()

    @display(description=gettext_lazy("queued · failed"))
    def queue(self, connection: Connection) -> str:
        stats: counts.Stats = connection.stats  # type: ignore[attr-defined]
        return f"{stats.of(SyncStatus.QUEUED)} · {stats.of(SyncStatus.ERROR)}"


def _failed(connection: Connection) -> int:
    return counts.stats(connection).of(SyncStatus.ERROR)
