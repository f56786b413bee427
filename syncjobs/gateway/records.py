"""Single records and pages of them, as the remote system shows them, and changes to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from connectors.core.base import Connector
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Change, MultiValue, Op, Outcome, ReadMode, ReadQuery, RemoteRecord
from connectors.models import Connection
from syncjobs.errors import Refused
from syncjobs.gateway import fields
from syncjobs.gateway.access import capabilities, opened
from syncjobs.gateway.validation import problems

_LOST = (ErrorKind.TRANSIENT, ErrorKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of records as they came; pages count from 1."""

    records: Sequence[Mapping[str, Any]]
    page: int
    limit: int
    has_next: bool


def list_records(connection: Connection, entity: str, *, page: int = 1, limit: int = 50, query: str = "") -> Listing:
    """One page of all records, or of those that the remote system finds by the words of `query`. Raises Refused."""
    can = capabilities(connection, entity)
    if not can.paged or (query and not can.search):
        sentence = _("%(crm)s cannot list this entity page by page.") % {"crm": connection.spec.label}
        raise Refused(sentence, "not_supported")
    limit = min(limit, can.page_size)
    with opened(connection) as connector:
        asked = ReadQuery(entity=entity, mode=ReadMode.PAGE, page=page, limit=limit, query=query)
        found = next(iter(connector.read(asked)))
    return Listing([record.raw for record in found.records], page, limit, not found.last)


def get_record(connection: Connection, entity: str, record_id: str) -> Mapping[str, Any]:
    """Raises Refused, 404 for a record that never was, was deleted or merged."""
    capabilities(connection, entity)
    with opened(connection) as connector:
        return _one(connector, entity, record_id).raw


def update_record(connection: Connection, entity: str, record_id: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Writes the values of `body`, spelled as the remote system does, and answers the record as it then is.

    Raises Refused: 404 for a record that is gone, 400 that names the field and what it takes, before anything is sent.
    """
    if not capabilities(connection, entity).write:
        sentence = _("%(crm)s does not take changes of this entity.") % {"crm": connection.spec.label}
        raise Refused(sentence, "not_supported")
    if not body:
        raise Refused(_("There is nothing to change: give at least one field."), "invalid")
    with opened(connection) as connector:
        record = _one(connector, entity, record_id)
        values = connector.values_of(entity, body)
        _refuse_wrong(connection, connector, entity, values, record)
        before = {name: value for name, value in record.values.items() if name in values and _is_list(value)}
        _write(connector, entity, Change(1, Op.UPDATE, values, external_id=record.id, before=before))
        return _one(connector, entity, record_id).raw


def _one(connector: Connector, entity: str, record_id: str) -> RemoteRecord:
    pages = connector.read(ReadQuery(entity=entity, mode=ReadMode.IDS, ids=[record_id]))
    found = [record for page in pages for record in page.records]
    if not found:
        raise Refused(_("There is no such record."), "record_not_found", 404)
    return found[0]


def _refuse_wrong(
    connection: Connection, connector: Connector, entity: str, values: Mapping[str, Any], record: RemoteRecord
) -> None:
    """By the stored catalogue; before it refuses what the account may know by now, it is read again. Raises Refused."""
    held = fields.stored(connection, entity) or fields.read_now(connection, connector, entity)
    found = problems(values, held.fields, record.values)
    if found and held.is_old:
        found = problems(values, fields.read_now(connection, connector, entity).fields, record.values)
    if found:
        name, sentences = next(iter(found.items()))
        raise Refused(f"{name}: {sentences[0]}", "invalid", fields=found)


def _write(connector: Connector, entity: str, change: Change) -> None:
    """Raises ApiError. An update whose answer was lost is sent once more: the same values twice do no harm."""
    outcome = _outcome(connector, entity, change)
    if outcome.error is not None and outcome.error.kind in _LOST:
        outcome = _outcome(connector, entity, change)
    if outcome.error is not None:
        raise outcome.error


def _outcome(connector: Connector, entity: str, change: Change) -> Outcome:
    for outcome in list(connector.write(entity, [change])):
        return outcome
    raise ApiError(ErrorKind.BUG, "The connector gave no outcome for this contact.")


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, MultiValue) for item in value)
