"""The records of a person in the connected systems: deleted where a program may, named where people must do it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from connectors import services as connections
from connectors.core import registry
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import CONTACTS, Change, Op, Outcome
from connectors.models import Connection
from syncjobs.models import ContactSync
from syncjobs.people.finding import Person

DELETED, BY_HAND, LEFT, FAILED = "deleted", "by_hand", "left", "failed"


def delete(person: Person, *, everywhere: bool) -> list[dict[str, Any]]:
    """What became of each record: {"connection", "record", "outcome", "message"}. No values of theirs.

    Without `everywhere` no system is asked for anything.
    """
    told: list[dict[str, Any]] = []
    for connection in Connection.objects.filter(pk__in={*person.records, *person.strays}).order_by("key"):
        gone = set(_gone(person, connection))
        held = dict.fromkeys([*person.records.get(connection.pk, ()), *person.strays.get(connection.pk, ())])
        ids = [record for record in held if record not in gone]
        for record, (outcome, message) in zip(ids, _outcomes(connection, ids, everywhere), strict=True):
            told.append({"connection": connection.key, "record": record, "outcome": outcome, "message": message})
    return told


def deleted(told: Sequence[dict[str, Any]]) -> Q:
    """A condition on the links whose records were deleted, as `delete` has told."""
    condition = Q(pk__in=[])
    for one in told:
        if one["outcome"] == DELETED:
            condition |= Q(connection__key=one["connection"], external_id=one["record"])
    return condition


def _gone(person: Person, connection: Connection) -> list[str]:
    links = ContactSync.objects.filter(contact__in=person.ids, connection=connection, gone_at__isnull=False)
    return list(links.values_list("external_id", flat=True))


def _outcomes(connection: Connection, ids: Sequence[str], everywhere: bool) -> list[tuple[str, str]]:
    refusal = _refusal(connection, everywhere)
    if refusal is not None:
        return [refusal] * len(ids)
    try:
        return list(_deleted(connection, ids)) if ids else []
    except ApiError as e:
        return [(FAILED, e.message)] * len(ids)


def _refusal(connection: Connection, everywhere: bool) -> tuple[str, str] | None:
    """Why nothing is deleted there, None where something can be."""
    if not everywhere:
        return LEFT, _("It was not asked for that the record is deleted there, too.")
    if connection.connector not in registry.all_connectors():
        return BY_HAND, _("Its connector is not installed: delete the record there by hand.")
    system = {"crm": connection}
    if not connection.spec.entities[CONTACTS].delete:
        return BY_HAND, _("%(crm)s lets no program delete contacts: delete the record there by hand.") % system
    if not connection.enabled:
        return BY_HAND, _("%(crm)s is disabled here: delete the record there by hand.") % system
    return None


def _deleted(connection: Connection, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Raises ApiError for what concerns all of them."""
    links = ContactSync.objects.filter(connection=connection, external_id__in=ids)
    versions = dict(links.values_list("external_id", "external_version"))
    changes = [
        Change(number, Op.DELETE, {}, external_id=record, version=versions.get(record, ""), idempotency_key=record)
        for number, record in enumerate(ids)
    ]
    connector = connections.open_connector(connection)
    try:
        connector.prepare(CONTACTS, [])
        outcomes = {outcome.ref: outcome for outcome in connector.write(CONTACTS, changes)}
    finally:
        connector.close()
    for change in changes:
        yield _told(outcomes[change.ref])


def _told(outcome: Outcome) -> tuple[str, str]:
    if outcome.ok or (outcome.error is not None and outcome.error.kind is ErrorKind.GONE):
        return DELETED, ""
    return FAILED, outcome.error.message if outcome.error is not None else _("Nobody knows what became of it.")
