"""A table's columns in their order, and records as rows of COPY."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.core.types import RemoteRecord
from syncjobs.mirror.cells import NULL, as_json, escaped, unescaped
from syncjobs.mirror.columns import Column, Memory, Valued
from syncjobs.mirror.names import RAW
from syncjobs.mirror.types import ColumnType


@dataclass(frozen=True, slots=True)
class Row:
    """A record as a line of COPY: its id, the cells of the filled columns, and the mark by which a change is told."""

    id: str
    cells: str
    mark: str
    misfits: tuple[str, ...] = ()


@dataclass
class Layout:
    """The columns beside our own, in the order in which they were made: so the marks of rows outlive new columns.

    `readers` are the connector's, where the values of a record depend on nothing but its raw ones.
    """

    columns: Sequence[Column]
    id_type: str = ColumnType.TEXT
    readers: Mapping[str, Callable[[Any], Any]] | None = None

    def __post_init__(self) -> None:
        plan = [c for c in self.columns if c.filled]
        self._by_value = [Valued(c) for c in plan]
        self._by_raw = [Memory(c, self.readers.get(c.key)) for c in plan] if self.readers is not None else None
        # Gone columns take part in the mark as empty ones do.
        self._gaps = [i for i, c in enumerate(self.columns) if not c.filled]

    @property
    def filled(self) -> list[str]:
        """The names of the columns that rows have cells for."""
        return [c.name for c in self.columns if c.filled]

    def row(self, record: RemoteRecord) -> Row:
        """Whatever does not fit its column is left out of it and kept beside, as it came."""
        misfits: dict[str, Any] = {}
        if self._by_raw is None:
            cells = [valued.cell(record, misfits) for valued in self._by_value]
        else:
            cells = _from_raw(self._by_raw, record.raw, misfits)
        return self._row(record.id, cells, misfits)

    def bare(self, row: Row) -> Row:
        """The row with all its values beside its columns, for one that PostgreSQL refuses otherwise."""
        *cells, kept = row.cells.split("\t")
        values = {name: unescaped(cell) for name, cell in zip(self.filled, cells, strict=True) if cell != NULL}
        if kept != NULL:
            values[RAW] = unescaped(kept)
        return self._row(row.id, [NULL] * len(cells), values)

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
        cells.append(kept)
        return Row(number, "\t".join(cells), mark, tuple(misfits))


def id_fits(number: str, id_type: str) -> bool:
    """Whether a record's id can be the table's key."""
    if id_type != ColumnType.BIGINT:
        return "\0" not in number
    return number.isascii() and number.lstrip("-").isdecimal() and -(2**63) <= int(number) < 2**63


def _from_raw(plan: Sequence[Memory], raw: Mapping[str, Any], misfits: dict[str, Any]) -> list[str]:
    """The hot loop of a read: most values have been met before, and cost no more than looking them up."""
    cells: list[str] = []
    get = raw.get
    for memory in plan:
        value = get(memory.key)
        if value is None:
            cells.append(NULL)
            continue
        if type(value) is str:
            cell = memory.known.get(value)
        elif value is False:
            cell = memory.at_false
        else:
            cell = None
        cells.append(memory.cell(value, misfits) if cell is None else cell)
    return cells
