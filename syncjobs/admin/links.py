"""Links in the admin: where every contact stands on every connection, and why."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from syncjobs.admin import contact_panel, people
from syncjobs.admin.badges import BADGES
from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.models import ContactSync
from syncjobs.sentences import translated


@admin.register(ContactSync)
class ContactSyncAdmin(ReadOnlyAdmin):
    list_display = ["contact", "connection", "status", "problem", "retry_count", "next_retry_at", "synced_at"]
    list_filter = [("connection", RelatedDropdownFilter), ("sync_status", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["contact", "connection"]
    fields = [
        "contact", "connection", "sync_status", "processing_status", "problem", "external_id", "external_ref",
        "synced_at", "retry_count", "next_retry_at", "last_retry_at",
    ]  # fmt: skip
    ordering = ["-id"]

    def get_urls(self) -> list[URLPattern]:
        queue = self.admin_site.admin_view(require_POST(contact_panel.queue_view))
        look = self.admin_site.admin_view(require_POST(contact_panel.look_view))
        return [
            path("<uuid:contact_id>/<int:pk>/queue/", queue, name="contact_queue"),
            path("<uuid:contact_id>/<int:pk>/look/", look, name="contact_look"),
            *people.patterns(self.admin_site.admin_view),
            *super().get_urls(),
        ]

    @display(description=_("status"), label=BADGES)
    def status(self, link: ContactSync) -> tuple[str, str]:
        return link.sync_status, link.get_sync_status_display()

    @display(description=_("what is wrong"))
    def problem(self, link: ContactSync) -> str:
        return translated(link.processing_error)
