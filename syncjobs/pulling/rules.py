"""Applies field rules the other way: their values → the contact's fields. Pure, and compiled once a run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson

from connectors.core.types import Direction, FieldSpec, MultiValue, RuleMode
from contacts.normalize import Invalid, normalize_date, normalize_email, normalize_phone, normalize_text
from contacts.records import (
    LABEL_LIMIT,
    REFERENCE_FIELDS,
    REFERENCE_LIMIT,
    TEXT_FIELDS,
    VALUE_LIMIT,
    Point,
    primary_value,
    settle_primary,
)
from syncjobs.rules import EMPTY, Rule, jsonable

# A transform that loses something cannot be undone on the way back.
REVERSIBLE = ("", "text")
_ATTRIBUTE = "attributes."
_POINTS = {"email": "emails", "emails": "emails", "phone": "phones", "phones": "phones"}


@dataclass(slots=True)
class Taken:
    """Their values of one record in our fields, by the field's name: text, date, tuple of Points; None where empty.

    `problems` are sentences about values that could not be used; the fields of those are not in `values`.
    """

    values: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PullRule:
    """One rule, ready to use. `ours` is a contact's field or `attributes.NAME`."""

    theirs: str
    ours: str
    mode: RuleMode
    read: Callable[[Any], Any]


class PullRules:
    """The rules of a connection as a pull needs them. `known` is what the account has; other rules are left out.

    `takes` are the rules whose values flow into the hub; `watched` are their fields of all rules, which tell whether a
    record has changed.
    """

    def __init__(self, rules: Iterable[Rule], known: Mapping[str, FieldSpec] | None, region: str) -> None:
        rules = list(rules)
        there = [r for r in rules if known is None or r.theirs in known]
        self.left_out = tuple(r.theirs for r in rules if r not in there and r.direction != Direction.PUSH)
        self.watched = tuple(dict.fromkeys(r.theirs for r in there))
        self._region = region
        chosen = [r for r in there if r.direction != Direction.PUSH and r.transform in REVERSIBLE]
        self.takes = [
            PullRule(r.theirs, r.ours, RuleMode(r.mode), reader)
            for r in chosen
            if (reader := self._reader(r.ours)) is not None
        ]
        self.own_id = next((r.theirs for r in there if r.ours == "id"), None)
        self._canonical = {r.theirs: (r.ours, reader) for r in there if (reader := self._reader(r.ours)) is not None}
        shape = orjson.dumps([[r.theirs, r.ours, r.direction, r.mode, r.transform] for r in there] + [region])
        self._shape = hashlib.blake2b(shape, digest_size=8).digest()

    def digest(self, values: Mapping[str, Any]) -> bytes:
        """16 bytes that change exactly when a watched value or the rules do."""
        watched = [values.get(name) for name in self.watched]
        text = orjson.dumps(watched, default=str)
        return hashlib.blake2b(self._shape + text, digest_size=16).digest()

    def take(self, values: Mapping[str, Any]) -> Taken:
        """Their values in our fields; the first rule that gives a field a value wins."""
        taken = Taken()
        for rule in self.takes:
            if taken.values.get(rule.ours) in EMPTY:
                self._take_one(rule, values.get(rule.theirs), taken)
        return taken

    def _take_one(self, rule: PullRule, given: Any, taken: Taken) -> None:
        try:
            taken.values[rule.ours] = None if given in EMPTY else rule.read(given)
        except Invalid as e:
            taken.problems.append(f"{rule.theirs} {e.reason}: not taken over.")

    def canonical(self, theirs: str, value: Any) -> Any:
        """Their value as a snapshot keeps it: normalised as our field would be, in JSON's types."""
        if value in EMPTY:
            return None
        ours, read = self._canonical.get(theirs, ("", _flat))
        try:
            value = read(value)
        except Invalid:
            return jsonable(_flat(value))
        if ours in ("email", "phone"):
            return primary_value(value)
        return jsonable(_flat(value)) or None

    def _reader(self, ours: str) -> Callable[[Any], Any] | None:
        if ours in TEXT_FIELDS:
            return lambda value: normalize_text(_text(value))
        if ours in REFERENCE_FIELDS:
            return lambda value: normalize_text(_text(value), REFERENCE_LIMIT)
        if ours == "birth_date":
            return _date
        if ours in ("email", "emails"):
            return lambda value: _points(value, _email)
        if ours in ("phone", "phones"):
            return lambda value: _points(value, self._phone)
        return _flat if ours.startswith(_ATTRIBUTE) else None

    def _phone(self, given: MultiValue, primary: bool) -> Point:
        phone = normalize_phone(given.value[: VALUE_LIMIT * 2], self._region)
        return Point(phone.value, phone.raw, given.label[:LABEL_LIMIT], primary)


def point_field(ours: str) -> str | None:
    """`emails` or `phones` where the field is one of the lists or its first value, else None."""
    return _POINTS.get(ours)


def _email(given: MultiValue, primary: bool) -> Point:
    return Point(normalize_email(given.value), given.value[:VALUE_LIMIT], given.label[:LABEL_LIMIT], primary)


def _points(value: Any, make: Callable[[MultiValue, bool], Point]) -> tuple[Point, ...]:
    """Raises Invalid only when not one of the values can be used."""
    made: list[Point] = []
    refused: Invalid | None = None
    for given in several(value):
        try:
            made.append(make(given, given.primary))
        except Invalid as e:
            refused = e
    if refused is not None and not made:
        raise refused
    return settle_primary(made)


def several(value: Any) -> list[MultiValue]:
    """One text, a list of texts or MultiValues, or the same as a snapshot gives it back."""
    found = []
    for item in value if isinstance(value, list | tuple) else [value]:
        if isinstance(item, Mapping):
            item = MultiValue(str(item.get("value") or ""), str(item.get("label") or ""), bool(item.get("primary")))
        elif not isinstance(item, MultiValue):
            item = MultiValue("" if item is None else str(item))
        if item.value.strip():
            found.append(item)
    return found


def _text(value: Any) -> str:
    if isinstance(value, MultiValue):
        return value.value
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else normalize_date(_text(value))


def _flat(value: Any) -> Any:
    """In JSON's types: points and multi-values as objects, dates as ISO texts."""
    if isinstance(value, Point | MultiValue):
        return {"value": value.value, "label": value.label, "primary": value.primary}
    if isinstance(value, list | tuple):
        return [_flat(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    # The database's JSON cannot hold the character zero.
    return value.replace("\0", "") if isinstance(value, str) else value
