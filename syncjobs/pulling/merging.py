"""One record laid over one contact: by field, against what both sides last agreed on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connectors.core.types import RuleMode
from contacts.merge import Merged, merge
from contacts.merge import Rule as Decide
from contacts.records import (
    REFERENCE_FIELDS,
    REFERENCE_LIMIT,
    TEXT_LIMIT,
    ContactRecord,
    Point,
    settle_primary,
)
from syncjobs.appending import appended
from syncjobs.pulling.rules import PullRule, Taken, point_field

_ATTRIBUTE = "attributes."
# The hub's own texts are lines.
IN_ONE_LINE = ", "
_NOTHING: dict[str, Any] = {"birth_date": None, "domain_id": None, "page_id": None}


def as_record(taken: Taken) -> ContactRecord:
    """A new contact of their values."""
    values: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for ours, value in taken.values.items():
        if value is None:
            continue
        if ours.startswith(_ATTRIBUTE):
            attributes[ours.removeprefix(_ATTRIBUTE)] = value
        elif (points := point_field(ours)) is not None:
            # Of a list alone everything is in order already.
            values[points] = settle_primary((*values[points], *value)) if points in values else value
        else:
            values[ours] = value
    return ContactRecord(**values, attributes=attributes)


def laid_over(
    local: ContactRecord, agreed: Taken | None, taken: Taken, rules: Sequence[PullRule], decide: Decide
) -> Merged:
    """The contact's record after theirs was merged in. `agreed` is what both sides last agreed on, None where never.

    Fields that no rule names, or whose value could not be used, stay as they are.
    """
    sides = _Sides(local, agreed)
    for rule in rules:
        if rule.ours in taken.values and (rule.ours in decide.decided or not _still(rule, agreed, taken)):
            sides.take(rule, taken.values[rule.ours])
    return merge(sides.base, local, sides.remote, decide)


def _still(rule: PullRule, agreed: Taken | None, taken: Taken) -> bool:
    """Whether theirs is what was agreed on: then ours stays, whatever it is."""
    if agreed is None or rule.mode is RuleMode.APPEND or rule.ours not in agreed.values:
        return False
    return agreed.values[rule.ours] is taken.values[rule.ours]


class _Sides:
    """The record as both sides agreed on it, and as they have it now; equal to ours wherever no rule speaks."""

    def __init__(self, local: ContactRecord, agreed: Taken | None) -> None:
        self._local, self._agreed = local, agreed
        self._base: dict[str, Any] = {}
        self._remote: dict[str, Any] = {}
        self._attributes: tuple[dict[str, Any], dict[str, Any]] = (dict(local.attributes), dict(local.attributes))

    @property
    def base(self) -> ContactRecord:
        return replace(self._local, **self._base, attributes=self._attributes[0])

    @property
    def remote(self) -> ContactRecord:
        return replace(self._local, **self._remote, attributes=self._attributes[1])

    def take(self, rule: PullRule, theirs: Any) -> None:
        before = self._agreed.values.get(rule.ours) if self._agreed is not None else None
        if rule.mode is RuleMode.IF_NEW or (rule.mode is RuleMode.IF_EMPTY and _held(self._local, rule.ours)):
            return
        points = point_field(rule.ours)
        if points is not None:
            self._take_points(points, rule, before or (), theirs or ())
        elif rule.mode is RuleMode.APPEND:
            self._append(rule.ours, before, theirs)
        elif rule.ours.startswith(_ATTRIBUTE):
            self._take_attribute(rule.ours.removeprefix(_ATTRIBUTE), before, theirs)
        else:
            empty = _NOTHING.get(rule.ours, "")
            self._base[rule.ours] = empty if before is None else before
            self._remote[rule.ours] = empty if theirs is None else theirs

    def _take_attribute(self, name: str, before: Any, theirs: Any) -> None:
        for values, value in zip(self._attributes, (before, theirs), strict=True):
            values.pop(name, None)
            if value is not None:
                values[name] = value

    def _append(self, ours: str, before: Any, theirs: Any) -> None:
        """Adds what is new there; what both sides knew already and ours gave up does not come back.

        A text of ours that would get longer than it may be stays as it is.
        """
        if theirs is None or theirs == before:
            return
        if ours.startswith(_ATTRIBUTE):
            name = ours.removeprefix(_ATTRIBUTE)
            held = self._attributes[0].get(name)
            self._take_attribute(name, held, appended(held, theirs, "") if held else theirs)
            return
        held = getattr(self._local, ours)
        joined = appended(held, theirs, "", IN_ONE_LINE) if held else theirs
        if not isinstance(joined, str) or len(joined) <= (REFERENCE_LIMIT if ours in REFERENCE_FIELDS else TEXT_LIMIT):
            self._remote[ours] = joined

    def _take_points(self, points: str, rule: PullRule, before: tuple[Point, ...], theirs: tuple[Point, ...]) -> None:
        local: tuple[Point, ...] = getattr(self._local, points)
        if rule.mode is RuleMode.APPEND:
            # Nothing is ever taken away, and their order says nothing about ours.
            self._base[points] = local
            self._remote[points] = (*local, *_new(local, (replace(p, primary=False) for p in theirs)))
        elif rule.ours == points:
            self._base[points], self._remote[points] = before, theirs
        else:
            # They know one value only: the others of ours are nobody's business of theirs.
            named = {point.value for point in (*before, *theirs)}
            others = tuple(replace(p, primary=False) for p in local if p.value not in named)
            self._base[points] = settle_primary((*before, *others))
            self._remote[points] = settle_primary((*theirs, *others))


def _new(local: tuple[Point, ...], theirs: Any) -> list[Point]:
    known = {point.value for point in local}
    return [point for point in theirs if point.value not in known]


def _held(local: ContactRecord, ours: str) -> bool:
    if ours.startswith(_ATTRIBUTE):
        return bool(local.attributes.get(ours.removeprefix(_ATTRIBUTE)))
    return bool(getattr(local, point_field(ours) or ours))
