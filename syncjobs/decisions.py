"""What people decide about the questions that runs have left. A run carries it out, by the same code as all the rest.

Accepted are, by kind of question:

- a field that both sides changed: `{"take": "ours"}` or `{"take": "theirs"}`;
- a record that several contacts fit: `{"contact": id}`, or `{"new": true}` for somebody else;
- a contact that several records fit: `{"record": id}`, or `{"new": true}`;
- a deletion: `{"delete": true}` or `{"delete": false}`; many at once: `{"allow": true}` or `{"allow": false}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django_q.tasks import async_task

from connectors.models import Connection
from contacts.models import Contact
from syncjobs import deletions, enqueue, reviews
from syncjobs.errors import Refused
from syncjobs.mirror import guard, schedule
from syncjobs.models import ContactSync, ReviewItem, Run
from syncjobs.pull import is_readable, pull_ids
from syncjobs.signals import question_decided

Kind = ReviewItem.Kind


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers that a question takes; `about` is the id of the contact or record that it names."""

    decision: Mapping[str, Any]
    about: str = ""


def choices(item: ReviewItem) -> list[Choice]:
    """Every answer that the question takes."""
    return list(_choices(item))


def decide(item: ReviewItem, choice: Mapping[str, Any], by: str) -> ReviewItem:
    """Stores the decision and has a worker carry it out. Raises Refused where it is decided, or no such choice."""
    with transaction.atomic():
        item = ReviewItem.objects.select_for_update(of=("self",)).select_related("connection").get(pk=item.pk)
        if item.decided_at is not None:
            raise Refused(_("This has been decided already."), "already_decided", 409)
        if dict(choice) not in [dict(known.decision) for known in _choices(item)]:
            raise Refused(_("This question does not take that answer."), "no_such_choice")
        if "contact" in choice and not Contact.objects.alive().filter(pk=choice["contact"]).exists():
            raise Refused(_("Contact not found"), "contact_not_found", 404)
        item.decision, item.decided_at, item.decided_by = dict(choice), timezone.now(), by[:150]
        _prepare(item)
        item.save(update_fields=["decision", "decided_at", "decided_by"])
        question_decided.send(ReviewItem, item=item)
    return item


def carry_out(connection: Connection) -> Run | None:
    """Reads the records that decisions are about, so that the pull does what was decided. Raises Refused."""
    ids = reviews.waiting_records(connection)
    if not ids or not is_readable(connection):
        return None
    return pull_ids(connection, ids, trigger="decision")


def _choices(item: ReviewItem) -> Iterator[Choice]:
    if item.kind == Kind.CONFLICT:
        yield from (Choice({"take": side}) for side in ("ours", "theirs"))
    elif item.kind == Kind.AMBIGUOUS:
        yield from (Choice({"contact": contact_id}, contact_id) for contact_id in item.candidates)
        records: Sequence[str] = (item.theirs or {}).get("records", ()) if not item.candidates else ()
        yield from (Choice({"record": record_id}, record_id) for record_id in records)
        yield Choice({"new": True})
    else:
        name = "delete" if item.external_id else "allow"
        yield from (Choice({name: answer}) for answer in (True, False))


def _prepare(item: ReviewItem) -> None:
    """Makes due, or has read again, what the decision is about."""
    decision, connection = item.decision or {}, item.connection
    links = ContactSync.objects.filter(connection=connection)
    if "delete" in decision:
        contacts = [item.contact_id] if item.contact_id else []
        if decision["delete"]:
            deletions.mark(connection, contacts)
        else:
            item.decision = {**decision, "used": True}
            enqueue.enqueue_told(connection, contacts)
    elif "allow" in decision:
        mirror = guard.mirror_of(item)
        if not decision["allow"]:
            item.decision = {**decision, "used": True}
        elif mirror is not None:
            transaction.on_commit(partial(schedule.ask_for, mirror.pk, full=True))
    elif item.external_id:
        links.filter(external_id=item.external_id).update(seen_hash=None)
        transaction.on_commit(lambda: async_task("syncjobs.tasks.carry_out_decisions", connection.pk))
    elif item.contact_id is not None:
        enqueue.enqueue_ids(connection, [item.contact_id])
