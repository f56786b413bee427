"""A table's columns in their order, and records as rows of COPY."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.core.types import RemoteRecord
from syncjobs.mirror.cells import ENCODERS, NULL, Misfit, as_json, escaped
from syncjobs.mirror.types import ColumnType


@dataclass(frozen=True, slots=True)
class Column:
    """A field and the column that holds it. One that is not `filled` keeps what it has: its field is gone."""

    key: str
    name: str
    type: str
    as_it_came: bool = False
    filled: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """A record as a line of COPY: its id, the cells of the filled columns, and the mark by which a change is told."""

    id: str
    cells: str
    mark: str
    misfits: tuple[str, ...] = ()


@dataclass
class Layout:
    """The columns beside our own, in the order in which they were made: so the marks of rows outlive new columns."""

    columns: Sequence[Column]
    id_type: str = ColumnType.TEXT

    def __post_init__(self) -> None:
        self._plan = [(c.key, ENCODERS[c.type], c.name, _source(c)) for c in self.columns if c.filled]
        # Gone columns take part in the mark as empty ones do.
        self._gaps = [i for i, c in enumerate(self.columns) if not c.filled]

    @property
    def filled(self) -> list[str]:
        """The names of the columns that rows have cells for."""
        return [c.name for c in self.columns if c.filled]

    def rows(self, records: Sequence[RemoteRecord]) -> list[Row]:
        return [self.row(record) for record in records]

    def row(self, record: RemoteRecord) -> Row:
        """Whatever does not fit its column is left out of it and kept beside, as it came."""
        cells: list[str] = []
        misfits: dict[str, Any] = {}
        values, raw = record.values, record.raw
        for key, encode, name, source in self._plan:
            value = source(values.get(key), raw.get(key)) if source else values.get(key)
            if value is None:
                cells.append(NULL)
                continue
            try:
                cells.append(encode(value))
            except (Misfit, ValueError, OverflowError):
                cells.append(NULL)
                misfits[name] = value
        return self._row(record.id, cells, misfits)

    def bare(self, record: RemoteRecord) -> Row:
        """The record with all its values beside its columns, for one that PostgreSQL refuses otherwise."""
        values = {name: record.values.get(key) for key, _encode, name, _source in self._plan}
        return self._row(record.id, [NULL] * len(self._plan), {k: v for k, v in values.items() if v is not None})

    def _row(self, number: str, cells: list[str], misfits: dict[str, Any]) -> Row:
        kept = escaped(as_json(misfits)) if misfits else NULL
        marked = cells
        if self._gaps:
            marked = list(cells)
            for place in self._gaps:
                marked.insert(place, NULL)
        end = len(marked)
        while end and marked[end - 1] == NULL:
            end -= 1
        line = "\t".join([kept, *marked[:end]]).encode("utf-8", "replace")
        mark = hashlib.blake2b(line, digest_size=16).hexdigest()
        return Row(number, "\t".join([*cells, kept]), mark, tuple(misfits))


def id_fits(number: str, id_type: str) -> bool:
    """Whether a record's id can be the table's key."""
    if id_type != ColumnType.BIGINT:
        return "\0" not in number
    return number.isascii() and number.lstrip("-").isdecimal() and -(2**63) <= int(number) < 2**63


def _source(column: Column) -> Any:
    if column.as_it_came:
        return _as_it_came
    return _exact if column.type == ColumnType.NUMERIC else None


def _as_it_came(value: Any, raw: Any) -> Any:
    """The remote's own list where it has one: ids and kinds of its members are in it alone."""
    if value is None or value == []:
        return None
    return raw if isinstance(raw, list | dict) else value


def _exact(value: Any, raw: Any) -> Any:
    """The digits as they were written; a float holds no more than 17 of them."""
    return raw if value is not None and isinstance(raw, str) and isinstance(value, int | float) else value
