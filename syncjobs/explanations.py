"""Why a contact stands where it stands on a connection: one sentence for the person who asks."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from connectors.models import Connection, ConnectionState
from contacts.models import Contact
from syncjobs import services
from syncjobs.models import ContactSync
from syncjobs.sentences import translated
from syncjobs.states import SyncStatus


def explain(contact: Contact, connection: Connection, link: ContactSync | None) -> str:
    """One sentence, or two where the second says what to do."""
    if link is not None and link.gone_at is not None and link.sync_status == SyncStatus.SKIPPED:
        told = _("Its record was deleted there on %(time)s.") % {"time": _time(link.gone_at)}
        return told + " " + _("Queue it to have it made there anew.")
    if not connection.enabled:
        return _("%(crm)s is switched off: nothing is sent.") % {"crm": connection}
    stuck = _stuck(connection)
    if link is None:
        missing = services.why_not(contact, connection)
        return translated(missing) or _("Nobody has queued it for %(crm)s yet.") % {"crm": connection}
    match link.sync_status:
        case SyncStatus.QUEUED:
            return stuck or _waits(link, connection)
        case SyncStatus.PROCESSING:
            return _("It is being sent now.")
        case SyncStatus.ERROR:
            return stuck or _failed(link)
        case SyncStatus.SKIPPED:
            return translated(link.processing_error) or _("It was left out.")
        case SyncStatus.SELECTED:
            return _("It is chosen, but not queued yet.")
    return _in_step(contact, connection, link)


def _stuck(connection: Connection) -> str:
    if connection.state != ConnectionState.NEEDS_ATTENTION:
        return ""
    told = {"crm": connection, "problem": translated(connection.state_message)}
    return _("%(crm)s needs attention, and what is queued waits: %(problem)s") % told


def _waits(link: ContactSync, connection: Connection) -> str:
    if link.delete_version is not None:
        return _("Its record there is about to be deleted, as the route says.")
    if link.next_retry_at is not None:
        return _("It is tried again at %(time)s.") % {"time": _time(link.next_retry_at)}
    return _("It waits its turn: %(estimate)s.") % {"estimate": services.estimate(link, connection)}


def _failed(link: ContactSync) -> str:
    reason = translated(link.processing_error)
    if link.next_retry_at is not None:
        return f"{reason} " + _("It is tried again at %(time)s.") % {"time": _time(link.next_retry_at)}
    return f"{reason} " + _("It is not tried again by itself: mend the cause, then retry.")


def _in_step(contact: Contact, connection: Connection, link: ContactSync) -> str:
    if link.pushed_version is None:
        return _("It came from %(crm)s.") % {"crm": connection}
    if contact.version > link.pushed_version and not connection.follow_changes:
        return _("It was changed here since; %(crm)s is not told of changes by itself.") % {"crm": connection}
    return _("Both sides are in step.")


def _time(moment: datetime) -> str:
    return date_format(localtime(moment), "SHORT_DATETIME_FORMAT")
