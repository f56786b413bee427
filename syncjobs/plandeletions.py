"""Plans the records that are to be deleted, because another end of a route has lost its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from connectors.core.base import Connector
from connectors.core.types import CONTACTS, Capabilities, Change, Op, ReadMode, ReadQuery
from connectors.models import Connection
from syncjobs import queue
from syncjobs.models import ContactSync
from syncjobs.planitems import Decision, PlanItem, asking
from syncjobs.pulling.agreement import Agreement
from syncjobs.pulling.rules import PullRules
from syncjobs.questions import Question, deletion
from syncjobs.queue import DueLink
from syncjobs.rules import PushRules, same

DELETED_ELSEWHERE = "It was deleted at the other end of the route."


def first_look(link: DueLink, system: str, capabilities: Capabilities) -> PlanItem:
    """A deletion, a question where the contact has changed since, or a sentence where the system deletes nothing."""
    if not capabilities.delete:
        sentence = f"{DELETED_ELSEWHERE} {system} lets no program delete contacts: delete it there by hand."
        return PlanItem(link, Decision.SKIP, sentence)
    if link.contact.version != link.delete_version:
        return asking(link, _question(link, system, "the contact was edited since"))
    return PlanItem(link, Decision.DELETE, DELETED_ELSEWHERE, external_id=link.external_id)


def settle(items: Sequence[PlanItem], connection: Connection, connector: Connector, push: PushRules) -> list[PlanItem]:
    """The items with their changes; those whose record was edited there since become questions.

    Where a person has decided, the record goes whatever it holds. Two statements, and the requests that read the rest.
    """
    doubtful = [item.link for item in items if item.decided is None]
    edited = _edited(doubtful, connection, connector, push) if connector.capabilities(CONTACTS).read else frozenset()
    system = connection.spec.label
    return [
        asking(item.link, _question(item.link, system, "the record was edited since"))
        if item.link.id in edited
        else _with_change(item)
        for item in items
    ]


def _with_change(item: PlanItem) -> PlanItem:
    link = item.link
    item.change = Change(
        ref=link.id,
        op=Op.DELETE,
        values={},
        external_id=link.external_id,
        version=link.external_version,
        idempotency_key=str(link.id),
    )
    return item


def _edited(links: Sequence[DueLink], connection: Connection, connector: Connector, push: PushRules) -> frozenset[int]:
    """The links whose records are not as the hub has seen or made them last."""
    if not links:
        return frozenset()
    known = {spec.key: spec for spec in connector.describe(CONTACTS)}
    rules = PullRules(connection.rules.filter(entity=CONTACTS), known, settings.PHONE_REGION)
    agreement = Agreement(rules, None)
    seen = dict(ContactSync.objects.filter(pk__in=[link.id for link in links]).values_list("pk", "seen_hash"))
    snapshots = queue.snapshots([link.id for link in links])
    by_record = {link.external_id: link for link in links}
    edited = set()
    query = ReadQuery(CONTACTS, ReadMode.IDS, ids=list(by_record), fields=rules.watched)
    for page in connector.read(query):
        for record in page.records:
            link = by_record.get(record.id)
            if link is None:
                continue
            digest = seen.get(link.id)
            if digest is not None and bytes(digest) == rules.digest(record.values):
                continue
            now = agreement.snapshot(rules.read(record.values), record.values)
            if not _alike(snapshots.get(link.id, {}), now, push.kept_fields):
                edited.add(link.id)
    return frozenset(edited)


def _alike(agreed: Mapping[str, Any], now: Mapping[str, Any], names: frozenset[str]) -> bool:
    return all(same(agreed.get(name), now.get(name)) for name in names)


def _question(link: DueLink, system: str, why: str) -> Question:
    message = f"It was deleted at the other end of the route, but {why}: delete the record in {system}, too?"
    return deletion(link.external_id, link.contact.id, message)
