"""Failed links back into the queue: who may do it, and what is said afterwards."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import ngettext

from connectors.models import Connection
from syncjobs.errors import Refused

RETRY = "contacts.change_contact"


def retry(request: HttpRequest, connection: Connection, work: Callable[[], int]) -> None:
    """Does the work, which answers how many links it queued, and says so; a refusal is told in its words."""
    if not request.user.has_perm(RETRY):
        raise PermissionDenied
    try:
        count = work()
    except Refused as refused:
        messages.error(request, str(refused))
        return
    text = ngettext(
        "%(n)d failed contact is queued again for %(crm)s.",
        "%(n)d failed contacts are queued again for %(crm)s.",
        count,
    )
    (messages.success if count else messages.warning)(request, text % {"n": count, "crm": connection})
