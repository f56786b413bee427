"""Decides what a run does with each due link. Pure: no database, no network, no clock.

A dry run stops here; applying sends the very same decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.core.types import CONTACTS, Capabilities, Change, ConnectorSpec, MatchKey, Op, RemoteRecord
from syncjobs import plandeletions, questions
from syncjobs.choosing import choose, decided, shares_email
from syncjobs.planitems import Decision, Known, PlanItem, asking, failure
from syncjobs.queue import DueLink
from syncjobs.rules import NOTHING, Mapped, PushRules, difference, jsonable, same
from syncjobs.strays import REFERENCE
from syncjobs.withholding import held_in, kept_back, withheld

NO_EMAIL = "Contact does not have email address"


class Planner:
    """Plans links of one connection by its rules.

    `indexed`: their records without a contact are known here, so that every key of a contact can be looked up: what
    their field `reference` holds, and those of `match_order`. `recreate`: a record that was deleted there is made anew.
    `shares`: people with one e-mail may be different people there, as where contacts only ever come from a source.
    """

    def __init__(
        self,
        spec: ConnectorSpec,
        rules: PushRules,
        *,
        indexed: bool = False,
        reference: str = "",
        match_order: Sequence[str] | None = None,
        recreate: bool = False,
        shares: bool = False,
    ) -> None:
        self.spec, self.rules = spec, rules
        self.indexed, self._reference, self._recreate = indexed, reference, recreate
        self._shares = shares
        self._match_order = spec.match_order if match_order is None else match_order
        self.capabilities: Capabilities = spec.entities[CONTACTS]
        self._shared_names: dict[tuple[str, ...], tuple[str, ...]] = {}

    def first_look(
        self, link: DueLink, agreed: Mapping[str, Any] = NOTHING, in_question: frozenset[str] = frozenset()
    ) -> PlanItem:
        """What the link and its contact alone tell: refused, unchanged, or a write whose details are still open.

        `agreed` is its snapshot, needed only where rules yield to what their record holds, or where fields of the
        contact are `in_question`, so that they are not sent.
        """
        if link.contact.deleted:
            return PlanItem(link, Decision.SKIP, "The contact was deleted from the hub.")
        if link.gone and not self._recreate:
            return PlanItem(link, Decision.SKIP, f"The record was deleted in {self.spec.label}.")
        if link.delete_version is not None and link.external_id:
            return plandeletions.first_look(link, self.spec.label, self.capabilities)
        missing = next((name for name in self.spec.needs if not link.contact.get(name)), None)
        if missing is not None:
            reason = NO_EMAIL if missing == "email" else f"Contact does not have {missing}"
            return failure(link, reason)
        names = withheld(self.rules, in_question)
        mapped = kept_back(self.rules.apply(link.contact, NOTHING if link.gone else agreed), names, agreed)
        digest = mapped.digest()
        if link.remote_hash == digest and not link.gone:
            return PlanItem(link, Decision.UNCHANGED, digest=digest)
        decision = Decision.UPDATE if link.external_id and not link.gone else Decision.CREATE
        return PlanItem(link, decision, mapped=mapped, digest=digest, withheld=names)

    def keys_to_find(self, items: Sequence[PlanItem]) -> list[MatchKey]:
        """The keys to look up before creating, where a repeated create, or all of our values, would do harm."""
        if self._upserts_blindly or not (self.indexed or self.capabilities.find_keys):
            return []
        keys = (key for item in items if item.decision is Decision.CREATE for key in self.keys_of(item))
        return list(dict.fromkeys(keys))

    @property
    def _upserts_blindly(self) -> bool:
        """Whether one request creates or updates, and it does not matter which."""
        return bool(self.capabilities.upsert_key) and not self.rules.selective

    def ids_to_read(
        self,
        items: Sequence[PlanItem],
        snapshots: Mapping[int, Mapping[str, Any]],
        candidates: Mapping[MatchKey, Sequence[RemoteRecord]],
    ) -> list[str]:
        """The records that would be sent a value which depends on theirs: a snapshot may be older than they are."""
        offering = [item for item in items if item.mapped is not None and item.mapped.offered]
        ids = [
            item.link.external_id
            for item in offering
            if item.decision is Decision.UPDATE and _sends_offer(item, snapshots.get(item.link.id, NOTHING))
        ]
        fresh = [item for item in offering if item.decision is Decision.CREATE]
        ids += [record.id for item in fresh for key in self.keys_of(item) for record in candidates.get(key, ())]
        return list(dict.fromkeys(ids))

    def keys_of(self, item: PlanItem) -> list[MatchKey]:
        """What the contact's record would be found by, the surest first."""
        if not self.indexed:
            key = self.match_key(item.link)
            return [key] if key is not None else []
        contact = item.link.contact
        refers_to = _mapped(item).kept.get(self._reference)
        keys = [MatchKey(REFERENCE, str(refers_to))] if refers_to else []
        points = {"email": contact.emails, "phone": contact.phones}
        return keys + [MatchKey(name, p.value) for name in self._match_order for p in points.get(name, ())]

    def match_key(self, link: DueLink) -> MatchKey | None:
        """The first key of the connector's match order that the contact has."""
        for name in self.spec.match_order:
            value = str(link.contact.id) if name == "id" else link.contact.get(name) if name in _MATCHABLE else None
            if value and (name in self.capabilities.find_keys or name == self.capabilities.upsert_key):
                return MatchKey(name, value)
        return None

    def settle(self, item: PlanItem, known: Known) -> PlanItem:
        """The final decision about an item that wants a write."""
        if item.decision is Decision.UPDATE:
            link = item.link
            agreed = known.snapshots.get(link.id, {})
            return self._update(item, link.external_id, link.external_version, agreed, known.read.get(link.external_id))
        if item.decision is not Decision.CREATE:
            return item
        if item.link.contact.id in known.disputed:
            sentence = f"A record in {self.spec.label} may be this person's: a question about it waits for an answer."
            return PlanItem(item.link, Decision.SKIP, sentence)
        by_email = "email" in (self.capabilities.upsert_key, *self.spec.match_order[:1])
        apart = item.link.contact.id in known.apart and not self.capabilities.upsert_key
        if item.link.id in known.twins and by_email and not self._shares and not apart:
            return failure(item.link, _TWINS % self.spec.label)
        if self._upserts_blindly:
            return self._create(item, Op.UPSERT, self.match_key(item.link))
        return self._choose(item, known)

    def _choose(self, item: PlanItem, known: Known) -> PlanItem:
        """An existing record, or a new one."""
        keys = self.keys_of(item)
        if not keys and self.capabilities.find_keys:
            return failure(item.link, self._nameless_sentence())
        taken = {record: link for record, link in known.owners.items() if link != item.link.id}
        contact_id = item.link.contact.id
        item.decided, chosen = decided(known.said.get(contact_id, ()), keys, known.candidates, taken)
        if item.decided is None and contact_id not in known.apart:
            chosen = choose(contact_id, keys, known.candidates, taken, known.claimants)
        if chosen.rivals and chosen.key is not None:
            sentence = f"{len(chosen.rivals)} records in {self.spec.label} match by {chosen.key.name}: pick one."
            records = {record.id: record.values for record in chosen.rivals}
            return asking(item.link, questions.rivals(contact_id, sentence, _mapped(item).kept, records))
        if chosen.record is not None:
            return self._link(item, chosen.record, chosen.key, known.read.get(chosen.record.id))
        # People share phones; two with one e-mail are more likely one person, whom somebody has to merge.
        apart = item.decided is not None or contact_id in known.apart
        if not apart and shares_email(keys, known.candidates, taken):
            return failure(item.link, self._taken_sentence())
        op = Op.UPSERT if self.capabilities.upsert_key else Op.CREATE
        return self._create(item, op, keys[0] if keys else None)

    def without_doubles(self, items: Sequence[PlanItem]) -> list[PlanItem]:
        """Of several links of one page that found the same record, only the first may take it.

        By phone the others are different people, who get records of their own.
        """
        taken: set[str] = set()
        kept = []
        for item in items:
            if item.decision is Decision.LINK and item.external_id in taken:
                if self.indexed or (key := self.match_key(item.link)) is None or key.name != "phone":
                    item = failure(item.link, self._taken_sentence())
                else:
                    item.decision, item.reason, item.external_id = Decision.CREATE, "", ""
                    self._yield_to(item, NOTHING)
                    item = self._create(item, Op.CREATE, key)
            elif item.decision is Decision.LINK:
                taken.add(item.external_id)
            kept.append(item)
        return kept

    def _nameless_sentence(self) -> str:
        """A lost answer to its creation could not be made good: there is nothing to look it up by."""
        names = " or ".join(_MATCHABLE.get(name, name) for name in self.spec.match_order)
        return f"Contact does not have {names}: {self.spec.label} could not tell it from others."

    def _names(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """The fields' names in order; equal ones are one object, as most items write the same fields."""
        names = tuple(sorted(values))
        return self._shared_names.setdefault(names, names)

    def _taken_sentence(self) -> str:
        return f"The matching record in {self.spec.label} is already linked to another contact of the hub."

    def _create(self, item: PlanItem, op: Op, key: MatchKey | None) -> PlanItem:
        mapped = _mapped(item)
        values = mapped.everything
        item.change = Change(
            ref=item.link.id, op=op, values=values, key=key, idempotency_key=str(item.link.id), all_values=values
        )
        item.fields, item.snapshot = self._names(values), mapped.kept
        return item

    def _yield_to(self, item: PlanItem, held: Mapping[str, Any]) -> Mapped:
        """The item's values, given what their record holds."""
        if self.rules.yielding:
            item.mapped = self.rules.apply(item.link.contact, held)
            item.mapped = kept_back(item.mapped, item.withheld, held)
            item.digest = item.mapped.digest()
        return _mapped(item)

    def _update(
        self,
        item: PlanItem,
        external_id: str,
        version: str,
        agreed: Mapping[str, Any],
        read: Mapping[str, Any] | None = None,
    ) -> PlanItem:
        yielding = self.rules.yielding
        before = {k: v for k, v in agreed.items() if k in self.rules.kept_fields}
        only_pulled = {k: v for k, v in agreed.items() if k not in self.rules.kept_fields}
        if item.link.remote_hash is None and item.decision is Decision.UPDATE:
            before = {k: v if k in yielding else _UNCERTAIN for k, v in before.items()}
        if read is not None:
            before = {k: v for k, v in before.items() if k not in yielding} | held_in(read, yielding)
            self._yield_to(item, before)
        mapped = _mapped(item)
        values = {k: v for k, v in difference(before, mapped.kept).items() if k not in item.withheld}
        if not values:
            # Agreed before under other rules, or the hash was lost: nothing differs.
            item.decision, item.external_id = Decision.UNCHANGED, external_id
            item.snapshot = {**only_pulled, **mapped.kept} if read is not None else {}
            return item
        item.change = Change(
            ref=item.link.id,
            op=Op.UPDATE,
            values=values,
            external_id=external_id,
            version=version,
            key=self.match_key(item.link),
            idempotency_key=str(item.link.id),
            all_values=mapped.everything,
            before=_agreed(before) if item.decision is Decision.UPDATE else None,
        )
        item.fields, item.external_id, item.held = self._names(values), external_id, _agreed(before)
        item.snapshot = {**only_pulled, **mapped.kept}
        return item

    def _link(
        self, item: PlanItem, record: RemoteRecord, key: MatchKey | None, read: Mapping[str, Any] | None
    ) -> PlanItem:
        """An existing record is taken over: only what differs from it is sent."""
        theirs = {k: jsonable(v) for k, v in record.values.items() if k in self.rules.kept_fields}
        if read is not None:
            theirs = {k: v for k, v in theirs.items() if k not in self.rules.yielding}
            theirs |= held_in(read, self.rules.yielding)
        mapped = self._yield_to(item, theirs)
        # Where both mean the same, nothing is sent for the sake of spelling.
        theirs = {
            k: jsonable(mapped.kept[k]) if same(jsonable(mapped.kept[k]), v) else v
            for k, v in theirs.items()
            if k in mapped.kept
        }
        by = f" by {key.name}" if key is not None else ""
        item.decision, item.reason = Decision.LINK, f"An existing record was found{by} and linked."
        item.external_id, item.snapshot = record.id, mapped.kept
        if difference(theirs, mapped.kept):
            return self._update(item, record.id, record.version, theirs)
        return item


# Differs from every value: a lost answer leaves open what their record holds, so all of it is sent again.
_UNCERTAIN = object()
_TWINS = (
    "Another contact with the same e-mail is already linked to %s: merge the two, or give one of them another e-mail."
)
_MATCHABLE = {"email": "email address", "phone": "phone"}


def _agreed(before: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in before.items() if value is not _UNCERTAIN}


def _sends_offer(item: PlanItem, agreed: Mapping[str, Any]) -> bool:
    mapped = _mapped(item)
    if item.link.remote_hash is None:
        return True
    return any(jsonable(mapped.kept[name]) != agreed.get(name) for name in mapped.offered)


def _mapped(item: PlanItem) -> Mapped:
    if item.mapped is None:
        raise TypeError("only items that want a write are settled")
    return item.mapped
