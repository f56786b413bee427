"""What links add to the list of contacts: a badge, a filter and bulk actions for every connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from connectors import services as connections
from connectors.core import registry
from connectors.models import Connection
from contacts import admin_extensions
from contacts.models import Contact
from syncjobs import enqueue, services
from syncjobs.admin import retrying
from syncjobs.admin.badges import BADGES
from syncjobs.admin.contact_panel import render_panel
from syncjobs.errors import Refused
from syncjobs.models import ContactSync
from syncjobs.states import SyncStatus

NOT_YET = "-"
Action = Callable[[Any, HttpRequest, QuerySet], None]


def connect() -> None:
    admin_extensions.register_queryset(with_links)
    admin_extensions.register_columns(columns)
    admin_extensions.register_filters(filters)
    admin_extensions.register_actions(actions)
    admin_extensions.register_panel(render_panel)


def enabled_connections(request: HttpRequest) -> list[Connection]:
    """Asked once a request, however many columns and actions are drawn from it."""
    held: list[Connection] | None = getattr(request, "_connections", None)
    if held is None:
        held = connections.usable(Connection.objects.filter(enabled=True))
        request._connections = held  # type: ignore[attr-defined]
    return held


def with_links(queryset: QuerySet[Contact]) -> QuerySet[Contact]:
    return queryset.prefetch_related(
        Prefetch("links", ContactSync.objects.only("contact_id", "connection_id", "sync_status"))
    )


def columns(request: HttpRequest) -> Iterable[Callable[[Contact], Any]]:
    return [_column(connection) for connection in enabled_connections(request)]


def _column(connection: Connection) -> Callable[[Contact], Any]:
    labels = dict(SyncStatus.choices)

    @display(description=str(connection), label=BADGES)
    def status(contact: Contact) -> Any:
        link = next((link for link in contact.links.all() if link.connection_id == connection.pk), None)
        return (link.sync_status, labels[link.sync_status]) if link else None

    status.__name__ = f"status_of_{connection.key}"
    return status


def filters(request: HttpRequest) -> Iterable[Any]:
    return [_filter(connection) for connection in enabled_connections(request)]


def _filter(connection: Connection) -> type[DropdownFilter]:
    class StatusFilter(DropdownFilter):
        title = str(connection)
        parameter_name = f"status_{connection.key}"

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
            return [*SyncStatus.choices, (NOT_YET, _("not yet"))]

        def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
            value = self.value()
            if not value:
                return queryset
            links = ContactSync.objects.filter(connection=connection)
            if value == NOT_YET:
                return queryset.filter(~Q(pk__in=links.values("contact_id")))
            return queryset.filter(pk__in=links.filter(sync_status=value).values("contact_id"))

    return StatusFilter


def actions(request: HttpRequest) -> dict[str, tuple[Action, str, str]]:
    """ "Queue for Brevo" and "Retry Brevo" for those who may change contacts."""
    if not request.user.has_perm("contacts.change_contact"):
        return {}
    found: dict[str, tuple[Action, str, str]] = {}
    for connection in enabled_connections(request):
        if not registry.is_writable(connection.connector):
            continue
        queue, retry = f"queue_{connection.key}", f"retry_{connection.key}"
        found[queue] = (_queue_action(connection), queue, _("Queue for %(crm)s") % {"crm": connection})
        found[retry] = (_retry_action(connection), retry, _("Retry %(crm)s") % {"crm": connection})
    return found


def _queue_action(connection: Connection) -> Action:
    def queue(model_admin: Any, request: HttpRequest, queryset: QuerySet) -> None:
        _require_change(request)
        try:
            services.refuse_unsendable(connection)
            queued = enqueue.enqueue_query(connection, *_ids(queryset))
        except Refused as refused:
            model_admin.message_user(request, str(refused), messages.ERROR)
            return
        text = _("%(n)d contacts are queued for %(crm)s.") % {"n": queued, "crm": connection}
        model_admin.message_user(request, text, messages.SUCCESS)

    return queue


def _retry_action(connection: Connection) -> Action:
    def retry(model_admin: Any, request: HttpRequest, queryset: QuerySet) -> None:
        retrying.retry(request, connection, lambda: services.retry_query(connection, *_ids(queryset)))

    return retry


def _require_change(request: HttpRequest) -> None:
    if not request.user.has_perm("contacts.change_contact"):
        raise PermissionDenied


def _ids(queryset: QuerySet) -> tuple[str, tuple[Any, ...]]:
    """The selection as a statement, so that hundreds of thousands never come into memory."""
    sql, params = queryset.order_by().values("pk").query.sql_with_params()
    return sql, tuple(params)
