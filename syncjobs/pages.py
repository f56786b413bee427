"""Plans a page of due links with a constant number of statements and look-ups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database

from connectors.core.base import Connector
from connectors.core.types import (
    CONTACTS,
    MatchKey,
    MultiValue,
    Prepared,
    ReadMode,
    ReadQuery,
    RemoteRecord,
)
from connectors.models import Connection
from syncjobs import plandeletions, queue, reviews, routes, strays
from syncjobs.models import ContactSync, ReviewItem
from syncjobs.plan import Planner
from syncjobs.planitems import Decision, Known, PlanItem
from syncjobs.queue import DueLink
from syncjobs.references import reference_of
from syncjobs.rules import PushRules

# Pages smaller than this would spend their time on statements, larger ones would hold too much at once.
SMALLEST_PAGE = 1000


class PagePlanner:
    """Knows a connection's rules and what its account can take. Raises ApiError when the account refuses us."""

    def __init__(self, connection: Connection, connector: Connector, *, dry_run: bool = False) -> None:
        self.connection, self.connector = connection, connector
        rules = list(connection.rules.filter(entity=CONTACTS))
        unkept = [r for r in rules if not r.can_be_kept(connection, r.direction, r.mode)]
        rules = [rule for rule in rules if rule not in unkept]
        wanted = [rule.theirs for rule in rules if rule.direction != "pull"]
        if dry_run:
            prepared = Prepared({f.key: f for f in connector.describe(CONTACTS)})
        else:
            prepared = connector.prepare(CONTACTS, wanted)
        # Before the first real push our own fields may not be there yet: a dry run must not leave them out.
        self.rules = PushRules(rules, prepared.fields, region=settings.PHONE_REGION, lenient=dry_run)
        left_out = [f"{connection.spec.label} has no field {name} that can be written." for name in self.rules.left_out]
        self.warnings = (*(prepared.warnings or left_out), *(f"{rule}: {rule.refusal(connection)}" for rule in unkept))
        looked_at = strays.looked_at(connection)
        self.indexed = strays.indexed(connection) if looked_at else strays.fresh(connection)
        self._asked, self._decided = reviews.has_open(connection), reviews.has_unused(connection)
        reference = reference_of(connection) if self.indexed else None
        self.planner = Planner(
            connection.spec,
            self.rules,
            indexed=self.indexed,
            reference=reference.theirs if reference else "",
            match_order=reference.match_order(connection.spec) if reference else None,
            recreate=routes.terms_of(connection).recreate,
            shares=looked_at and self.indexed,
        )
        self.page_size = max(connection.claim_size, SMALLEST_PAGE)

    def plan(self, links: Sequence[DueLink]) -> list[PlanItem]:
        """A decision for every link, in their order."""
        if self.rules.needs_points or self.indexed:
            _load_points(links)
        contact_ids = [link.contact.id for link in links]
        held = reviews.held_fields(self.connection, contact_ids) if self._asked else {}
        said = reviews.said_of_contacts(self.connection, contact_ids) if self._decided else {}
        agreed: dict[int, dict[str, Any]] = {}
        if self.rules.yielding or held:
            agreed = queue.snapshots([link.id for link in links if link.external_id])
        items = [
            self.planner.first_look(link, agreed.get(link.id, {}), held.get(link.contact.id, frozenset()))
            for link in links
        ]
        items = self._settle_deletions(items, said)
        writes = [item for item in items if item.mapped is not None]
        if not writes:
            return items
        candidates = self._find(writes)
        snapshots = agreed or queue.snapshots([i.link.id for i in writes if i.decision is Decision.UPDATE])
        known = Known(
            twins=queue.twins(self.connection, [item.link for item in writes]),
            snapshots=snapshots,
            candidates=candidates,
            owners=self._owners(candidates),
            claimants=self._claimants(candidates),
            read=self._read(self.planner.ids_to_read(writes, snapshots, candidates)),
            said=said,
            disputed=reviews.disputed(self.connection, contact_ids) if self._asked or self._decided else frozenset(),
            apart=reviews.people_apart(contact_ids),
        )
        settled = [self.planner.settle(item, known) if item.mapped is not None else item for item in items]
        return self.planner.without_doubles(settled)

    def _settle_deletions(self, items: list[PlanItem], said: Mapping[UUID, Sequence[ReviewItem]]) -> list[PlanItem]:
        """The items with the details of those that delete."""
        deleting = [item for item in items if item.decision is Decision.DELETE]
        if not deleting:
            return items
        for item in deleting:
            words = [word for word in said.get(item.link.contact.id, ()) if (word.decision or {}).get("delete")]
            item.decided = next((word.pk for word in words if word.external_id == item.external_id), None)
        settled = plandeletions.settle(deleting, self.connection, self.connector, self.rules)
        by_link = {item.link.id: item for item in settled}
        return [by_link.get(item.link.id, item) for item in items]

    def _find(self, writes: Sequence[PlanItem]) -> dict[MatchKey, list[RemoteRecord]]:
        keys = self.planner.keys_to_find(writes)
        if not keys:
            return {}
        return strays.find(self.connection, keys) if self.indexed else self.connector.find(CONTACTS, keys)

    def _read(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """These records as they are now: what a rule yields to must not be taken from an old snapshot."""
        if not ids:
            return {}
        query = ReadQuery(CONTACTS, ReadMode.IDS, ids=ids, fields=sorted(self.rules.yielding))
        return {record.id: record.values for page in self.connector.read(query) for record in page.records}

    def _claimants(
        self, candidates: Mapping[MatchKey, Sequence[RemoteRecord]]
    ) -> Mapping[str, Sequence[strays.Claimant]]:
        phones = [key.value for key, records in candidates.items() if key.name == "phone" and records]
        return strays.claimants(self.connection, phones) if self.indexed else {}

    def _owners(self, candidates: Mapping[MatchKey, Sequence[RemoteRecord]]) -> dict[str, int]:
        ids = {record.id for records in candidates.values() for record in records}
        if not ids:
            return {}
        owned = ContactSync.objects.filter(connection=self.connection, external_id__in=ids)
        return dict(owned.values_list("external_id", "id"))


def _load_points(links: Sequence[DueLink]) -> None:
    """Gives every link's contact all its e-mails and phones: one statement."""
    by_id = {link.contact.id: link.contact for link in links}
    emails: dict[Any, list[MultiValue]] = {}
    phones: dict[Any, list[MultiValue]] = {}
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT contact_id, kind, value, label, is_primary FROM contacts_contactpoint "
            "WHERE contact_id = ANY(%s) ORDER BY is_primary DESC, position, id",
            [list(by_id)],
        )
        for contact_id, kind, value, label, primary in cursor.fetchall():
            into = emails if kind == "email" else phones
            into.setdefault(contact_id, []).append(MultiValue(value, label, primary))
    for contact_id, contact in by_id.items():
        contact.emails, contact.phones = emails.get(contact_id, ()), phones.get(contact_id, ())
