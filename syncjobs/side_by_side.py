"""A contact's values as the hub has them, beside what every connected system holds of the same fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors import services as connections
from connectors.core.types import CONTACTS, ReadMode, ReadQuery
from connectors.models import Connection, FieldRule
from contacts import store
from contacts.models import Contact
from syncjobs.models import ContactSync, SyncSnapshot
from syncjobs.plan_lines import text_of
from syncjobs.pulling.agreement import source_contact
from syncjobs.rules import EMPTY, jsonable, same
from syncjobs.sourcefields import SourceContact, getter, label_of
from syncjobs.transforms import TRANSFORMS


@dataclass(frozen=True, slots=True)
class Cell:
    """What one system holds, and whether that differs from what the field rule makes of ours."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One field of the hub; `cells` are in the order of the table's connections, None without a rule for the field."""

    label: str
    ours: str
    cells: Sequence[Cell | None]


@dataclass(frozen=True, slots=True)
class Table:
    connections: Sequence[Connection]
    lines: Sequence[Line]


def table(contact: Contact, links: Sequence[ContactSync], live: Mapping[int, Mapping[str, Any]]) -> Table:
    """Of the linked connections about which something is known. Four statements.

    What a system holds is what was last agreed on, or, by connection id, the record in `live`.
    """
    snapshots = dict(SyncSnapshot.objects.filter(link__in=links).values_list("link_id", "values"))
    held = {link.connection_id: live.get(link.connection_id, snapshots.get(link.pk)) for link in links}
    known = {pk: values for pk, values in held.items() if values is not None}
    shown = connections.usable(Connection.objects.defer("secrets").filter(pk__in=known))
    stored = store.load([contact.pk]).get(contact.pk)
    if not shown or stored is None:
        return Table([], [])
    rules = _rules(shown)
    ours = source_contact(contact.pk, stored.record)
    cells = {c.pk: {rule.ours: _cell(rule, ours, known[c.pk]) for rule in rules[c.pk]} for c in shown}
    names = dict.fromkeys(rule.ours for one in shown for rule in rules[one.pk])
    lines = [Line(label_of(n), text_of(jsonable(getter(n)(ours))), [cells[c.pk].get(n) for c in shown]) for n in names]
    return Table(shown, lines)


def live_values(connection: Connection, external_id: str) -> Mapping[str, Any] | None:
    """What the system holds at this moment; None when it has no such record. Raises ApiError."""
    connector = connections.open_connector(connection)
    try:
        query = ReadQuery(CONTACTS, ReadMode.IDS, ids=[external_id])
        records = [record for page in connector.read(query) for record in page.records]
    finally:
        connector.close()
    return records[0].values if records else None


def _rules(shown: Sequence[Connection]) -> dict[int, list[FieldRule]]:
    """By connection, the first rule of each field, in their order."""
    found: dict[int, dict[str, FieldRule]] = {connection.pk: {} for connection in shown}
    for rule in FieldRule.objects.filter(connection__in=shown, entity=CONTACTS):
        found[rule.connection_id].setdefault(rule.ours, rule)
    return {pk: list(rules.values()) for pk, rules in found.items()}


def _cell(rule: FieldRule, contact: SourceContact, held: Mapping[str, Any]) -> Cell:
    ours, theirs = getter(rule.ours)(contact), jsonable(held.get(rule.theirs))
    if rule.transform in TRANSFORMS and ours not in EMPTY:
        ours = TRANSFORMS[rule.transform](ours)
    return Cell(text_of(None if theirs in EMPTY else theirs), not same(jsonable(ours), theirs))
