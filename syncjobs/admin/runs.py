"""Runs in the admin: counters, and every record's outcome in words."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from contacts.models import Contact
from syncjobs import runs
from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.models import Run, RunItem, RunStatus

RUN_BADGES = {
    RunStatus.DONE.value: "success",
    RunStatus.RUNNING.value: "info",
    RunStatus.FAILED.value: "warning",
    RunStatus.STOPPED.value: "danger",
    RunStatus.CANCELLED.value: "warning",
}
ACTION_BADGES = {
    RunItem.Action.CREATE.value: "success",
    RunItem.Action.UPDATE.value: "info",
    RunItem.Action.LINK.value: "info",
    RunItem.Action.SKIP.value: "warning",
    RunItem.Action.CONFLICT.value: "danger",
    RunItem.Action.FAIL.value: "danger",
}


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = [
        "title", "connection", "state", "started_at", "created", "updated", "unchanged", "failed", "outcomes",
    ]  # fmt: skip
    list_filter = [("connection", RelatedDropdownFilter), ("status", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["connection"]
    change_form_outer_before_template = "syncjobs/run_actions.html"
    fields = [
        "kind", "connection", "status", "trigger", "dry_run", "message", "started_at", "finished_at", "total",
        "created", "updated", "unchanged", "skipped", "failed", "conflicts", "requests", "retries", "rate_limit_hits",
    ]  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        cancel = self.admin_site.admin_view(require_POST(self.cancel_view))
        return [path("<int:pk>/cancel/", cancel, name="run_cancel"), *super().get_urls()]

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

    @display(description=gettext_lazy("run"), ordering="id")
    def title(self, run: Run) -> str:
        return f"{run} ({_('dry run')})" if run.dry_run else str(run)

    @display(description=gettext_lazy("status"), label=RUN_BADGES)
    def state(self, run: Run) -> tuple[str, str]:
        return run.status, run.get_status_display()

    @display(description=gettext_lazy("outcomes"))
    def outcomes(self, run: Run) -> str:
        url = reverse("admin:syncjobs_runitem_changelist") + f"?run__id__exact={run.pk}"
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', url, _("every record"))


@admin.register(RunItem)
class RunItemAdmin(ReadOnlyAdmin):
    list_display = ["who", "result", "message", "what", "external_id", "at"]
    list_display_links = None
    list_filter = [("action", ChoicesDropdownFilter)]
    list_filter_submit = True

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in ("run__id__exact", "contact_id") or super().lookup_allowed(lookup, value, request)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        ids = [item.contact_id for item in changelist.result_list]
        changelist.model_admin.names = {c.pk: str(c) for c in Contact.objects.filter(pk__in=ids)}
        return changelist

    @display(description=gettext_lazy("contact"))
    def who(self, item: RunItem) -> str:
        name = getattr(self, "names", {}).get(item.contact_id, str(item.contact_id))
        url = reverse("admin:contacts_contact_change", args=[item.contact_id])
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', url, name)

    @display(description=gettext_lazy("result"), label=ACTION_BADGES)
    def result(self, item: RunItem) -> tuple[str, str]:
        return item.action, item.get_action_display()

    @display(description=gettext_lazy("fields"))
    def what(self, item: RunItem) -> str:
        return ", ".join(item.fields)
