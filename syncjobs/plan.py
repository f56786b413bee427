"""Decides what a run does with each due link. Pure: no database, no network, no clock.

A dry run stops here; applying sends the very same decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import CONTACTS, Capabilities, Change, ConnectorSpec, MatchKey, Op, RemoteRecord
from syncjobs.choosing import choose
from syncjobs.queue import DueLink
from syncjobs.rules import Mapped, PushRules, difference, jsonable, same
from syncjobs.strays import REFERENCE, Claimant

NO_EMAIL = "Contact does not have email address"


class Decision(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    LINK = "link"
    UNCHANGED = "unchanged"
    SKIP = "skip"
    CONFLICT = "conflict"
    FAIL = "fail"


@dataclass(slots=True)
class PlanItem:
    """What is to happen to one link, and why. `change` is what would be sent; None where nothing is.

    `held` is what their record is known to hold of it, in JSON's types. `rivals` are the ids of several records of
    theirs that fit equally.
    """

    link: DueLink
    decision: Decision
    reason: str = ""
    change: Change | None = None
    mapped: Mapped | None = None
    digest: bytes = b""
    fields: tuple[str, ...] = ()
    error: ApiError | None = None
    external_id: str = ""
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    held: Mapping[str, Any] = field(default_factory=dict)
    rivals: tuple[str, ...] = ()

    def changes(self) -> dict[str, list[Any]]:
        """By field of theirs what it holds, as far as that is known, and what it would hold."""
        sent = self.change.values if self.change is not None else {}
        return {name: [self.held.get(name), jsonable(value)] for name, value in sent.items()}

    def pending(self) -> Pending:
        """What to remember of the item until its outcome is known."""
        return Pending(
            link_id=self.link.id,
            contact_id=self.link.contact.id,
            contact_version=self.link.contact.version,
            decision=self.decision,
            reason=self.reason,
            external_id=self.external_id,
            digest=self.digest,
            fields=self.fields,
            # Copied, because orjson leaves the whole of its buffer, kilobytes, with the bytes it gives.
            snapshot=bytes(memoryview(orjson.dumps(self.snapshot))) if self.snapshot else b"",
            error=self.error,
            rivals=self.rivals,
        )


@dataclass(slots=True)
class Pending:
    """A planned item without its contact and values: tens of thousands of these wait for a bulk job's answer."""

    link_id: int
    contact_id: UUID
    contact_version: int
    decision: Decision
    reason: str
    external_id: str
    digest: bytes
    fields: tuple[str, ...]
    snapshot: bytes
    error: ApiError | None
    rivals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What the plan of a page needs to know besides the links themselves; each part was one query or one call."""

    twins: Mapping[int, UUID]
    snapshots: Mapping[int, Mapping[str, Any]]
    candidates: Mapping[MatchKey, Sequence[RemoteRecord]]
    owners: Mapping[str, int]
    claimants: Mapping[str, Sequence[Claimant]] = field(default_factory=dict)


class Planner:
    """Plans links of one connection by its rules.

    `indexed`: their records without a contact are known here, so that every key of a contact can be looked up: what
    their field `reference` holds, and those of `match_order`. `recreate`: a record that was deleted there is made anew.
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
    ) -> None:
        self.spec, self.rules = spec, rules
        self.indexed, self._reference, self._recreate = indexed, reference, recreate
        self._match_order = spec.match_order if match_order is None else match_order
        self.capabilities: Capabilities = spec.entities[CONTACTS]
        self._shared_names: dict[tuple[str, ...], tuple[str, ...]] = {}

    def first_look(self, link: DueLink) -> PlanItem:
        """What the link and its contact alone tell: refused, unchanged, or a write whose details are still open."""
        if link.contact.deleted:
            return PlanItem(link, Decision.SKIP, "The contact was deleted from the hub.")
        if link.gone and not self._recreate:
            return PlanItem(link, Decision.SKIP, f"The record was deleted in {self.spec.label}.")
        missing = next((name for name in self.spec.needs if not link.contact.get(name)), None)
        if missing is not None:
            reason = NO_EMAIL if missing == "email" else f"Contact does not have {missing}"
            return _failure(link, reason)
        mapped = self.rules.apply(link.contact)
        digest = mapped.digest()
        if link.remote_hash == digest and not link.gone:
            return PlanItem(link, Decision.UNCHANGED, digest=digest)
        decision = Decision.UPDATE if link.external_id and not link.gone else Decision.CREATE
        return PlanItem(link, decision, mapped=mapped, digest=digest)

    def keys_to_find(self, items: Sequence[PlanItem]) -> list[MatchKey]:
        """The keys to look up before creating, where a repeated create would do harm."""
        if self.capabilities.upsert_key or not (self.indexed or self.capabilities.find_keys):
            return []
        keys = (key for item in items if item.decision is Decision.CREATE for key in self.keys_of(item))
        return list(dict.fromkeys(keys))

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
            return self._update(item, item.link.external_id, item.link.external_version, known.snapshots)
        if item.decision is not Decision.CREATE:
            return item
        by_email = "email" in (self.capabilities.upsert_key, *self.spec.match_order[:1])
        if item.link.id in known.twins and by_email and not self.indexed:
            return _failure(
                item.link,
                f"Another contact with the same e-mail is already linked to {self.spec.label}: merge the two, "
                "or give one of them another e-mail.",
            )
        if self.capabilities.upsert_key:
            return self._create(item, Op.UPSERT, self.match_key(item.link))
        return self._choose(item, known)

    def _choose(self, item: PlanItem, known: Known) -> PlanItem:
        """An existing record, or a new one."""
        keys = self.keys_of(item)
        if not keys and self.capabilities.find_keys:
            return _failure(item.link, self._nameless_sentence())
        taken = {record: link for record, link in known.owners.items() if link != item.link.id}
        chosen = choose(item.link.contact.id, keys, known.candidates, taken, known.claimants)
        if chosen.rivals and chosen.key is not None:
            sentence = f"{len(chosen.rivals)} records in {self.spec.label} match by {chosen.key.name}: pick one."
            return _conflict(item.link, sentence, chosen.rivals)
        if chosen.record is not None:
            return self._link(item, chosen.record, chosen.key)
        # People share phones; two with one e-mail are more likely one person, whom somebody has to merge.
        if any(record.id in taken for key in keys if key.name == "email" for record in known.candidates.get(key, ())):
            return _failure(item.link, self._taken_sentence())
        return self._create(item, Op.CREATE, keys[0] if keys else None)

    def without_doubles(self, items: Sequence[PlanItem]) -> list[PlanItem]:
        """Of several links of one page that found the same record, only the first may take it.

        By phone the others are different people, who get records of their own.
        """
        taken: set[str] = set()
        kept = []
        for item in items:
            if item.decision is Decision.LINK and item.external_id in taken:
                if self.indexed or (key := self.match_key(item.link)) is None or key.name != "phone":
                    item = _failure(item.link, self._taken_sentence())
                else:
                    item.decision, item.reason, item.external_id = Decision.CREATE, "", ""
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

    def _update(
        self, item: PlanItem, external_id: str, version: str, snapshots: Mapping[int, Mapping[str, Any]]
    ) -> PlanItem:
        mapped = _mapped(item)
        agreed = snapshots.get(item.link.id, {})
        before = {k: v for k, v in agreed.items() if k in self.rules.kept_fields}
        only_pulled = {k: v for k, v in agreed.items() if k not in self.rules.kept_fields}
        if item.link.remote_hash is None and item.decision is Decision.UPDATE:
            before = dict.fromkeys(before, _UNCERTAIN)
        values = difference(before, mapped.kept)
        if not values:
            # Agreed before under other rules, or the hash was lost: nothing differs.
            item.decision, item.external_id = Decision.UNCHANGED, external_id
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

    def _link(self, item: PlanItem, record: RemoteRecord, key: MatchKey | None) -> PlanItem:
        """An existing record is taken over: only what differs from it is sent."""
        mapped = _mapped(item)
        theirs = {k: jsonable(v) for k, v in record.values.items() if k in mapped.kept}
        # Where both mean the same, nothing is sent for the sake of spelling.
        theirs = {k: jsonable(mapped.kept[k]) if same(jsonable(mapped.kept[k]), v) else v for k, v in theirs.items()}
        by = f" by {key.name}" if key is not None else ""
        item.decision, item.reason = Decision.LINK, f"An existing record was found{by} and linked."
        item.external_id, item.snapshot = record.id, mapped.kept
        if difference(theirs, mapped.kept):
            return self._update(item, record.id, record.version, {item.link.id: theirs})
        return item


# Differs from every value: a lost answer leaves open what their record holds, so all of it is sent again.
_UNCERTAIN = object()
_MATCHABLE = {"email": "email address", "phone": "phone"}


def _agreed(before: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in before.items() if value is not _UNCERTAIN}


def _mapped(item: PlanItem) -> Mapped:
    if item.mapped is None:
        raise TypeError("only items that want a write are settled")
    return item.mapped


def _failure(link: DueLink, sentence: str) -> PlanItem:
    return PlanItem(link, Decision.FAIL, sentence, error=ApiError(ErrorKind.DATA, sentence))


def _conflict(link: DueLink, sentence: str, rivals: tuple[str, ...]) -> PlanItem:
    error = ApiError(ErrorKind.DATA, sentence)
    return PlanItem(link, Decision.CONFLICT, sentence, error=error, rivals=rivals)
