"""Alerts in the admin: what is wrong, since when, and leaving people alone about it for a while."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.alerts import keeping
from syncjobs.alerts.wording import advice, sentence
from syncjobs.models import Alert, AlertKind

QUIET_HOURS = 24


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ["state", "in_words", "what_to_do", "opened_at", "closed_at", "told_at", "quiet_until"]
    list_display_links = None
    list_filter = [("connection", RelatedDropdownFilter), ("kind", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["connection"]
    actions = ["quieten"]

    def has_quieten_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("syncjobs.change_alert")

    @action(description=gettext_lazy("Say nothing about them for a day"), permissions=["quieten"])
    def quieten(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        for alert in queryset:
            keeping.quieten(alert, QUIET_HOURS)
        self.message_user(request, _("Nobody is told of them for a day; here they stay."), messages.SUCCESS)

    @display(description=gettext_lazy("state"), label={"open": "danger", "over": "success"})
    def state(self, alert: Alert) -> tuple[str, str]:
        return ("over", _("over")) if alert.closed_at else ("open", alert.get_kind_display())

    @display(description=gettext_lazy("in words"))
    def in_words(self, alert: Alert) -> str:
        return sentence(alert)

    @display(description=gettext_lazy("what to do"))
    def what_to_do(self, alert: Alert) -> str:
        if alert.closed_at:
            return "–"
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', address(alert), advice(alert))


def address(alert: Alert) -> str:
    """The page where the alert is mended or understood."""
    if alert.kind == AlertKind.ATTENTION:
        return reverse("admin:connectors_connection_change", args=[alert.connection_id])
    if alert.kind == AlertKind.FAILURES:
        links = reverse("admin:syncjobs_contactsync_changelist")
        return f"{links}?connection__id__exact={alert.connection_id}&sync_status__exact=Error"
    return reverse("admin:syncjobs_run_changelist") + f"?connection__id__exact={alert.connection_id}"


def open_ones(request: HttpRequest) -> list[dict[str, Any]]:
    """Those that the dashboard shows; a connection that needs attention is shown by itself, as it is at this moment."""
    if not request.user.has_perm("syncjobs.view_alert"):
        return []
    alerts = Alert.objects.filter(closed_at=None, connection__enabled=True).exclude(kind=AlertKind.ATTENTION)
    shown = alerts.select_related("connection").order_by("id")
    return [{"sentence": sentence(a), "url": address(a), "advice": advice(a)} for a in shown]
