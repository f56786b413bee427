"""Who somebody is in the hub: the contact, what was merged into it, and all it can be told by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from contacts.matching import names_agree
from contacts.models import Contact, ContactPoint, Merge
from contacts.normalize import Invalid, normalize_email
from contacts.text import name_key
from syncjobs.errors import Refused
from syncjobs.models import ContactSync, Stray, StrayKey


@dataclass(frozen=True, slots=True)
class Person:
    """`id` is the contact; `ids` has it and those that were merged into it. `records` are remote ids by connection.

    Of `strays`, records that the hub knows without having linked them, the ids by connection.
    """

    id: UUID
    ids: Sequence[UUID]
    names: Sequence[str]
    emails: Sequence[str]
    phones: Sequence[str]
    records: dict[int, list[str]]
    strays: dict[int, list[str]]


def find(asked: str) -> Person:
    """The person of a contact's id or e-mail. Raises Refused (404), and (409) where several have the e-mail."""
    try:
        return of_contact(UUID(asked))
    except ValueError:
        return of_contact(_by_email(asked))


def of_contact(contact_id: UUID) -> Person:
    """Deleted contacts count, too: what is known of them is known. Raises Refused (404)."""
    ids = _family(contact_id)
    contacts = list(Contact.objects.defer("search").filter(pk__in=ids))
    if not contacts:
        raise Refused(_("Contact not found"), "contact_not_found", 404)
    points = list(ContactPoint.objects.filter(contact__in=ids))
    emails = sorted({p.value for p in points if p.kind == "email"} | {c.email for c in contacts if c.email})
    phones = sorted({p.value for p in points if p.kind == "phone"} | {c.phone for c in contacts if c.phone})
    names = sorted({name_key(c.first_name, c.last_name, c.middle_name) for c in contacts} - {""})
    return Person(ids[0], ids, names, emails, phones, _records(ids), _strays(names, emails, phones))


def _by_email(text: str) -> UUID:
    try:
        email = normalize_email(text)
    except Invalid:
        raise Refused(_("This is neither a contact's id nor an e-mail."), "not_a_person") from None
    holders = Contact.objects.filter(points__kind="email", points__value=email).order_by("pk")
    living = [contact.pk for contact in holders if contact.deleted_at is None]
    found = living or [contact.pk for contact in holders]
    if not found:
        raise Refused(_("Contact not found"), "contact_not_found", 404)
    if len(found) > 1:
        ids = ", ".join(map(str, found))
        raise Refused(
            _("Several contacts have this e-mail, name one by its id: %(ids)s") % {"ids": ids}, "several", 409
        )
    return found[0]


def _family(contact_id: UUID) -> list[UUID]:
    """The contact that was kept in the end, then all that were merged into it."""
    merges = Merge.objects.filter(parted_at=None)
    kept = contact_id
    seen = {kept}
    while (into := merges.filter(gone=kept).values_list("kept", flat=True).first()) is not None and into not in seen:
        kept = into
        seen.add(kept)
    found = [kept]
    for one in found:
        gone = merges.filter(kept=one).values_list("gone", flat=True)
        found += [other for other in gone if other not in found]
    return found


def _records(ids: Sequence[UUID]) -> dict[int, list[str]]:
    records: dict[int, list[str]] = defaultdict(list)
    links = ContactSync.objects.filter(contact__in=ids).exclude(external_id="")
    for connection_id, external_id in links.values_list("connection_id", "external_id"):
        records[connection_id].append(external_id)
    return dict(records)


def _strays(names: Sequence[str], emails: Sequence[str], phones: Sequence[str]) -> dict[int, list[str]]:
    """Those that have an e-mail of the person and no other name, or a phone of theirs and the same name."""
    keys = {f"email:{email}"[:300] for email in emails} | {f"phone:{phone}"[:300] for phone in phones}
    found: dict[int, list[str]] = defaultdict(list)
    for held in StrayKey.objects.filter(key__in=keys):
        stray = Stray.objects.filter(connection=held.connection_id, external_id=held.external_id).first()
        if stray is not None and stray.external_id not in found[held.connection_id]:
            by_email = held.key.startswith("email:") and any(names_agree(stray.name, name) for name in names or [""])
            if by_email or stray.name in names:
                found[held.connection_id].append(stray.external_id)
    return {connection_id: ids for connection_id, ids in found.items() if ids}


def about(person: Person, connection: str = "connection", record: str = "external_id") -> Q:
    """A condition on rows that name one of the person's remote records."""
    condition = Q(pk__in=[])
    for held in (person.records, person.strays):
        for connection_id, ids in held.items():
            condition |= Q(**{connection: connection_id, f"{record}__in": ids})
    return condition
