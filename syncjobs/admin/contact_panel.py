"""The block on a contact's page that says where it stands on every connection, and queues or retries it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from connectors import services as connections
from connectors.models import Connection
from contacts.models import Contact
from syncjobs import services
from syncjobs.admin.badges import BADGES
from syncjobs.errors import Refused
from syncjobs.models import ContactSync
from syncjobs.sentences import translated
from syncjobs.states import SyncStatus


def render_links(request: HttpRequest, contact: Contact) -> SafeString | str:
    """A row for every connection; nothing for those who may not see links."""
    if not request.user.has_perm("syncjobs.view_contactsync"):
        return ""
    links = {link.connection_id: link for link in ContactSync.objects.filter(contact=contact)}
    shown = connections.usable(Connection.objects.defer("config", "secrets"))
    rows = [_row(connection, links.get(connection.pk)) for connection in shown if connection.enabled or links]
    context = {"contact": contact, "rows": rows, "may_queue": request.user.has_perm("contacts.change_contact")}
    return render_to_string("syncjobs/contact_links.html", context, request)


def _row(connection: Connection, link: ContactSync | None) -> dict[str, Any]:
    failed = link is not None and link.sync_status == SyncStatus.ERROR
    return {
        "connection": connection,
        "link": link,
        "variant": BADGES[link.sync_status] if link else "",
        "problem": translated(link.processing_error) if link else "",
        "estimate": services.estimate(link, connection) if link and link.next_retry_at is None else None,
        "action": _("Retry") if failed else _("Queue"),
        "can_queue": connection.enabled and (link is None or link.sync_status != SyncStatus.PROCESSING),
    }


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
