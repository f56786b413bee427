"""One column's values on their way into cells, from a record's values or straight from its raw ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connectors.core.types import RemoteRecord
from syncjobs.mirror.cells import ENCODERS, NULL, Misfit, structure
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


class Valued:
    """A column whose values the records tell."""

    def __init__(self, column: Column) -> None:
        self._column = column

    def cell(self, record: RemoteRecord, misfits: dict[str, Any]) -> str:
        key = self._column.key
        value = chosen(self._column, record.values.get(key), record.raw.get(key))
        return encoded(self._column, value, misfits)


class Memory:
    """A column whose values are made of raw ones by `reader`; the cells of those met before are kept in `known`.

    `at_false` is the cell of false, which some systems say where there is nothing.
    """

    __slots__ = ("_column", "_reader", "at_false", "key", "known")

    def __init__(self, column: Column, reader: Callable[[Any], Any] | None) -> None:
        self.key, self._column, self._reader = column.key, column, reader
        self.known: dict[str, str] = {}
        # A misfit is kept with each record that has it.
        misfits: dict[str, Any] = {}
        cell = self.cell(False, misfits)
        self.at_false: str | None = None if misfits else cell

    def cell(self, raw: Any, misfits: dict[str, Any]) -> str:
        if self._reader is None:
            return NULL
        if self._column.as_it_came and raw and isinstance(raw, list | dict):
            return structure(raw)
        value = chosen(self._column, self._reader(raw), raw)
        found = len(misfits)
        cell = encoded(self._column, value, misfits)
        if type(raw) is str and len(raw) <= _SHORT and len(self.known) < _REMEMBERED and len(misfits) == found:
            self.known[raw] = cell
        return cell


def chosen(column: Column, value: Any, raw: Any) -> Any:
    """The decoded value, or the remote's own where that says more; None for nothing."""
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
