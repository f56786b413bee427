"""The audit trail in the admin, for administrators: by person, object and time."""

from __future__ import annotations

from typing import Any

import orjson
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from crmsync.models import AuditEntry

_LONGEST = 300


@admin.register(AuditEntry)
class AuditEntryAdmin(ModelAdmin):
    """Only shows: nobody changes the trail."""

    list_display = ["at", "who", "action", "object_type", "object_name", "object_id", "differences"]
    list_display_links = None
    list_filter = [
        ("at", RangeDateTimeFilter),
        ("actor", FieldTextFilter),
        ("action", ChoicesDropdownFilter),
        ("via", ChoicesDropdownFilter),
        ("object_type", FieldTextFilter),
        ("object_id", FieldTextFilter),
    ]
    list_filter_submit = True
    list_per_page = 50
    paginator = InfinitePaginator
    show_full_result_count = False
    actions: Any = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("by"))
    def who(self, entry: AuditEntry) -> str:
        way = f"{entry.get_via_display()} “{entry.token}”" if entry.token else entry.get_via_display()
        return f"{entry.actor or '–'} ({way})"

    @display(description=_("differences"))
    def differences(self, entry: AuditEntry) -> SafeString | str:
        before, after = entry.before or {}, entry.after or {}
        lines = [(name, _text(before.get(name)), _text(after.get(name))) for name in dict.fromkeys([*before, *after])]
        return format_html("{}", format_html_join("", "<div><b>{}</b>: {} → {}</div>", lines)) if lines else "–"


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
