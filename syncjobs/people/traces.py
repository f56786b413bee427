"""What the engine keeps of a person beside the contact: found and taken away, table by table."""

from __future__ import annotations

from urllib.parse import quote

from django.contrib.admin.models import LogEntry
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from contacts.erasing import tombstone
from contacts.models import Contact
from syncjobs import states
from syncjobs.models import (
    ContactSync,
    EventStatus,
    InboundEvent,
    Plan,
    ReviewItem,
    RunItem,
    Stray,
    StrayKey,
    SyncSnapshot,
)
from syncjobs.people.finding import Person, about

# Fewer digits of a phone are parts of other numbers, too.
_DIGITS_TELLING = 10


def links(person: Person, deleted: Q) -> int:
    """Links that name a record become tombstones with its id alone, by which pulls leave the record out; others go.

    Those whose record was `deleted` there just now say so; the others can be deleted there another time.
    """
    held = ContactSync.objects.filter(contact__in=person.ids)
    SyncSnapshot.objects.filter(link__in=held).delete()
    held.filter(external_id="").delete()
    count = held.update(
        sync_status=states.SKIPPED.sync,
        processing_status=states.SKIPPED.processing,
        **dict.fromkeys(("processing_error", "error_kind", "external_ref", "external_version"), ""),
        **dict.fromkeys(("remote_hash", "seen_hash", "remote_updated_at", "due_at", "next_retry_at", "run"), None),
        delete_version=None,
    )
    held.filter(deleted, gone_at=None).update(gone_at=timezone.now())
    return count


def strays(person: Person) -> int:
    """Records without a contact are forgotten, and left out by pulls from now on as well."""
    taken = set(ContactSync.objects.filter(contact=person.id).values_list("connection_id", flat=True))
    count = 0
    for connection_id, ids in person.strays.items():
        StrayKey.objects.filter(connection_id=connection_id, external_id__in=ids).delete()
        count += Stray.objects.filter(connection=connection_id, external_id__in=ids).delete()[0]
        for external_id in ids:
            if ContactSync.objects.filter(connection=connection_id, external_id=external_id).exists():
                continue
            # A contact has one link with a connection: further records hang on tombstones of their own.
            holder = person.id if connection_id not in taken else tombstone()
            taken.add(connection_id)
            ContactSync.objects.create(
                contact_id=holder,
                connection_id=connection_id,
                external_id=external_id,
                sync_status=states.SKIPPED.sync,
            )
    return count


def outcomes_of(person: Person) -> QuerySet[RunItem]:
    """What runs did with the person, and told of them by their e-mail."""
    named = Q(contact_id__in=person.ids) | about(person, "run__connection")
    for email in person.emails:
        named |= Q(message__icontains=email)
    return RunItem.objects.filter(named)


def questions_of(person: Person) -> QuerySet[ReviewItem]:
    ids = [str(contact_id) for contact_id in person.ids]
    named = Q(contact_id__in=person.ids) | Q(field__in=ids) | about(person)
    for contact_id in ids:
        named |= Q(candidates__contains=[contact_id])
    return ReviewItem.objects.filter(named)


def questions(person: Person) -> int:
    """Open questions about somebody else's record lose one candidate, as long as two remain; all others go."""
    ids = {str(contact_id) for contact_id in person.ids}
    own = set(questions_of(person).filter(about(person)).values_list("pk", flat=True))
    count = 0
    for item in questions_of(person):
        rest = [candidate for candidate in item.candidates if candidate not in ids]
        if item.pk in own or item.decided_at is not None or len(rest) < 2:
            item.delete()
        else:
            item.candidates = rest
            item.ours = {name: value for name, value in (item.ours or {}).items() if name not in ids}
            item.save(update_fields=["candidates", "ours"])
        count += 1
    return count


def webhooks_of(person: Person) -> QuerySet[InboundEvent]:
    """Events about one of the person's records, or whose body has an e-mail or a phone of theirs, however written."""
    named = Q(pk__in=[])
    for connection_id, ids in person.records.items():
        for external_id in ids:
            named |= Q(connection=connection_id, entities__contains=[["contacts", external_id]])
    events = InboundEvent.objects.alias(
        text=RawSQL("lower(encode(body, 'escape'))", ()),
        digits=RawSQL("regexp_replace(encode(body, 'escape'), '[^0-9]', '', 'g')", ()),
    )
    for email in person.emails:
        named |= Q(text__contains=email.lower()) | Q(text__contains=quote(email, safe="").lower())
    for phone in person.phones:
        digits = "".join(filter(str.isdecimal, phone))[-_DIGITS_TELLING:]
        if len(digits) == _DIGITS_TELLING:
            named |= Q(digits__contains=digits)
    return events.filter(named)


def webhooks(person: Person) -> int:
    """Bodies are emptied; what still waits is deleted: the sweep of changes finds what else it told of."""
    pks = list(webhooks_of(person).values_list("pk", flat=True))
    found = InboundEvent.objects.filter(pk__in=pks)
    found.filter(status=EventStatus.NEW).delete()
    found.update(body=b"", digest=b"", entities=[], message="")
    return len(pks)


def plans_of(person: Person) -> QuerySet[Plan]:
    ends = {*person.records, *person.strays}
    return Plan.objects.filter(Q(route__source__in=ends) | Q(route__destination__in=ends))


def plans(person: Person) -> int:
    """The person's records are taken out of what was planned."""
    count = 0
    for plan in plans_of(person).select_related("route"):
        before = sum(len(leg["records"]) for leg in plan.legs)
        for leg in plan.legs:
            start = plan.route.destination_id if leg["reverse"] else plan.route.source_id
            ids = {*person.records.get(start, ()), *person.strays.get(start, ())}
            leg["records"] = {number: steps for number, steps in leg["records"].items() if number not in ids}
        taken = before - sum(len(leg["records"]) for leg in plan.legs)
        if taken:
            plan.save(update_fields=["legs"])
            count += taken
    return count


def log_of(person: Person) -> QuerySet[LogEntry]:
    """What the admin wrote down about the contact's pages."""
    named = Q(content_type__app_label=Contact._meta.app_label, content_type__model="contact")
    return LogEntry.objects.filter(named, object_id__in=[str(contact_id) for contact_id in person.ids])


def log(person: Person) -> int:
    return log_of(person).update(object_repr=str(person.id), change_message="")
