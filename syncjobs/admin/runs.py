"""Runs in the admin: counters, progress, stopping, taking back, and what failed once more."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from syncjobs import overview, progress, runs, services
from syncjobs.admin.badges import RUN_BADGES
from syncjobs.admin.dashboard import strip
from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.admin.retrying import RETRY, retry
from syncjobs.admin.run_outcomes import ACTION, RUN, download, download_url
from syncjobs.errors import Refused
from syncjobs.models import Run, RunItem, RunKind, RunStatus
from syncjobs.sentences import translated

_ACTION_OF = {
    "created": RunItem.Action.CREATE.value,
    "skipped": RunItem.Action.SKIP.value,
    "failed": RunItem.Action.FAIL.value,
    "conflicts": RunItem.Action.CONFLICT.value,
    "deleted": RunItem.Action.DELETE.value,
}


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
            path("<int:pk>/retry/", self.admin_site.admin_view(require_POST(self.retry_view)), name="run_retry"),
            path("<int:pk>/outcomes.csv", self.admin_site.admin_view(require_GET(self.csv_view)), name="run_outcomes"),
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

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queues again what failed in the run and has not been sent since."""
        run = get_object_or_404(Run.objects.select_related("connection"), pk=pk)
        retry(request, run.connection, lambda: services.retry_run(run))
        return redirect(reverse("admin:syncjobs_run_change", args=[pk]))

    def csv_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Every record's outcome as a file."""
        if not request.user.has_perm("syncjobs.view_runitem"):
            raise PermissionDenied
        return download(request, pk)

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


def progress_context(request: HttpRequest, run: Run) -> dict[str, Any]:
    """What the run's cards and bar show."""
    names = ("created", "updated", "unchanged", "skipped", "failed", "conflicts", "deleted")
    traffic = ("requests", "retries", "rate_limit_hits")
    may_change, running = request.user.has_perm("connectors.change_connection"), run.status == RunStatus.RUNNING
    changed_something = bool(run.created or run.updated) and not run.dry_run
    failed = bool(run.failed) and run.kind == RunKind.PUSH and not run.dry_run
    return {
        "run": run,
        "running": running,
        "variant": RUN_BADGES[run.status],
        "progress": progress.of(run),
        "message": translated(run.message),
        "results": [{**_counter(run, name), "url": _outcomes(run, name)} for name in names],
        "traffic": [_counter(run, name) for name in traffic],
        "download_url": download_url(run),
        "may_retry": failed and not running and request.user.has_perm(RETRY),
        "may_stop": may_change,
        "may_undo": may_change and changed_something and not running,
    }


def _counter(run: Run, name: str) -> dict[str, Any]:
    label = getattr(Run._meta.get_field(name), "verbose_name", name)
    return {"name": name, "label": label, "count": getattr(run, name)}


def _outcomes(run: Run, name: str) -> str:
    """The list of the records that a counter counts; "" where nothing is counted, or they are only counted."""
    action = _ACTION_OF.get(name)
    if action is None or not getattr(run, name):
        return ""
    return reverse("admin:syncjobs_runitem_changelist") + f"?{RUN}={run.pk}&{ACTION}={action}"
