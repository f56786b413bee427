"""Three-way merge of one contact: what both sides last agreed on, what ours says now, what theirs says now. Pure.

A field only one side changed takes that change; a field both changed alike is settled; a field both changed
differently is a conflict that the policy decides. E-mails and phones merge as sets, attributes key by key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from contacts.records import POINT_FIELDS, SCALAR_FIELDS, ContactRecord, Point, settle_primary

Policy = Literal["newest", "source", "destination", "ask"]
Side = Literal["source", "destination"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that both sides changed. `winner` is None when a person has to decide; ours is kept until then."""

    field: str
    base: Any
    local: Any
    remote: Any
    winner: Side | None


@dataclass(frozen=True, slots=True)
class Merged:
    record: ContactRecord
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """How conflicts are decided. The source is the remote side, the destination is ours.

    `newest` compares the time of our field with theirs; equal or unknown times fall back to `preferred`. `decided` are
    the fields whose side a person has chosen, whatever either side changed.
    """

    policy: Policy = "newest"
    preferred: Side = "source"
    local_at: Callable[[str], datetime | None] | None = None
    remote_at: datetime | None = None
    decided: Mapping[str, Side] = field(default_factory=dict)

    def winner(self, name: str) -> Side | None:
        """Whose value of the field counts; None when a person has to decide."""
        if self.policy == "ask":
            return None
        if self.policy != "newest":
            return self.policy
        local_at = self.local_at(name) if self.local_at is not None else None
        if local_at is None or self.remote_at is None or local_at == self.remote_at:
            return self.preferred
        return "source" if self.remote_at > local_at else "destination"


def merge(base: ContactRecord | None, local: ContactRecord, remote: ContactRecord, rule: Rule | None = None) -> Merged:
    """The merged record and every conflict met on the way. Without a base (never agreed) values add to each other."""
    rule = rule or Rule()
    agreed = base or ContactRecord()
    conflicts: list[Conflict] = []
    values: dict[str, Any] = {}
    for name in SCALAR_FIELDS:
        values[name] = _merge_value(
            name, getattr(agreed, name), getattr(local, name), getattr(remote, name), rule, conflicts
        )
    for name in POINT_FIELDS:
        values[name] = _merge_points(getattr(agreed, name), getattr(local, name), getattr(remote, name), rule)
    values["attributes"] = _merge_attributes(agreed.attributes, local.attributes, remote.attributes, rule, conflicts)
    return Merged(ContactRecord(**values), tuple(conflicts))


def _merge_value(name: str, base: Any, local: Any, remote: Any, rule: Rule, conflicts: list[Conflict]) -> Any:
    if (side := rule.decided.get(name)) is not None:
        return remote if side == "source" else local
    if local == remote or remote == base:
        return local
    if local == base:
        return remote
    winner = rule.winner(name)
    conflicts.append(Conflict(name, base, local, remote, winner))
    return remote if winner == "source" else local


def _merge_points(
    base: tuple[Point, ...], local: tuple[Point, ...], remote: tuple[Point, ...], rule: Rule
) -> tuple[Point, ...]:
    if remote is base or remote is local:
        return local
    agreed = {point.value: point for point in base}
    ours = {point.value: point for point in local}
    theirs = {point.value: point for point in remote}
    kept = []
    for value in (*ours, *(value for value in theirs if value not in ours)):
        if value in ours and value in theirs:
            kept.append(_merge_labels(agreed.get(value), ours[value], theirs[value], rule))
        elif value not in agreed:
            kept.append(ours.get(value) or theirs[value])
    chosen = _merge_primary(agreed, ours, theirs, rule)
    return settle_primary(replace(point, primary=point.value == chosen) for point in kept)


def _merge_labels(base: Point | None, local: Point, remote: Point, rule: Rule) -> Point:
    if base is None or not base.label:
        # Systems give a label of their own to values that came without one: no change of anybody's.
        return local if local.label else replace(local, label=remote.label if base is None else "")
    label = _merge_value("label", base.label, local.label, remote.label, rule, [])
    return replace(local, label=label)


def _merge_primary(
    agreed: Mapping[str, Point], ours: Mapping[str, Point], theirs: Mapping[str, Point], rule: Rule
) -> str | None:
    before, local, remote = (
        next((point.value for point in side.values() if point.primary), None) for side in (agreed, ours, theirs)
    )
    if local is None or remote is None:
        return local or remote
    return _merge_value("primary", before, local, remote, rule, [])


_ABSENT = object()


def _merge_attributes(
    base: Mapping[str, Any],
    local: Mapping[str, Any],
    remote: Mapping[str, Any],
    rule: Rule,
    conflicts: list[Conflict],
) -> dict[str, Any]:
    if remote == base and not rule.decided:
        return dict(local)
    merged = {}
    for key in dict.fromkeys((*local, *remote)):
        sides = (base.get(key, _ABSENT), local.get(key, _ABSENT), remote.get(key, _ABSENT))
        met: list[Conflict] = []
        value = _merge_value(f"attributes.{key}", *sides, rule, met)
        conflicts.extend(_without_marker(conflict) for conflict in met)
        if value is not _ABSENT:
            merged[key] = value
    return merged


def _without_marker(conflict: Conflict) -> Conflict:
    values = (conflict.base, conflict.local, conflict.remote)
    base, local, remote = (None if value is _ABSENT else value for value in values)
    return Conflict(conflict.field, base, local, remote, conflict.winner)
