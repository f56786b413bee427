"""A person as plain values, free of Django: what importers, the API and syncjobs hand to the hub.

A record holds *normalised* values (see contacts.normalize); "" or None means "nothing known", never "clear it".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, Literal

TEXT_FIELDS = ("first_name", "last_name", "middle_name", "company", "job_title")
REFERENCE_FIELDS = ("domain_id", "page_id")
SCALAR_FIELDS = (*TEXT_FIELDS, "birth_date", *REFERENCE_FIELDS)
POINT_FIELDS = ("emails", "phones")
FIELDS = (*SCALAR_FIELDS, *POINT_FIELDS, "attributes")

TEXT_LIMIT = 255
REFERENCE_LIMIT = 64
LABEL_LIMIT = 64
VALUE_LIMIT = 254

PointField = Literal["emails", "phones"]


@dataclass(frozen=True, slots=True)
class Point:
    """One e-mail or phone: `value` normalised for comparing, `raw` as it was given."""

    value: str
    raw: str = ""
    label: str = ""
    primary: bool = False


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """The values of one person. At most one point of a kind is primary once `settle_primary` has seen them."""

    first_name: str = ""
    last_name: str = ""
    middle_name: str = ""
    company: str = ""
    job_title: str = ""
    birth_date: date | None = None
    domain_id: str | None = None
    page_id: str | None = None
    emails: tuple[Point, ...] = ()
    phones: tuple[Point, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def email(self) -> str | None:
        """The primary e-mail, or None."""
        return primary_value(self.emails)

    @property
    def phone(self) -> str | None:
        """The primary phone, or None."""
        return primary_value(self.phones)

    def content_hash(self) -> bytes:
        """16 bytes that are equal for equal values, whatever the order of the points and attributes."""
        values = {name: getattr(self, name) for name in SCALAR_FIELDS}
        values |= {name: sorted((p.value, p.label, p.primary) for p in getattr(self, name)) for name in POINT_FIELDS}
        values["attributes"] = dict(self.attributes)
        text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str, separators=(",", ":"))
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def diff(self, other: ContactRecord) -> dict[str, tuple[Any, Any]]:
        """Field → (ours, theirs) of every field that differs. Points compare by value, label and primary."""
        changes = {}
        for name in FIELDS:
            ours, theirs = getattr(self, name), getattr(other, name)
            if name in POINT_FIELDS:
                differs = ours is not theirs and _comparable(ours) != _comparable(theirs)
            else:
                differs = ours != theirs
            if differs:
                changes[name] = (ours, theirs)
        return changes

    def is_empty(self) -> bool:
        """Nothing to tell the person by: neither a name, an e-mail, a phone, a company nor a reference."""
        return not any(getattr(self, name) for name in (*TEXT_FIELDS, *REFERENCE_FIELDS, *POINT_FIELDS))


FIELD_NAMES = tuple(item.name for item in fields(ContactRecord))


def _comparable(points: Iterable[Point]) -> set[tuple[str, str, bool]]:
    return {(point.value, point.label, point.primary) for point in points}


def primary_value(points: Iterable[Point]) -> str | None:
    """The value marked primary, else the first one, else None."""
    first = None
    for point in points:
        if point.primary:
            return point.value
        if first is None:
            first = point.value
    return first


def is_settled(points: Collection[Point]) -> bool:
    """No value twice, and exactly one point primary unless there are none."""
    if not points:
        return True
    values = {point.value for point in points}
    return len(values) == len(points) and [point.primary for point in points].count(True) == 1


def settle_primary(points: Iterable[Point]) -> tuple[Point, ...]:
    """The points in order, each value once (the first wins), exactly one of them primary: the marked or first one."""
    points = tuple(points)
    if is_settled(points):
        return points
    unique: dict[str, Point] = {}
    for point in points:
        unique.setdefault(point.value, point)
    chosen = primary_value(unique.values())
    return tuple(
        point
        if point.primary == (point.value == chosen)
        else Point(point.value, point.raw, point.label, point.value == chosen)
        for point in unique.values()
    )


def union_points(existing: tuple[Point, ...], incoming: Iterable[Point]) -> tuple[Point, ...]:
    """Existing points kept as they are, unknown incoming ones added behind; the primary one stays primary.

    >>> union_points((Point("a@x.org", primary=True),), [Point("a@x.org"), Point("b@x.org")])[1].value
    'b@x.org'
    """
    known = {point.value for point in existing}
    added = [point for point in incoming if point.value not in known]
    if not added:
        return existing
    if existing:
        added = [Point(point.value, point.raw, point.label) for point in added]
    return settle_primary((*existing, *added))


def fill(existing: ContactRecord, incoming: ContactRecord, *, overwrite: bool = True) -> ContactRecord:
    """`existing` with what `incoming` knows laid over it. Empty values never clear; points and attributes are added to.

    With `overwrite=False` only values that are still empty are taken.
    """
    values: dict[str, Any] = {}
    for name in SCALAR_FIELDS:
        ours, theirs = getattr(existing, name), getattr(incoming, name)
        values[name] = theirs if theirs and (overwrite or not ours) else ours
    for name in POINT_FIELDS:
        values[name] = union_points(getattr(existing, name), getattr(incoming, name))
    if incoming.attributes:
        first, second = (
            (existing.attributes, incoming.attributes) if overwrite else (incoming.attributes, existing.attributes)
        )
        values["attributes"] = {**first, **second}
    else:
        values["attributes"] = existing.attributes
    return ContactRecord(**values)
