"""Runs in the admin: counters, and every record's outcome in words."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from contacts.models import Contact
from syncjobs import overview, progress, runs, services
from syncjobs.admin.badges import ACTION_BADGES, RUN_BADGES
from syncjobs.admin.dashboard import strip
from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.errors import Refused
from syncjobs.models import Run, RunItem, RunStatus
from syncjobs.sentences import translated


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = [
        "title", "connection", "state", "started_at", "created", "updated", "unchanged", "failed", "outcomes",
    ]  # fmt: skip
    list_filter = [
        ("connection", RelatedDropdownFilter), ("kind", ChoicesDropdownFilter), ("status", ChoicesDropdownFilter),
    ]  # fmt: skip
    list_filter_submit = True
    list_select_related = ["connection"]
    list_before_template = "syncjobs/run_strip.html"
    change_form_outer_before_template = "syncjobs/run_progress.html"
    fields = [("connection", "kind"), ("entity", "mode"), ("started_by", "dry_run")]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "entity" or super().lookup_allowed(lookup, value, request)

    def get_urls(self) -> list[URLPattern]:
        cancel = self.admin_site.admin_view(require_POST(self.cancel_view))
        return [
            path("<int:pk>/cancel/", cancel, name="run_cancel"),
            path("<int:pk>/undo/", self.admin_site.admin_view(require_POST(self.undo_view)), name="run_undo"),
            path("<int:pk>/progress/", self.admin_site.admin_view(self.progress_view), name="run_progress"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With a strip of the last runs above the list: of the connection it is filtered by, else of all."""
        chosen = request.GET.get("connection__id__exact", "")
        if chosen.isdecimal():
            latest = overview.recent_runs([int(chosen)])[int(chosen)]
        else:
            latest = list(Run.objects.order_by("-id")[: overview.RUNS_SHOWN])
        return super().changelist_view(request, {**(extra_context or {}), "strip": strip(latest)})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = Run.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        extra = progress_context(request, run) if run else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the run's page that moves; once the run is over it asks for itself no more."""
        run = get_object_or_404(Run, pk=pk)
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        return render(request, "syncjobs/run_progress.html", progress_context(request, run))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks the run to stop after what is in flight."""
        run = get_object_or_404(Run, pk=pk)
        if not request.user.has_perm("connectors.change_connection"):
            raise PermissionDenied
        if runs.request_cancel(run):
            self.message_user(request, _("The run stops after what is under way."), messages.SUCCESS)
        else:
            self.message_user(request, _("The run is over."), messages.WARNING)
        return redirect(reverse("admin:syncjobs_run_change", args=[pk]))

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Takes the run back, or, with `dry_run`, shows what that would do."""
        run = get_object_or_404(Run.objects.select_related("connection"), pk=pk)
        if not request.user.has_perm("connectors.change_connection"):
            raise PermissionDenied
        try:
            made = services.start_undo(run, by=request.user.get_username(), dry_run="dry_run" in request.POST)
        except Refused as e:
            self.message_user(request, e.message, messages.WARNING)
            return redirect(reverse("admin:syncjobs_run_change", args=[pk]))
        return redirect(reverse("admin:syncjobs_run_change", args=[made.pk]))

    @display(description=gettext_lazy("run"), ordering="id")
    def title(self, run: Run) -> str:
        name = f"{run} {run.entity}".rstrip()
        return f"{name} ({_('dry run')})" if run.dry_run else name

    @display(description=gettext_lazy("started by"))
    def started_by(self, run: Run) -> str:
        return translated(run.trigger)

    @display(description=gettext_lazy("status"), label=RUN_BADGES)
    def state(self, run: Run) -> tuple[str, str]:
        return run.status, run.get_status_display()

    @display(description=gettext_lazy("outcomes"))
    def outcomes(self, run: Run) -> str:
        url = reverse("admin:syncjobs_runitem_changelist") + f"?run__id__exact={run.pk}"
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', url, _("every record"))


@admin.register(RunItem)
class RunItemAdmin(ReadOnlyAdmin):
    list_display = ["who", "result", "reason", "what", "external_id", "at"]
    list_display_links = None
    list_filter = [("action", ChoicesDropdownFilter)]
    list_filter_submit = True

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in ("run__id__exact", "contact_id") or super().lookup_allowed(lookup, value, request)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        ids = [item.contact_id for item in changelist.result_list if item.contact_id]
        names = {c.pk: str(c) for c in Contact.objects.defer("search").filter(pk__in=ids)}
        for item in changelist.result_list:
            item.contact_name = names.get(item.contact_id, str(item.contact_id))
        return changelist

    @display(description=gettext_lazy("contact"))
    def who(self, item: RunItem) -> str:
        if item.contact_id is None:
            return "–"
        name = item.contact_name  # type: ignore[attr-defined]
        url = reverse("admin:contacts_contact_change", args=[item.contact_id])
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', url, name)

    @display(description=gettext_lazy("result"), label=ACTION_BADGES)
    def result(self, item: RunItem) -> tuple[str, str]:
        return item.action, item.get_action_display()

    @display(description=gettext_lazy("in words"))
    def reason(self, item: RunItem) -> str:
        return translated(item.message)

    @display(description=gettext_lazy("fields"))
    def what(self, item: RunItem) -> str:
        return ", ".join(item.fields)


def progress_context(request: HttpRequest, run: Run) -> dict[str, Any]:
    """What the run's cards and bar show."""
    names = ("created", "updated", "unchanged", "skipped", "failed", "conflicts", "deleted")
    traffic = ("requests", "retries", "rate_limit_hits")
    may_change, running = request.user.has_perm("connectors.change_connection"), run.status == RunStatus.RUNNING
    changed_something = bool(run.created or run.updated) and not run.dry_run
    return {
        "run": run,
        "running": running,
        "variant": RUN_BADGES[run.status],
        "progress": progress.of(run),
        "message": translated(run.message),
        "results": [_counter(run, name) for name in names],
        "traffic": [_counter(run, name) for name in traffic],
        "may_stop": may_change,
        "may_undo": may_change and changed_something and not running,
    }


def _counter(run: Run, name: str) -> dict[str, Any]:
    label = getattr(Run._meta.get_field(name), "verbose_name", name)
    return {"name": name, "label": label, "count": getattr(run, name)}
