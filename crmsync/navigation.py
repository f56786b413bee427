"""The frame of the admin: the sidebar's items, and the badge that says a hub talks to sandboxes only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.cache import caches
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connectors.models import Connection

_BADGE_SECONDS = 30
_BADGE_KEY = "navigation.only_sandboxes"


@dataclass(frozen=True, slots=True)
class Item:
    """A page of the admin and the permission without which it is not shown."""

    title: Any
    icon: str
    page: str
    permission: str = ""


_GROUPS: list[tuple[Any, list[Item]]] = [
    ("", [Item(gettext_lazy("Dashboard"), "space_dashboard", "index")]),
    (
        gettext_lazy("People"),
        [
            Item(gettext_lazy("Contacts"), "contacts", "contacts_contact_changelist", "contacts.view_contact"),
            Item(gettext_lazy("Duplicates"), "group", "contacts_duplicate_changelist", "contacts.view_duplicate"),
            Item(gettext_lazy("Merges"), "merge", "contacts_merge_changelist", "contacts.view_merge"),
            Item(gettext_lazy("Import"), "upload_file", "contacts_contact_import", "contacts.add_contact"),
        ],
    ),
    (
        gettext_lazy("Synchronisation"),
        [
            Item(
                gettext_lazy("Connections"), "cable", "connectors_connection_changelist", "connectors.view_connection"
            ),
            Item(gettext_lazy("Routes"), "route", "syncjobs_route_changelist", "syncjobs.view_route"),
            Item(gettext_lazy("Plans"), "preview", "syncjobs_plan_changelist", "syncjobs.view_plan"),
            Item(
                gettext_lazy("Mirror"), "table_view", "syncjobs_mirrorentity_changelist", "syncjobs.view_mirrorentity"
            ),
            Item(gettext_lazy("Runs"), "sync", "syncjobs_run_changelist", "syncjobs.view_run"),
            Item(gettext_lazy("Links"), "link", "syncjobs_contactsync_changelist", "syncjobs.view_contactsync"),
            Item(gettext_lazy("Questions"), "help", "syncjobs_reviewitem_changelist", "syncjobs.view_reviewitem"),
            Item(gettext_lazy("Alerts"), "notifications", "syncjobs_alert_changelist", "syncjobs.view_alert"),
            Item(gettext_lazy("Outcomes"), "fact_check", "syncjobs_runitem_changelist", "syncjobs.view_runitem"),
            Item(gettext_lazy("Inbox"), "inbox", "syncjobs_inboundevent_changelist", "syncjobs.view_inboundevent"),
        ],
    ),
    (
        gettext_lazy("Access"),
        [
            Item(gettext_lazy("Users"), "person", "auth_user_changelist", "auth.view_user"),
            Item(gettext_lazy("Groups"), "group", "auth_group_changelist", "auth.view_group"),
            Item(gettext_lazy("API tokens"), "key", "crmsync_apitoken_changelist", "crmsync.view_apitoken"),
            Item(gettext_lazy("Audit trail"), "policy", "crmsync_auditentry_changelist", "crmsync.view_auditentry"),
        ],
    ),
    (
        gettext_lazy("Background tasks"),
        [
            Item(gettext_lazy("Schedules"), "schedule", "django_q_schedule_changelist", "django_q.view_schedule"),
            Item(gettext_lazy("Waiting"), "hourglass_empty", "django_q_ormq_changelist", "django_q.view_ormq"),
            Item(gettext_lazy("Finished"), "task_alt", "django_q_success_changelist", "django_q.view_success"),
            Item(gettext_lazy("Failed"), "error", "django_q_failure_changelist", "django_q.view_failure"),
        ],
    ),
]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of the sidebar, with the items that the user may open; the open page's item is marked."""
    links = {item: reverse(f"admin:{item.page}") for _title, items in _GROUPS for item in items}
    here = _closest(request.path, links.values())
    groups = []
    for title, items in _GROUPS:
        shown = [
            {"title": capfirst(item.title), "icon": item.icon, "link": links[item], "active": links[item] == here}
            for item in items
            if not item.permission or request.user.has_perm(item.permission)
        ]
        if shown:
            # Whoever sees the last group seldom needs it, so it starts folded.
            groups.append({"title": title, "items": shown, "collapsible": items is _GROUPS[-1][1]})
    return groups


def _closest(path: str, links: Iterable[str]) -> str:
    """The link that the path lies deepest below; the front page's only for itself."""
    front = reverse("admin:index")
    below = [link for link in links if path.startswith(link) and (link != front or path == front)]
    return max(below, key=len, default="")


def environment(request: HttpRequest) -> list[str] | None:
    """The badge "sandbox" while nothing real is connected."""
    cache = caches["process"]
    only_sandboxes = cache.get(_BADGE_KEY)
    if only_sandboxes is None:
        kinds = set(Connection.objects.values_list("is_sandbox", flat=True).distinct())
        only_sandboxes = kinds == {True}
        cache.set(_BADGE_KEY, only_sandboxes, _BADGE_SECONDS)
    return [_("sandbox"), "warning"] if only_sandboxes else None


def stylesheet(request: HttpRequest) -> str:
    return static("syncjobs/admin.css")


def icon(request: HttpRequest) -> str:
    return static("syncjobs/icon.svg")
