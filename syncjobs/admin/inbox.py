"""The inbox in the admin: webhooks received, what they said, what came of them, and replay."""

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
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    FieldTextFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import action, display

from syncjobs import inbox
from syncjobs.admin.badges import EVENT_BADGES
from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.models import InboundEvent
from syncjobs.payloads import payload
from syncjobs.sentences import translated

# Operators and administrators: those who may see people's data, and have events processed again.
OPERATE = "syncjobs.change_inboundevent"
_RECORDS_SHOWN = 3


@admin.register(InboundEvent)
class InboundEventAdmin(ReadOnlyAdmin):
    """Received events. Viewers see bodies with everything personal masked."""

    list_display = ["received_at", "connection", "event_type", "records", "state", "reason", "repeats"]
    list_filter = [
        ("connection", RelatedDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("event_type", FieldTextFilter),
        ("received_at", RangeDateTimeFilter),
    ]
    list_filter_submit = True
    list_select_related = ["connection"]
    change_form_outer_before_template = "syncjobs/inbound_event.html"
    fields = [
        ("connection", "event_type"), ("received_at", "processed_at"), ("state", "run_link"), "reason",
        ("attempts", "due_at"), ("repeats", "replays"),
    ]  # fmt: skip
    actions = ["replay_selected"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundEvent]:
        return super().get_queryset(request).defer("body")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(OPERATE)

    def get_urls(self) -> list[URLPattern]:
        replay = self.admin_site.admin_view(require_POST(self.replay_view))
        return [path("<int:pk>/replay/", replay, name="event_replay"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        event = InboundEvent.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        extra: dict[str, Any] = {}
        if event is not None:
            may_operate = self.has_replay_permission(request)
            extra = {"event": event, "payload": payload(event, masked=not may_operate), "may_replay": may_operate}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})

    @action(description=gettext_lazy("Process again"), permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[InboundEvent]) -> None:
        self._tell(request, inbox.replay(queryset))

    def replay_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Has one event processed once more."""
        get_object_or_404(InboundEvent, pk=pk)
        if not self.has_replay_permission(request):
            raise PermissionDenied
        self._tell(request, inbox.replay(InboundEvent.objects.filter(pk=pk)))
        return redirect(reverse("admin:syncjobs_inboundevent_change", args=[pk]))

    def _tell(self, request: HttpRequest, count: int) -> None:
        if not count:
            self.message_user(request, _("It waits to be processed already."), messages.WARNING)
            return
        sentence = ngettext("%(n)d event is processed again.", "%(n)d events are processed again.", count)
        self.message_user(request, sentence % {"n": count}, messages.SUCCESS)

    @display(description=gettext_lazy("records"))
    def records(self, event: InboundEvent) -> str:
        told = [f"{entity} {number}" for entity, _action, number in event.entities[:_RECORDS_SHOWN]]
        return ", ".join([*told, "…"] if len(event.entities) > _RECORDS_SHOWN else told) or "–"

    @display(description=gettext_lazy("status"), label=EVENT_BADGES)
    def state(self, event: InboundEvent) -> tuple[str, str]:
        return event.status, event.get_status_display()

    @display(description=gettext_lazy("in words"))
    def reason(self, event: InboundEvent) -> str:
        return translated(event.message)

    @display(description=gettext_lazy("run"))
    def run_link(self, event: InboundEvent) -> str:
        if event.run_id is None:
            return "–"
        url = reverse("admin:syncjobs_run_change", args=[event.run_id])
        return format_html('<a class="text-primary-600 underline" href="{}">#{}</a>', url, event.run_id)
