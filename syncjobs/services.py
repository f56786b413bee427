"""What API, admin and commands do with links: queue, retry, look. They hold no logic of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from connectors.core import registry
from connectors.core.errors import RECOVERY, ErrorKind
from connectors.models import Connection
from contacts.models import Contact
from syncjobs import counts, enqueue, estimates, states, undo
from syncjobs.errors import Refused
from syncjobs.models import ContactSync, Cursor, ReviewItem, Route, Run, Stray, StrayKey
from syncjobs.outcomes import BACKOFF_BASE_SECONDS, BACKOFF_LONGEST_SECONDS
from syncjobs.plan import NO_EMAIL
from syncjobs.queue import HIGH, NORMAL

BULK_MOST = 100

_RETRY = f"""
UPDATE syncjobs_contactsync s SET {states.set_sql(states.RETRY.target)}, processing_error = '', error_kind = '',
    retry_count = CASE WHEN %(reset)s THEN 0 ELSE s.retry_count + 1 END,
    next_retry_at = n.at, due_at = coalesce(n.at, now())
FROM syncjobs_contactsync was CROSS JOIN LATERAL (
    SELECT CASE WHEN NOT %(reset)s THEN now() + make_interval(secs =>
        greatest(1, random() * least(%(longest)s, %(base)s * power(2, least(was.retry_count, 20))))) END AS at) AS n
WHERE s.id = was.id AND s.connection_id = %(connection)s AND {states.in_sql(states.RETRY.sources, "s.sync_status")}
"""


@dataclass(frozen=True, slots=True)
class BulkQueued:
    queued: int
    refused: Sequence[tuple[UUID, str]]


def contact_or_refuse(contact_id: UUID) -> Contact:
    """Raises Refused (404)."""
    contact = Contact.objects.filter(pk=contact_id, deleted_at=None).first()
    if contact is None:
        raise Refused(_("Contact not found"), "contact_not_found", 404)
    return contact


def queue_one(contact_id: UUID, connection: Connection, *, high: bool = False) -> ContactSync:
    """Queues one contact; an urgent one is started at once. Raises Refused."""
    contact = contact_or_refuse(contact_id)
    refuse_unsendable(connection)
    reason = why_not(contact, connection)
    if reason:
        raise Refused(reason, "no_email" if reason == NO_EMAIL else "not_sendable")
    with transaction.atomic():
        enqueue.enqueue_ids(connection, [contact.pk], HIGH if high else NORMAL)
        if high:
            start_push(connection)
    return ContactSync.objects.get(contact=contact, connection=connection)


def queue_many(contact_ids: Sequence[UUID], connection: Connection) -> BulkQueued:
    """Queues up to BULK_MOST contacts: one statement to look, one to write. Raises Refused."""
    refuse_unsendable(connection)
    asked = list(dict.fromkeys(contact_ids))
    needs = [name for name in connection.spec.needs if name in ("email", "phone")]
    rows = {row[0]: row[1:] for row in Contact.objects.alive().filter(pk__in=asked).values_list("pk", *needs)}
    refused = []
    for contact_id in asked:
        if contact_id not in rows:
            refused.append((contact_id, _("Contact not found")))
        elif not all(rows[contact_id]):
            refused.append((contact_id, _("No email address") if "email" in needs else _("No phone number")))
    barred = {contact_id for contact_id, _reason in refused}
    queued = enqueue.enqueue_ids(connection, [i for i in asked if i not in barred])
    return BulkQueued(queued, refused)


def queue_filtered(connection: Connection, filters: enqueue.Filters) -> int:
    """Queues all contacts that pass: one statement. Raises Refused."""
    refuse_unsendable(connection)
    return enqueue.enqueue_filtered(connection, filters)


def retry_one(contact_id: UUID, connection: Connection, *, reset: bool) -> ContactSync:
    """A failed link goes back to the queue: at once when its count is reset, else after its backoff. Raises Refused."""
    contact = contact_or_refuse(contact_id)
    refuse_unsendable(connection)
    link = ContactSync.objects.filter(contact=contact, connection=connection).first()
    if link is None or not _retry(connection, reset, "AND s.id = %(link)s", link=link.pk):
        raise Refused(_("Contact not in error state"), "not_in_error_state")
    link.refresh_from_db()
    return link


def retry_all(connection: Connection, *, reset: bool) -> int:
    """Every failed link of a connection goes back to the queue: one statement. Raises Refused."""
    refuse_unsendable(connection)
    return _retry(connection, reset)


def retry_query(connection: Connection, contacts_sql: str, params: Sequence[Any]) -> int:
    """The failed links of the contacts whose ids another statement selects."""
    inner, named = enqueue.with_names(contacts_sql, params)
    return _retry(connection, True, f"AND s.contact_id IN ({inner})", **named)


def retry_run(run: Run) -> int:
    """What failed in a run and is still failed goes back to the queue. Raises Refused."""
    refuse_unsendable(run.connection)
    failed = "SELECT contact_id FROM syncjobs_runitem WHERE run_id = %s AND action = 'fail'"
    return retry_query(run.connection, failed, [run.pk])


def failures(connection: Connection, limit: int) -> tuple[list[ContactSync], int]:
    """The newest failed links with their contacts, and how many there are in all."""
    links = (
        ContactSync.objects.filter(connection=connection, sync_status=states.ERROR.sync)
        .select_related("contact")
        .order_by(F("last_retry_at").desc(nulls_last=True), "-id")[:limit]
    )
    return list(links), counts.stats(connection).of(states.SyncStatus.ERROR)


def can_retry(link: ContactSync) -> bool:
    """Whether trying again by itself can help: the kind of error allows it and attempts are left."""
    if link.error_kind and not RECOVERY[ErrorKind(link.error_kind)].retryable:
        return False
    return link.retry_count < settings.SYNC_MAX_ATTEMPTS


def why_not(contact: Contact, connection: Connection) -> str:
    """Why this contact cannot be sent to the connection; "" when it can."""
    missing = next((name for name in connection.spec.needs if not getattr(contact, name)), None)
    if missing is None:
        return ""
    return NO_EMAIL if missing == "email" else _("Contact does not have %(field)s") % {"field": missing}


def refuse_unsendable(connection: Connection) -> None:
    """Raises Refused where the connection is disabled, or its system is only read."""
    refuse_disabled(connection)
    if not registry.is_writable(connection.connector):
        raise Refused(_("%(crm)s cannot be written to.") % {"crm": connection.spec.label}, "not_writable")


def refuse_disabled(connection: Connection) -> None:
    if not connection.enabled:
        raise Refused(_("%(crm)s is disabled.") % {"crm": connection.key}, "crm_disabled")


def start_push(connection: Connection, run: Run | None = None) -> None:
    """Asks a worker to push now; inside a transaction it becomes visible with the commit."""
    async_task("syncjobs.tasks.push_now", connection.pk, run.pk if run else None, group=f"push {connection.key}")


def forget_records(connection: Connection) -> None:
    """Another account is behind the connection now: nothing that was known of the old one's records counts."""
    ContactSync.objects.filter(connection=connection).delete()
    StrayKey.objects.filter(connection_id=connection.pk).delete()
    Stray.objects.filter(connection=connection).delete()
    Cursor.objects.filter(connection=connection).delete()
    ReviewItem.objects.filter(connection=connection, decided_at__isnull=True).delete()
    ends = Q(source=connection) | Q(destination=connection)
    Route.objects.filter(ends).update(started_at=None, full_started_at=None)


def start_pull(connection: Connection) -> None:
    """Asks a worker to read what the connection holds into the hub now."""
    async_task("syncjobs.tasks.pull_now", connection.pk, group=f"pull {connection.key}")


@transaction.atomic
def start_undo(run: Run, *, by: str, dry_run: bool = False) -> Run:
    """Asks a worker to take the run back, and answers the run that does it. Raises Refused."""
    made = undo.begin(run, trigger=by, dry_run=dry_run)
    async_task("syncjobs.tasks.undo_run", run.pk, made.pk, group=f"undo {run.pk}")
    return made


def start_route(route: Route, *, full: bool = False) -> None:
    """Asks a worker to run the route now."""
    async_task("syncjobs.tasks.run_route", route.pk, full, group=f"route {route.pk}")


def estimate(link: ContactSync, connection: Connection) -> str | None:
    """ "Within 5 minutes" for a queued link, None for all others; a link that waits for its retry says until when."""
    if link.sync_status != states.QUEUED.sync:
        return None
    if link.next_retry_at is not None and link.next_retry_at > timezone.now():
        return _("After %(time)s") % {"time": link.next_retry_at.isoformat(timespec="seconds").replace("+00:00", "Z")}
    return estimates.in_words(connection, link.priority)


def _retry(connection: Connection, reset: bool, where: str = "", **params: Any) -> int:
    named = {
        "connection": connection.pk,
        "reset": reset,
        "base": BACKOFF_BASE_SECONDS,
        "longest": BACKOFF_LONGEST_SECONDS,
    }
    with database.cursor() as cursor:
        cursor.execute(f"{_RETRY} {where}", {**named, **params})
        return cursor.rowcount
