"""Erases a person from the hub and, when asked to, from the connected systems.

What stays: the contact's id on a row that holds nothing else, and links from it to the ids of their records. A pull
that meets such a record leaves it out, so that it does not bring the person back. A record with another id is a new
person to the hub, and so is every record of a connection whose account was replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from contacts import erasing
from contacts.models import Contact
from contacts.services import delete_many
from syncjobs.errors import Refused
from syncjobs.mirror.names import schema_of, table_of
from syncjobs.models import ContactSync, MirrorEntity
from syncjobs.people import records, traces
from syncjobs.people.finding import Person, of_contact
from syncjobs.signals import person_erased
from syncjobs.states import SyncStatus


def erase(person: Person, *, by: str, everywhere: bool = False) -> dict[str, Any]:
    """Erases the person and answers the report, which is kept in the audit trail. May be repeated.

    The report: `contact`, `contacts` (ids of those merged into it as well), `everywhere`, `records` (what became of
    each remote record, see records.delete), `hub` (rows by kind), `by_hand` (sentences about what people must do).
    Beyond ids it tells nothing of the person. Raises Refused (409) while the contact is being sent.
    """
    with transaction.atomic():
        _hold(person)
        delete_many(person.ids, source=by)
    # The systems are asked outside a transaction: their answers take time, and are not taken back with it.
    told = records.delete(person, everywhere=everywhere)
    with transaction.atomic():
        # What has come in meanwhile is found as well.
        person = of_contact(person.id)
        _hold(person)
        report = {
            "contact": str(person.id),
            "contacts": [str(contact_id) for contact_id in person.ids],
            "everywhere": everywhere,
            "records": told,
            "hub": _erase_here(person, by, records.deleted(told)),
            "by_hand": _by_hand(told, person),
        }
        person_erased.send(Contact, contact_id=person.id, report=report)
    return report


def _hold(person: Person) -> None:
    """Keeps pushes from the person's links until the transaction ends. Raises Refused where one has them already."""
    links = ContactSync.objects.select_for_update(of=("self",)).filter(contact__in=person.ids).order_by("pk")
    if any(link.sync_status == SyncStatus.PROCESSING for link in links):
        raise Refused(_("The contact is being sent at this moment: try again in a minute."), "being_sent", 409)


def _erase_here(person: Person, by: str, deleted: Q) -> dict[str, int]:
    counts = {
        "outcomes": traces.outcomes_of(person).delete()[0],
        "questions": traces.questions(person),
        "webhooks": traces.webhooks(person),
        "plans": traces.plans(person),
        "log": traces.log(person),
        "links": traces.links(person, deleted),
        "strays": traces.strays(person),
    }
    return counts | erasing.erase(person.ids, source=by)


def _by_hand(told: Sequence[dict[str, Any]], person: Person) -> list[str]:
    sentences = [f"{one['connection']} {one['record']}: {one['message']}" for one in told if one["message"]]
    mirrors = MirrorEntity.objects.filter(connection__in=[*person.records, *person.strays]).select_related("connection")
    tables = sorted(f"{schema_of(one.connection.key)}.{table_of(one.entity)}" for one in mirrors)
    if tables:
        text = _("Mirrored tables follow their system and were not touched: %(tables)s.")
        sentences.append(text % {"tables": ", ".join(tables)})
    return sentences
