"""The blocks on a contact's page: where it stands on every connection and why, its values there, its history."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from connectors import services as connections
from connectors.core.errors import ApiError
from connectors.models import Connection
from contacts.models import Contact
from syncjobs import histories, services, side_by_side
from syncjobs.admin.badges import BADGES
from syncjobs.errors import Refused
from syncjobs.explanations import explain
from syncjobs.models import ContactSync
from syncjobs.pull import is_readable
from syncjobs.sentences import translated
from syncjobs.states import SyncStatus


def render_panel(request: HttpRequest, contact: Contact) -> SafeString | str:
    """Where the contact stands, its values side by side, and its history; nothing for those who may not see links."""
    if not request.user.has_perm("syncjobs.view_contactsync"):
        return ""
    links = list(ContactSync.objects.filter(contact=contact))
    by_connection = {link.connection_id: link for link in links}
    shown = connections.usable(Connection.objects.defer("config", "secrets"))
    rows = [_row(contact, one, by_connection.get(one.pk)) for one in shown if one.enabled or one.pk in by_connection]
    context = {
        "contact": contact,
        "rows": rows,
        "table": side_by_side.table(contact, links, {}),
        "entries": histories.of_contact(contact.pk),
        "may_queue": request.user.has_perm("contacts.change_contact"),
    }
    return render_to_string("syncjobs/contact_panel.html", context, request)


def _row(contact: Contact, connection: Connection, link: ContactSync | None) -> dict[str, Any]:
    failed = link is not None and link.sync_status == SyncStatus.ERROR
    linked = link is not None and bool(link.external_id) and link.gone_at is None
    return {
        "connection": connection,
        "link": link,
        "variant": BADGES[link.sync_status] if link else "",
        "failed": failed,
        "why": explain(contact, connection, link),
        "action": _("Retry") if failed else _("Queue"),
        "can_queue": connection.enabled and (link is None or link.sync_status != SyncStatus.PROCESSING),
        "can_look": linked and connection.enabled and is_readable(connection),
    }


def look_view(request: HttpRequest, contact_id: UUID, pk: int) -> HttpResponse:
    """The table of values again, with what the connection's system holds at this moment."""
    if not request.user.has_perm("contacts.change_contact"):
        raise PermissionDenied
    contact = get_object_or_404(Contact, pk=contact_id)
    links = list(ContactSync.objects.filter(contact=contact))
    link = get_object_or_404(ContactSync.objects.select_related("connection"), contact=contact, connection_id=pk)
    context: dict[str, Any] = {"contact": contact, "looked_at": link.connection}
    live = None
    try:
        live = side_by_side.live_values(link.connection, link.external_id)
    except ApiError as e:
        context["problem"] = translated(e.message)
    else:
        if live is None:
            context["problem"] = _("%(crm)s has no such record any more.") % {"crm": link.connection}
    context["table"] = side_by_side.table(contact, links, {} if live is None else {pk: live})
    return render(request, "syncjobs/contact_values.html", context)


def queue_view(request: HttpRequest, contact_id: UUID, pk: int) -> HttpResponse:
    """Queues the contact for the connection, or what failed once more, with its attempts counted anew."""
    if not request.user.has_perm("contacts.change_contact"):
        raise PermissionDenied
    connection = get_object_or_404(Connection, pk=pk)
    failed = ContactSync.objects.filter(contact_id=contact_id, connection=connection, sync_status=SyncStatus.ERROR)
    try:
        if failed.exists():
            services.retry_one(contact_id, connection, reset=True)
        else:
            services.queue_one(contact_id, connection)
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("The contact is queued for %(crm)s.") % {"crm": connection})
    return redirect(reverse("admin:contacts_contact_change", args=[contact_id]))
