"""One column's values on their way into cells, a page at a time: from records, or straight from their raw values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.core.types import RemoteRecord
from syncjobs.mirror.cells import ENCODERS, NULL, Misfit, escaped, has_specials, structure
from syncjobs.mirror.types import ColumnType

# Of each column so many values are remembered, and only short ones.
_REMEMBERED, _SHORT = 2000, 64
_OF_TEXTS = frozenset({str, type(None)})

Reader = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A field and the column that holds it. One that is not `filled` keeps what it has: its field is gone."""

    key: str
    name: str
    type: str
    as_it_came: bool = False
    filled: bool = True


class Filler(Protocol):
    """Makes cells of a column's raw values. Both ways raise Misfit for a value that the column cannot hold."""

    def cell(self, raw: Any) -> str: ...

    def cells(self, raws: Sequence[Any]) -> list[str]: ...


class Texts:
    """A column of texts that are stored as they come; nearly all need no escaping, which one look at a page tells."""

    def __init__(self, column: Column) -> None:
        self._column = column

    def cell(self, raw: Any) -> str:
        if type(raw) is str:
            return escaped(raw) if raw else NULL
        return encoded(self._column, chosen(self._column, plain(raw), raw))

    def cells(self, raws: Sequence[Any]) -> list[str]:
        if _OF_TEXTS.issuperset(map(type, raws)) and not has_specials("".join(filter(None, raws))):
            return [raw or NULL for raw in raws]
        return list(map(self.cell, raws))


class Memory(dict[Any, str]):
    """A column whose values are made by the connector's `reader`: the cells of those met before, by raw value.

    Only texts and None are remembered: 0 and false would be taken for each other.
    """

    def __init__(self, column: Column, reader: Reader | None) -> None:
        super().__init__({None: NULL})
        self._column, self._reader = column, reader or plain

    def __missing__(self, raw: Any) -> str:
        cell = self.cell(raw)
        if type(raw) is str and len(raw) <= _SHORT and len(self) < _REMEMBERED:
            self[raw] = cell
        return cell

    def cell(self, raw: Any) -> str:
        return encoded(self._column, chosen(self._column, self._reader(raw), raw))

    def cells(self, raws: Sequence[Any]) -> list[str]:
        try:
            return list(map(self.__getitem__, raws))
        except TypeError:
            # A list where none should be cannot be looked up.
            return list(map(self.cell, raws))


class Lists:
    """A column of lists or of things with parts, none of which is likely to be met again."""

    def __init__(self, column: Column, reader: Reader | None) -> None:
        self._column, self._reader = column, reader or plain
        self._at_false = self.cell(False)

    def cell(self, raw: Any) -> str:
        if not (self._column.as_it_came and raw and isinstance(raw, list | dict)):
            raw = chosen(self._column, self._reader(raw), raw)
        return NULL if raw is None else structure(raw)

    def cells(self, raws: Sequence[Any]) -> list[str]:
        cell, at_false = self.cell, self._at_false
        return [NULL if raw is None else at_false if raw is False else cell(raw) for raw in raws]


def filler(column: Column, reader: Reader | None) -> Filler:
    """What makes the column's cells where a record's values depend on nothing but its raw ones."""
    if column.type == ColumnType.JSONB:
        return Lists(column, reader)
    return Memory(column, reader) if reader is not None or column.type != ColumnType.TEXT else Texts(column)


def filled(maker: Filler, column: Column, raws: Sequence[Any], misfits: dict[int, dict[str, Any]]) -> list[str]:
    """A page's cells of one column; what does not fit leaves its cell empty and goes to `misfits`, by its place."""
    if raws.count(None) == len(raws):
        return [NULL] * len(raws)
    try:
        return maker.cells(raws)
    except Misfit:
        return [_fitted(maker.cell, raw, place, column, misfits) for place, raw in enumerate(raws)]


def told(column: Column, records: Sequence[RemoteRecord], misfits: dict[int, dict[str, Any]]) -> list[str]:
    """A page's cells of a column whose values only the records can tell."""

    def cell(record: RemoteRecord) -> str:
        return encoded(column, chosen(column, record.values.get(column.key), record.raw.get(column.key)))

    return [_fitted(cell, record, place, column, misfits) for place, record in enumerate(records)]


def _fitted(
    cell: Callable[[Any], str], raw: Any, place: int, column: Column, misfits: dict[int, dict[str, Any]]
) -> str:
    try:
        return cell(raw)
    except Misfit as e:
        misfits.setdefault(place, {})[column.name] = e.value
        return NULL


def plain(raw: Any) -> Any:
    """A field's value where the connector has no reader for it."""
    return None if raw is False or raw in ("", []) else raw


def chosen(column: Column, value: Any, raw: Any) -> Any:
    """The decoded value, or the remote's own where that says more; None for nothing."""
    if type(value) is str:
        return value
    if value is None or value == []:
        return None
    if column.as_it_came:
        # Ids and kinds of a list's members are in the raw one alone.
        return raw if isinstance(raw, list | dict) else value
    if column.type == ColumnType.NUMERIC and isinstance(raw, str) and isinstance(value, int | float):
        # A float holds no more than 17 digits.
        return raw
    return value


def encoded(column: Column, value: Any) -> str:
    """The cell. Raises Misfit, with the value, where the column cannot hold it."""
    if value is None:
        return NULL
    try:
        return ENCODERS[column.type](value)
    except (Misfit, ValueError, OverflowError):
        raise Misfit(value) from None
