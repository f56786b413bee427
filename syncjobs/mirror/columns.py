"""One column's values on their way into cells, from a record's values or straight from its raw ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connectors.core.types import RemoteRecord
from syncjobs.mirror.cells import ENCODERS, NULL, Misfit, escaped, structure
from syncjobs.mirror.types import ColumnType

# Of each column so many values are remembered, and only short ones.
_REMEMBERED, _SHORT = 2000, 64


@dataclass(frozen=True, slots=True)
class Column:
    """A field and the column that holds it. One that is not `filled` keeps what it has: its field is gone."""

    key: str
    name: str
    type: str
    as_it_came: bool = False
    filled: bool = True


def cell_of(column: Column, record: RemoteRecord, misfits: dict[str, Any]) -> str:
    """The cell of a value that only the record can tell."""
    value = chosen(column, record.values.get(column.key), record.raw.get(column.key))
    return encoded(column, value, misfits)


class Memory(dict[Any, str]):
    """A column whose values are made of raw ones by the connector's `reader`: the cells of those met before, by raw.

    Only texts and None are remembered: 0 and false would be taken for each other. What does not fit goes to `misfits`.
    """

    def __init__(self, column: Column, reader: Callable[[Any], Any] | None, misfits: dict[str, Any]) -> None:
        super().__init__({None: NULL})
        self.column, self._reader, self._misfits = column, reader or plain, misfits
        self._is_text = reader is None and column.type == ColumnType.TEXT

    def __missing__(self, raw: Any) -> str:
        before = len(self._misfits)
        if self._is_text and type(raw) is str:
            cell = escaped(raw) if raw else NULL
        else:
            cell = encoded(self.column, chosen(self.column, self._reader(raw), raw), self._misfits)
        is_short = type(raw) is str and len(raw) <= _SHORT
        if is_short and len(self) < _REMEMBERED and len(self._misfits) == before:
            self[raw] = cell
        return cell


class Lists:
    """A column of lists or of things with parts, none of which is likely to be met again."""

    __slots__ = ("_misfits", "_reader", "at_false", "column")

    def __init__(self, column: Column, reader: Callable[[Any], Any] | None, misfits: dict[str, Any]) -> None:
        self.column, self._reader, self._misfits = column, reader or plain, misfits
        self.at_false = self.cell(False)
        misfits.clear()

    def cell(self, raw: Any) -> str:
        if self.column.as_it_came and raw and isinstance(raw, list | dict):
            return structure(raw)
        return encoded(self.column, chosen(self.column, self._reader(raw), raw), self._misfits)


def plain(raw: Any) -> Any:
    """A field's value where the connector has no reader for it."""
    return None if raw is False or raw in ("", []) else raw


def chosen(column: Column, value: Any, raw: Any) -> Any:
    """The decoded value, or the remote's own where that says more; None for nothing."""
    if type(value) is str:
        return value
    if column.as_it_came:
        # Ids and kinds of a list's members are in the raw one alone.
        return None if value is None or value == [] else raw if isinstance(raw, list | dict) else value
    if column.type == ColumnType.NUMERIC and isinstance(raw, str) and isinstance(value, int | float):
        # A float holds no more than 17 digits.
        return raw
    return value


def encoded(column: Column, value: Any, misfits: dict[str, Any]) -> str:
    """The cell; what does not fit leaves it empty and goes to the misfits."""
    if value is None:
        return NULL
    try:
        return ENCODERS[column.type](value)
    except (Misfit, ValueError, OverflowError):
        misfits[column.name] = value
        return NULL
