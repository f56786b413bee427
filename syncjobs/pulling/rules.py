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
    ContactRecord,
    Point,
    primary_value,
    settle_primary,
)
from syncjobs.rules import EMPTY, PushRules, Rule, jsonable

# A transform that loses something cannot be undone on the way back.
REVERSIBLE = ("", "text")
_ATTRIBUTE = "attributes."
_TELLING = ("first_name", "last_name", "middle_name", "company", "emails", "phones")
_SINGLE_POINTS = ("email", "phone")
_POINTS = {"email": "emails", "emails": "emails", "phone": "phones", "phones": "phones"}
_TAKEN = frozenset({*TEXT_FIELDS, *REFERENCE_FIELDS, "birth_date", *_POINTS})


@dataclass(slots=True)
class Taken:
    """What a record says, read by the rules.

    `values` are the contact's fields: text, date, tuple of Points; None where empty. `normal` are their fields, read
    alike, by (their field, ours). `problems` are sentences about values that could not be used: they are in neither.
    """

    values: dict[str, Any] = field(default_factory=dict)
    normal: dict[tuple[str, str], Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PullRule:
    """One rule, ready to use. `ours` is a contact's field or `attributes.NAME`."""

    theirs: str
    ours: str
    mode: RuleMode
    pair: tuple[str, str]


Reader = Callable[[Any], Any]


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
        readers = {r.ours: self._reader(r.ours) for r in there}
        chosen = [r for r in there if r.direction != Direction.PUSH and r.transform in REVERSIBLE]
        self.takes = [
            PullRule(r.theirs, r.ours, RuleMode(r.mode), (r.theirs, r.ours))
            for r in chosen
            if readers[r.ours] is not None
        ]
        self._once = len({point_field(rule.ours) or rule.ours for rule in self.takes}) == len(self.takes)
        self.own_id = next((r.theirs for r in there if r.ours == "id"), None)
        self._readers = {(r.theirs, r.ours): read for r in there if (read := readers[r.ours]) is not None}
        self._first = {theirs: (theirs, ours) for theirs, ours in reversed(self._readers)}
        shape = orjson.dumps([[r.theirs, r.ours, r.direction, r.mode, r.transform] for r in there] + [region])
        self._shape = hashlib.blake2b(shape, digest_size=8).digest()

    def digest(self, values: Mapping[str, Any]) -> bytes:
        """16 bytes that change exactly when a watched value or the rules do."""
        watched = [values.get(name) for name in self.watched]
        return hashlib.blake2b(self._shape + orjson.dumps(watched, default=str), digest_size=16).digest()

    def read(self, values: Mapping[str, Any]) -> Taken:
        """What a record or a snapshot says; the first rule that gives a field a value wins."""
        return self._read(values, {})

    def _read(self, values: Mapping[str, Any], known: Mapping[tuple[str, str], Any]) -> Taken:
        """`known` are values read before."""
        taken = Taken()
        normal, found = taken.normal, taken.values
        for pair, reader in self._readers.items():
            if pair in known:
                normal[pair] = known[pair]
                continue
            given = values.get(pair[0])
            try:
                normal[pair] = None if given in EMPTY else reader(given)
            except Invalid as e:
                taken.problems.append(f"{pair[0]} {e.reason}: not taken over.")
        for rule in self.takes:
            if rule.pair in normal and not found.get(rule.ours):
                found[rule.ours] = normal[rule.pair]
        return taken

    def read_agreed(self, snapshot: Mapping[str, Any], now: Mapping[str, Any], taken: Taken) -> Taken:
        """What a snapshot says. What it has in common with the record's snapshot of now was read with the record."""
        # A second rule for one field, or one for a single value, may read more in a record than its snapshot tells.
        shared = {
            pair: taken.normal[pair]
            for theirs, pair in self._first.items()
            if pair[1] not in _SINGLE_POINTS
            and now.get(theirs) is not None
            and snapshot.get(theirs) == now[theirs]
            and pair in taken.normal
        }
        return self._read(snapshot, shared)

    def canonical(self, theirs: str, taken: Taken, values: Mapping[str, Any]) -> Any:
        """Their value as a snapshot keeps it: normalised as our field would be, in JSON's types; None where empty."""
        pair = self._first.get(theirs, ("", ""))
        value = taken.normal[pair] if pair in taken.normal else values.get(theirs)
        if isinstance(value, str):
            return value.replace("\0", "") or None
        if value in EMPTY:
            return None
        if isinstance(value, tuple) and isinstance(value[0], Point):
            return primary_value(value) if pair[1] in _SINGLE_POINTS else [_as_json(point) for point in value]
        flat = jsonable(_flat(value))
        return None if flat in EMPTY else flat

    def person(self, taken: Taken) -> ContactRecord:
        """Whom a record describes, by the rules of both directions: to be told from others, not to be stored."""
        values: dict[str, Any] = {}
        for (_theirs, ours), value in taken.normal.items():
            name = point_field(ours) or ours
            if value is not None and name in _TELLING and name not in values:
                values[name] = value
        return ContactRecord(**values)

    def mirrors(self, push: PushRules) -> bool:
        """Whether a contact made of a record alone is pushed exactly as that record: then nothing need be compared."""
        taken = {rule.pair for rule in self.takes}
        return self._once and all(plain and (theirs, ours) in taken for theirs, ours, plain in push.shape)

    def _reader(self, ours: str) -> Reader | None:
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


def is_taken(ours: str) -> bool:
    """Whether a pull can give the field a value: one that is made of others cannot be taken apart."""
    return ours in _TAKEN or ours.startswith(_ATTRIBUTE)


def point_field(ours: str) -> str | None:
    """`emails` or `phones` where the field is one of the lists or its first value, else None."""
    return _POINTS.get(ours)


def _email(given: MultiValue, primary: bool) -> Point:
    return Point(normalize_email(given.value), given.value[:VALUE_LIMIT], given.label[:LABEL_LIMIT], primary)


def _points(value: Any, make: Callable[[MultiValue, bool], Point]) -> tuple[Point, ...]:
    """Raises Invalid only when not one of the values can be used."""
    given_values = several(value)
    if len(given_values) == 1:
        return (make(given_values[0], True),)
    made: list[Point] = []
    refused: Invalid | None = None
    for given in given_values:
        try:
            made.append(make(given, given.primary))
        except Invalid as e:
            refused = e
    if refused is not None and not made:
        raise refused
    # The primary one first, as a push sends them.
    return tuple(sorted(settle_primary(made), key=_secondary))


def _secondary(point: Point) -> bool:
    return not point.primary


def several(value: Any) -> list[MultiValue]:
    """One text, a list of texts or MultiValues, or the same as a snapshot gives it back."""
    found = []
    for item in value if isinstance(value, (list, tuple)) else (value,):
        if not isinstance(item, MultiValue):
            item = _as_multi_value(item)
        if item.value.strip():
            found.append(item)
    return found


def _as_multi_value(item: Any) -> MultiValue:
    if isinstance(item, Mapping):
        return MultiValue(str(item.get("value") or ""), str(item.get("label") or ""), bool(item.get("primary")))
    return MultiValue("" if item is None else str(item))


def _as_json(point: Point | MultiValue) -> dict[str, Any]:
    return {"value": point.value, "label": point.label, "primary": point.primary}


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
    if isinstance(value, (Point, MultiValue)):
        return _as_json(value)
    if isinstance(value, (list, tuple)):
        return [_flat(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    # The database's JSON cannot hold the character zero.
    return value.replace("\0", "") if isinstance(value, str) else value
