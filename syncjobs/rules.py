"""Applies field rules: the contact's values → their values. Pure, and compiled once a run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from connectors.core.types import Direction, FieldSpec, FieldType, RuleMode
from syncjobs.appending import appended
from syncjobs.sourcefields import Getter, SourceContact, getter, needs_points
from syncjobs.transforms import TRANSFORMS

EMPTY: tuple[Any, ...] = (None, "", [], ())
NOTHING: Mapping[str, Any] = {}
YIELDING = (RuleMode.IF_EMPTY, RuleMode.APPEND)


Change = Callable[[Any], Any]
Compiled = tuple[str, Getter, Change | None]


class Rule(Protocol):
    ours: str
    theirs: str
    direction: str
    mode: str
    transform: str


class RuleInvalid(ValueError):
    """A rule names a field or transform that does not exist. The message says which."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A contact in their fields: `kept` is what must stay in step, `initial` what only a new record is given.

    `offered` are those kept fields for which the contact has a value that yields to theirs, or is added to it.
    """

    kept: Mapping[str, Any]
    initial: Mapping[str, Any]
    offered: frozenset[str] = frozenset()

    @property
    def everything(self) -> dict[str, Any]:
        return {**self.initial, **self.kept}

    def digest(self) -> bytes:
        """16 bytes that change exactly when a kept value does."""
        return hashlib.blake2b(
            orjson.dumps(self.kept, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS), digest_size=16
        ).digest()


class PushRules:
    """The rules that push from the hub, ready to use. Raises RuleInvalid.

    `kept_fields` are the fields of theirs that are kept in step; a snapshot may hold others, which only pulls know.
    Of those, `yielding` are the ones whose value depends on what their record holds (modes if_empty and append).
    `selective`: some rules ask whether there is a record already, or what it holds. `shape` is their (field, field of
    ours, whether it goes as it is). Texts are cut to what their field takes; `cut` says which ones have been.

    Rules of fields that are not in `writable` are left out, unless `lenient`: fields may be about to be made.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        writable: Mapping[str, FieldSpec] | None = None,
        *,
        region: str = "",
        lenient: bool = False,
    ) -> None:
        chosen = [r for r in rules if r.direction != Direction.PULL]
        known = writable or {}
        refused = {r.theirs for r in chosen if r.theirs in known and known[r.theirs].read_only}
        unknown = {r.theirs for r in chosen if r.theirs not in known} if writable is not None else set()
        self.left_out = tuple(r.theirs for r in chosen if not lenient and r.theirs in refused | unknown)
        used = [r for r in chosen if r.theirs not in self.left_out]
        self._region = region
        self.cut: dict[str, int] = {}
        compiled = {id(r): _compiled(r, self._fitting(known.get(r.theirs))) for r in used}
        self._kept = [compiled[id(r)] for r in used if r.mode == RuleMode.OVERWRITE]
        self._initial = [compiled[id(r)] for r in used if r.mode == RuleMode.IF_NEW]
        self._yielding = [(compiled[id(r)], r.mode == RuleMode.APPEND) for r in used if r.mode in YIELDING]
        overwritten = {r.theirs for r in used if r.mode == RuleMode.OVERWRITE}
        self.yielding = frozenset(r.theirs for r in used if r.mode in YIELDING) - overwritten
        self.kept_fields = self.yielding | overwritten
        self.selective = any(r.mode != RuleMode.OVERWRITE for r in used)
        self.shape = tuple((r.theirs, r.ours, not r.transform) for r in used if r.theirs in self.kept_fields)
        self.needs_points = needs_points([r.ours for r in used])

    def _fitting(self, field: FieldSpec | None) -> Change | None:
        """Cuts texts to the length of the field; None where it takes any."""
        if field is None or field.max_length is None or field.type is not FieldType.TEXT:
            return None
        name, most = field.key, field.max_length

        def fit(value: Any) -> Any:
            if not isinstance(value, str) or len(value) <= most:
                return value
            self.cut[name] = most
            return value[: most - 1].rstrip() + "…"

        return fit

    def apply(self, contact: SourceContact, held: Mapping[str, Any] = NOTHING) -> Mapped:
        """Their values of a contact whose record holds `held`; empty ones are left out."""
        kept, initial = _values(self._kept, contact), _values(self._initial, contact)
        if not self.yielding:
            return Mapped(kept, initial)
        offered = self._yield_to(held, contact)
        return Mapped({**offered[0], **kept}, initial, offered[1])

    def _yield_to(self, held: Mapping[str, Any], contact: SourceContact) -> tuple[dict[str, Any], frozenset[str]]:
        values = {name: held[name] for name in self.yielding if held.get(name) not in EMPTY}
        offered = set()
        for rule, adds in self._yielding:
            theirs = rule[0]
            value = _values([rule], contact).get(theirs)
            if value is None or theirs not in self.yielding:
                continue
            offered.add(theirs)
            if theirs not in values:
                values[theirs] = value
            elif adds:
                values[theirs] = appended(values[theirs], value, self._region)
        return values, frozenset(offered)


def _compiled(rule: Rule, fit: Change | None) -> Compiled:
    try:
        read = getter(rule.ours)
    except KeyError:
        raise RuleInvalid(
            f"The field rule {rule.ours} → {rule.theirs} names a field that contacts do not have."
        ) from None
    if rule.transform and rule.transform not in TRANSFORMS:
        raise RuleInvalid(f"The field rule {rule.ours} → {rule.theirs} names an unknown transform: {rule.transform}.")
    transform = TRANSFORMS[rule.transform] if rule.transform else None
    if transform is None or fit is None:
        return rule.theirs, read, transform or fit
    return rule.theirs, read, lambda value: fit(transform(value))


def _values(rules: list[Compiled], contact: SourceContact) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for theirs, read, transform in rules:
        value = read(contact)
        if transform is not None and value not in EMPTY:
            value = transform(value)
        if value not in EMPTY and theirs not in values:
            values[theirs] = value
    return values


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What to send so that `before` becomes `now`: new values, and None for those that are gone."""
    changed = {k: v for k, v in now.items() if jsonable(v) != before.get(k)}
    changed.update({k: None for k in before if k not in now})
    return changed


def jsonable(value: Any) -> Any:
    """The value as a snapshot gives it back."""
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return orjson.loads(orjson.dumps(value))


def same(ours: Any, theirs: Any) -> bool:
    """Whether both mean the same: spelling of numbers does not matter, nor a label where ours has none.

    A box that was never ticked is told by some systems as no value at all.
    """
    if ours == theirs or (_unset(ours) and _unset(theirs)):
        return True
    if isinstance(ours, list) and isinstance(theirs, list):
        return _same_points(ours, theirs)
    if isinstance(ours, list | dict) or isinstance(theirs, list | dict):
        return False
    return ours not in EMPTY and theirs not in EMPTY and str(ours).strip() == str(theirs).strip()


def _unset(value: Any) -> bool:
    return value is False or value in EMPTY


def _same_points(ours: list[Any], theirs: list[Any]) -> bool:
    if not all(isinstance(item, dict) and "value" in item for item in (*ours, *theirs)):
        return False
    labels = {item["value"]: item.get("label") or "" for item in theirs}
    return len(ours) == len(labels) and all(
        item["value"] in labels and item.get("label") in ("", None, labels[item["value"]]) for item in ours
    )
