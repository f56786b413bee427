"""A table's columns in their order, and records as rows of COPY."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.core.types import RemoteRecord
from syncjobs.mirror.cells import NULL, as_json, escaped, unescaped
from syncjobs.mirror.columns import Column, Lists, Memory, cell_of
from syncjobs.mirror.names import RAW
from syncjobs.mirror.types import ColumnType


@dataclass(frozen=True, slots=True)
class Row:
    """A record for COPY: its id, its cells, the last of them what did not fit, and the mark that tells of changes."""

    id: str
    cells: bytes
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
        plain = [c for c in self.columns if c.type != ColumnType.JSONB]
        lists = [c for c in self.columns if c.type == ColumnType.JSONB]
        self._plain, self._lists = [c for c in plain if c.filled], [c for c in lists if c.filled]
        # Columns whose fields are gone take part in the mark as empty ones do, so that it outlives them.
        self._gaps = [[i for i, c in enumerate(part) if not c.filled] for part in (plain, lists)]
        self._misfits: dict[str, Any] = {}
        if self.readers is not None:
            known = self.readers
            self._memories = [Memory(c, known.get(c.key), self._misfits) for c in self._plain]
            self._of_lists = [Lists(c, known.get(c.key), self._misfits) for c in self._lists]
            self._keys, self._list_keys = [c.key for c in self._plain], [c.key for c in self._lists]

    @property
    def filled(self) -> list[str]:
        """The names of the columns that rows have cells for, in the order of the cells."""
        return [c.name for c in (*self._plain, *self._lists)]

    def row(self, record: RemoteRecord) -> Row:
        """Whatever does not fit its column is left out of it and kept beside, as it came."""
        if self.readers is None:
            cells = [cell_of(c, record, self._misfits) for c in (*self._plain, *self._lists)]
        else:
            cells = self._from_raw(record.raw)
        if not self._misfits:
            return self._row(record.id, cells, {})
        misfits = dict(self._misfits)
        self._misfits.clear()
        return self._row(record.id, cells, misfits)

    def bare(self, row: Row) -> Row:
        """The row with all its values beside its columns, for one that PostgreSQL refuses otherwise."""
        *cells, kept = row.cells.decode().split("\t")
        values = {name: unescaped(cell) for name, cell in zip(self.filled, cells, strict=True) if cell != NULL}
        if kept != NULL:
            values[RAW] = unescaped(kept)
        return self._row(row.id, [NULL] * len(cells), values)

    def _from_raw(self, raw: Mapping[str, Any]) -> list[str]:
        """The hot path of a read: most values have been met before, and cost no more than looking them up."""
        get = raw.get
        try:
            cells = [known[value] for known, value in zip(self._memories, map(get, self._keys), strict=True)]
        except TypeError:
            # A list where none should be cannot be looked up.
            cells = [known.__missing__(raw.get(known.column.key)) for known in self._memories]
        for lists, value in zip(self._of_lists, map(get, self._list_keys), strict=True):
            if value is False:
                cells.append(lists.at_false)
            else:
                cells.append(NULL if value is None else lists.cell(value))
        return cells

    def _row(self, number: str, cells: list[str], misfits: dict[str, Any]) -> Row:
        """Empty cells at the end of each part do not count for the mark: it outlives new columns as well."""
        count = len(self._plain)
        parts = [_marked(part, gaps) for part, gaps in zip((cells[:count], cells[count:]), self._gaps, strict=True)]
        kept = (escaped(as_json(misfits)) if misfits else NULL).encode("utf-8", "replace")
        digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16)
        digest.update(kept)
        line = b"%b\t%b" % ("\t".join(cells).encode("utf-8", "replace"), kept) if cells else kept
        return Row(number, line, digest.hexdigest(), tuple(misfits))


def id_fits(number: str, id_type: str) -> bool:
    """Whether a record's id can be the table's key."""
    if id_type != ColumnType.BIGINT:
        return "\0" not in number
    return number.isascii() and number.lstrip("-").isdecimal() and -(2**63) <= int(number) < 2**63


def _marked(cells: list[str], gaps: Sequence[int]) -> str:
    for place in gaps:
        cells.insert(place, NULL)
    end = len(cells)
    while end and cells[end - 1] == NULL:
        end -= 1
    return "\t".join(cells[:end])
