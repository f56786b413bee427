"""A table's columns in their order, and records as rows of COPY."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from connectors.core.types import RemoteRecord
from syncjobs.mirror.cells import NULL, as_json, escaped, unescaped
from syncjobs.mirror.columns import Column, Reader, filled, filler, told
from syncjobs.mirror.names import RAW
from syncjobs.mirror.types import ColumnType

_EMPTY = f"\t{NULL}"
# Each half as long as the one before: taking each off once takes off any number of them.
_EMPTIES = [_EMPTY * length for length in (64, 32, 16, 8, 4, 2, 1)]


class Row(NamedTuple):
    """A record for COPY: its id, its line from the id to what did not fit, and the mark that tells of changes."""

    id: str
    line: bytes
    mark: str
    misfits: tuple[str, ...] = ()


@dataclass
class Layout:
    """The columns beside our own, in the order in which they were made: so the marks of rows outlive new columns.

    `readers` are the connector's, where the values of a record depend on nothing but its raw ones.
    """

    columns: Sequence[Column]
    id_type: str = ColumnType.TEXT
    readers: Mapping[str, Reader] | None = None

    def __post_init__(self) -> None:
        self._plain = [c for c in self.columns if c.type != ColumnType.JSONB]
        self._lists = [c for c in self.columns if c.type == ColumnType.JSONB]
        self._written = [c for c in (*self._plain, *self._lists) if c.filled]
        self._has_gaps = len(self._written) < len(self.columns)
        self._plain_count = sum(c.filled for c in self._plain)
        self._keys = [c.key for c in self._written]
        known = self.readers or {}
        self._fillers = [filler(c, known.get(c.key)) for c in self._written]

    @property
    def filled(self) -> list[str]:
        """The names of the columns that rows have cells for, in the order of the cells."""
        return [c.name for c in self._written]

    def rows(self, records: Sequence[RemoteRecord]) -> list[Row]:
        """Whatever does not fit its column is left out of it and kept beside, as it came."""
        if not records:
            return []
        misfits: dict[int, dict[str, Any]] = {}
        if self.readers is None:
            cells = [told(column, records, misfits) for column in self._written]
        else:
            made = zip(self._fillers, self._written, _by_key([r.raw for r in records], self._keys), strict=True)
            cells = [filled(filler, column, values, misfits) for filler, column, values in made]
        return self._rows([r.id for r in records], cells, misfits)

    def bare(self, row: Row) -> Row:
        """The row with all its values beside its columns, for one that PostgreSQL refuses otherwise."""
        _id, _mark, *cells, kept = row.line.decode().split("\t")
        values = {name: unescaped(cell) for name, cell in zip(self.filled, cells, strict=True) if cell != NULL}
        if kept != NULL:
            values[RAW] = unescaped(kept)
        (made,) = self._rows([row.id], [[NULL]] * len(cells), {0: values})
        return made

    def _rows(self, ids: Sequence[str], cells: Sequence[list[str]], misfits: dict[int, dict[str, Any]]) -> list[Row]:
        count = self._plain_count
        plain, lists = _Part.of(cells[:count], len(ids)), _Part.of(cells[count:], len(ids))
        marked = self._with_gaps(cells, len(ids)) if self._has_gaps else (plain.lines, lists.lines)
        keys = ids if self.id_type == ColumnType.BIGINT else map(escaped, ids)
        rows = []
        for place, (key, own, more, *parts) in enumerate(zip(keys, plain.lines, lists.lines, *marked, strict=True)):
            unfit = misfits.get(place)
            kept = escaped(as_json(unfit)) if unfit else NULL
            told = f"{_trimmed(parts[0])}\0{_trimmed(parts[1])}\0{kept}"
            mark = hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).hexdigest()
            line = f"{key}\t{mark}{own}{plain.rest}{more}{lists.rest}\t{kept}\n".encode("utf-8", "replace")
            rows.append(Row(ids[place], line, mark, tuple(unfit) if unfit else ()))
        return rows

    def _with_gaps(self, cells: Sequence[list[str]], count: int) -> tuple[list[str], list[str]]:
        """Columns whose fields are gone take part in the marks as empty ones do, so that these outlive them."""
        known, gap = iter(cells), [NULL] * count
        plain, lists = ([next(known) if c.filled else gap for c in part] for part in (self._plain, self._lists))
        return _Part.of(plain, count).lines, _Part.of(lists, count).lines


class _Part(NamedTuple):
    """The cells of each row of a page in one text, each after a tab; `rest` are those at the end that all lack."""

    lines: list[str]
    rest: str

    @classmethod
    def of(cls, cells: Sequence[list[str]], count: int) -> _Part:
        used = len(cells)
        while used and cells[used - 1].count(NULL) == count:
            used -= 1
        lines = ["\t" + line for line in map("\t".join, zip(*cells[:used], strict=True))] if used else [""] * count
        return cls(lines, _EMPTY * (len(cells) - used))


def _by_key(raws: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Iterator[Sequence[Any]]:
    """The raw values of a page, column by column. Records of a page nearly always have the same keys."""
    known = [key for key in keys if key in raws[0]]
    columns: dict[str, Sequence[Any]] = {}
    if len(known) > 1:
        with suppress(KeyError):
            columns = dict(zip(known, zip(*map(itemgetter(*known), raws), strict=True), strict=True))
    for key in keys:
        yield columns.get(key) or [raw.get(key) for raw in raws]


def id_fits(number: str, id_type: str) -> bool:
    """Whether a record's id can be the table's key."""
    if id_type != ColumnType.BIGINT:
        return "\0" not in number
    return number.isascii() and number.lstrip("-").isdecimal() and -(2**63) <= int(number) < 2**63


def _trimmed(line: str) -> str:
    """Without the empty cells at its end: so a row's mark outlives columns that are made later."""
    while line.endswith(_EMPTIES[0]):
        line = line[: -len(_EMPTIES[0])]
    if line.endswith(_EMPTY):
        for empties in _EMPTIES[1:]:
            line = line.removesuffix(empties)
    return line
