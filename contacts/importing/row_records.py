"""Cells of a row → a ContactRecord, or the reason why not. The hot path of an import."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from contacts.bulk import Incoming
from contacts.importing.columns import ATTRIBUTE_PREFIX, IGNORE, Column
from contacts.names import split_name
from contacts.normalize import (
    Invalid,
    normalize_birthday,
    normalize_email,
    normalize_phone,
    normalize_text,
)
from contacts.records import REFERENCE_FIELDS, REFERENCE_LIMIT, VALUE_LIMIT, ContactRecord, Point
from contacts.text import squeeze

_SEVERAL = re.compile(r"\s*(?::::|[;\n|])\s*")
_SEVERAL_EMAILS = re.compile(r"\s*(?::::|[;,\n|])\s*")
_QUOTED = 60
BIRTHDAY_ATTRIBUTE = "birthday"


class RefusedRow(Exception):
    """The row cannot be stored; `reason` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RecordBuilder:
    """Values by field name → record. One for CSV and vCard, so that both refuse and keep the same things."""

    def __init__(self, region: str) -> None:
        self.region = region

    def text(self, values: dict[str, Any], field: str, given: str) -> None:
        limit = REFERENCE_LIMIT if field in REFERENCE_FIELDS else 255
        try:
            values[field] = normalize_text(given, limit)
        except Invalid as error:
            raise refused(field, given, error.reason) from error

    def birth_date(self, values: dict[str, Any], given: str) -> None:
        try:
            day = normalize_birthday(given)
        except Invalid as error:
            raise refused("birth_date", given, error.reason) from error
        if isinstance(day, str):
            values.setdefault("attributes", {})[BIRTHDAY_ATTRIBUTE] = day
        else:
            values["birth_date"] = day

    def emails(self, points: list[Point], given: str, label: str = "", *, primary: bool = False) -> None:
        for part in _SEVERAL_EMAILS.split(given) if _SEVERAL_EMAILS.search(given) else (given,):
            if not part.strip():
                continue
            try:
                value = normalize_email(part)
            except Invalid as error:
                raise refused("email", part, error.reason) from error
            points.append(Point(value, part.strip()[:VALUE_LIMIT], label, primary))

    def phones(self, points: list[Point], given: str, label: str = "", *, primary: bool = False) -> None:
        """Several phones in one cell are told apart by ; | and new lines. None is refused."""
        for part in _SEVERAL.split(given) if _SEVERAL.search(given) and "tel:" not in given else (given,):
            if part.strip():
                phone = normalize_phone(part, self.region)
                points.append(Point(phone.value, phone.raw, label, primary))

    def record(self, values: dict[str, Any], emails: list[Point], phones: list[Point]) -> ContactRecord:
        """The record, its points settled: each value once, one of them primary."""
        return ContactRecord(**values, emails=_settle(emails), phones=_settle(phones))


class RowReader:
    """Reads the rows of one CSV file by its columns."""

    def __init__(self, columns: Sequence[Column], region: str) -> None:
        self.width = len(columns)
        self.builder = RecordBuilder(region)
        used = [(index, column) for index, column in enumerate(columns) if column.target != IGNORE]
        self._points = [(index, column) for index, column in used if column.target in ("email", "phone")]
        self._others: list[tuple[int, Callable[[dict[str, Any], str], None]]] = [
            (index, self._setter(column)) for index, column in used if column.target not in ("email", "phone", "id")
        ]
        self._id = next((index for index, column in used if column.target == "id"), None)

    def read(self, cells: list[str]) -> Incoming:
        """Raises RefusedRow."""
        if len(cells) != self.width:
            self._check_width(cells)
        values: dict[str, Any] = {}
        for index, set_value in self._others:
            if cells[index]:
                set_value(values, cells[index])
        emails: list[Point] = []
        phones: list[Point] = []
        for index, column in self._points:
            given = cells[index]
            if given and not given.isspace():
                if column.target == "email":
                    self.builder.emails(emails, given, column.label)
                else:
                    self.builder.phones(phones, given, column.label)
        record = self.builder.record(values, emails, phones)
        return Incoming(record, self._contact_id(cells))

    def _check_width(self, cells: list[str]) -> None:
        if len(cells) > self.width and not any(cells[self.width :]):
            return
        raise RefusedRow(f"the row has {len(cells)} columns, the header has {self.width}")

    def _contact_id(self, cells: list[str]) -> UUID | None:
        given = cells[self._id].strip() if self._id is not None else ""
        if not given:
            return None
        try:
            return UUID(given)
        except ValueError as error:
            raise refused("id", given, "is not the id of a contact") from error

    def _setter(self, column: Column) -> Callable[[dict[str, Any], str], None]:
        target, builder = column.target, self.builder
        if target == "birth_date":
            return lambda values, given: builder.birth_date(values, given) if given.strip() else None
        if target == "name":
            return lambda values, given: _set_full_name(builder, values, given, family_first=column.family_first)
        if target.startswith(ATTRIBUTE_PREFIX):
            name = target.removeprefix(ATTRIBUTE_PREFIX)
            return lambda values, given: _set_attribute(values, name, given)
        return lambda values, given: builder.text(values, target, given)


def _set_full_name(builder: RecordBuilder, values: dict[str, Any], given: str, *, family_first: bool) -> None:
    parts = split_name(given, family_first=family_first)
    for field, part in zip(("first_name", "last_name", "middle_name"), parts, strict=True):
        if part:
            builder.text(values, field, part)


def _set_attribute(values: dict[str, Any], name: str, given: str) -> None:
    text = squeeze(given)
    if text:
        values.setdefault("attributes", {})[name] = text


def refused(field: str, given: str, reason: str) -> RefusedRow:
    """A RefusedRow that quotes the value, cut where it is long."""
    shown = given if len(given) <= _QUOTED else given[:_QUOTED] + "…"
    return RefusedRow(f'{field} "{squeeze(shown)}" {reason}')


def _settle(points: list[Point]) -> tuple[Point, ...]:
    if not points:
        return ()
    if not any(point.primary for point in points):
        first = points[0]
        points[0] = Point(first.value, first.raw, first.label, True)
    if len(points) == 1:
        return (points[0],)
    unique: dict[str, Point] = {}
    for point in points:
        unique.setdefault(point.value, point)
    return tuple(unique.values())
