"""Everything the hub knows of a person, as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from django.db import models

from connectors.models import Connection
from contacts.models import Contact, ContactChange, ContactPoint, Duplicate, Merge
from syncjobs.models import ContactSync, Stray, SyncSnapshot
from syncjobs.payloads import payload
from syncjobs.people import traces
from syncjobs.people.finding import Person, about
from syncjobs.signals import person_exported

# Keys of matching and of full-text search: made of the values beside them.
_DERIVED = ("search", "name_hash", "identity_hash")


def export(person: Person) -> dict[str, Any]:
    """`contacts` (the contact and those merged into it, with provenance and changes), `systems`, `outcomes`,
    `questions`, `webhooks`, `duplicates` (ids of others that may be the same), `merges`, `log`, each a list.

    Secrets in webhooks are masked. That it was handed out is noted in the audit trail.
    """
    told = {
        "contacts": [_contact(contact) for contact in Contact.objects.defer("search").filter(pk__in=person.ids)],
        "systems": [*_links(person), *_strays(person)],
        "outcomes": _outcomes(person),
        "questions": _rows(traces.questions_of(person).filter(_own(person)), ("id",)),
        "webhooks": _webhooks(person),
        "duplicates": _duplicates(person),
        "merges": _rows(Merge.objects.filter(kept__in=person.ids), ("details",)),
        "log": _rows(traces.log_of(person), ("content_type", "user")),
    }
    person_exported.send(Contact, contact_id=person.id)
    return told


def as_json(told: dict[str, Any]) -> bytes:
    return orjson.dumps(told, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def _own(person: Person) -> models.Q:
    """Questions about the person; where they are only a candidate, the question is about somebody else."""
    ids = [str(contact_id) for contact_id in person.ids]
    return models.Q(contact_id__in=person.ids) | models.Q(field__in=ids) | about(person)


def _contact(contact: Contact) -> dict[str, Any]:
    points = ContactPoint.objects.filter(contact=contact)
    return {
        **_columns(contact, _DERIVED),
        "points": _rows(points, ("id", "contact")),
        "changes": _rows(ContactChange.objects.filter(contact=contact), ("id", "contact")),
    }


def _links(person: Person) -> list[dict[str, Any]]:
    links = list(ContactSync.objects.filter(contact__in=person.ids).select_related("connection"))
    snapshots = dict(SyncSnapshot.objects.filter(link__in=links).values_list("link_id", "values"))
    return [
        {
            "connection": link.connection.key,
            "system": link.connection.connector,
            "record": link.external_id,
            "reference": link.external_ref,
            "status": link.sync_status,
            "message": link.processing_error,
            "linked_at": link.created_at,
            "synced_at": link.synced_at,
            "deleted_there_at": link.gone_at,
            "values": snapshots.get(link.pk, {}),
        }
        for link in links
    ]


def _strays(person: Person) -> list[dict[str, Any]]:
    """Records that a pull has met and linked with nobody."""
    found = []
    for connection in Connection.objects.filter(pk__in=person.strays):
        for stray in Stray.objects.filter(connection=connection, external_id__in=person.strays[connection.pk]):
            named = {"connection": connection.key, "system": connection.connector, "record": stray.external_id}
            found.append({**named, "status": "unlinked", "values": stray.values})
    return found


def _outcomes(person: Person) -> list[dict[str, Any]]:
    items = traces.outcomes_of(person).select_related("run__connection").order_by("id")
    return [
        {
            "at": item.at,
            "run": item.run_id,
            "kind": item.run.kind,
            "connection": item.run.connection.key,
            "record": item.external_id,
            "action": item.action,
            "message": item.message,
            "changes": item.changes or {},
        }
        for item in items
    ]


def _webhooks(person: Person) -> list[dict[str, Any]]:
    told = []
    for event in traces.webhooks_of(person).select_related("connection").order_by("id"):
        shown = payload(event, masked=False)
        body: Any = dict(shown.rows) if shown.rows else shown.text
        received = {"connection": event.connection.key, "received_at": event.received_at, "event": event.event_type}
        told.append({**received, "body": body})
    return told


def _duplicates(person: Person) -> list[dict[str, Any]]:
    pairs = Duplicate.objects.filter(models.Q(first__in=person.ids) | models.Q(second__in=person.ids))
    return _rows(pairs, ("id",))


def _rows(rows: models.QuerySet[Any], left_out: Sequence[str] = ()) -> list[dict[str, Any]]:
    return [_columns(row, left_out) for row in rows]


def _columns(row: models.Model, left_out: Sequence[str] = ()) -> dict[str, Any]:
    shown = [field for field in row._meta.concrete_fields if field.name not in left_out]
    return {field.name: getattr(row, field.attname) for field in shown}
