"""Bitrix24's values both ways, and its records (sheet 5). Pure.

Classic methods answer nearly everything as texts and the empty value in many ways: null, "", false, [] and, of
references, "0" all mean that nothing is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from connectors.bitrix24.commands import moment
from connectors.bitrix24.entities import CHANGED, CREATED, EMAIL, ID, PHONE
from connectors.bitrix24.points import decode_points
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import FieldSpec, FieldType, RemoteRecord

Reader = Callable[[Any], Any]

_TRUE, _FALSE = ("Y", "1", 1, True), ("N", "0", 0, False)
_SAID_TRUE = frozenset({"true", "1", "yes", "y", "да", "on"})


def is_empty(value: Any) -> bool:
    """Whether a value of the wire means that there is none."""
    return not value and (value is None or value is False or value in ("", [], {}))


class Values(Mapping[str, Any]):
    """A record's values by field key, each decoded when it is asked for; what does not fit its type stays as it came.

    `readers` are the fields that the account has; of `lists` one that the portal left out is empty.
    """

    __slots__ = ("_lists", "_raw", "_readers")

    def __init__(self, raw: Mapping[str, Any], readers: Callable[[], Mapping[str, Reader]], lists: tuple[str, ...]):
        self._raw, self._readers, self._lists = raw, readers, lists

    def __getitem__(self, key: str) -> Any:
        if key not in self._raw:
            if key in self._lists:
                return []
            raise KeyError(key)
        return self._readers()[key](self._raw[key])

    def __iter__(self) -> Iterator[str]:
        known = self._readers()
        yield from (key for key in self._raw if key in known)
        yield from (key for key in self._lists if key not in self._raw)

    def __len__(self) -> int:
        return sum(1 for _key in self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)})"


def record_of(
    raw: Mapping[str, Any], readers: Callable[[], Mapping[str, Reader]], lists: tuple[str, ...]
) -> RemoteRecord:
    """A record as it was listed; `raw` is the very same object."""
    number, changed = str(raw[ID]), raw.get(CHANGED)
    values = Values(raw, readers, lists)
    return RemoteRecord(number, values, str(changed or ""), moment(changed), moment(raw.get(CREATED)), number, raw)


def reader_of(spec: FieldSpec) -> Reader:
    """Decodes one field's values."""
    if spec.type in (FieldType.EMAILS, FieldType.PHONES):
        return decode_points
    one = _READERS.get(spec.type, _as_it_is)
    if spec.remote_type not in ("integer", "double", "string") and spec.type is FieldType.INTEGER:
        one = _reference
    if spec.multiple and spec.type is not FieldType.JSON:
        return lambda value: _several(value, one)
    return lambda value: _single(value, one)


def _single(value: Any, one: Reader) -> Any:
    if is_empty(value) and one is not _yes_or_no:
        return None
    try:
        return one(value)
    except (TypeError, ValueError, OverflowError):
        return value


def _several(value: Any, one: Reader) -> list[Any]:
    if isinstance(value, list) and all(value):
        # None of them is empty: what they nearly always are, and quickly told.
        try:
            return list(map(one, value))
        except (TypeError, ValueError, OverflowError):
            pass
    if is_empty(value):
        return []
    return [_single(item, one) for item in (value if isinstance(value, list) else [value])]


def _as_it_is(value: Any) -> Any:
    return value


def _whole(value: Any) -> int:
    return int(value)


def _reference(value: Any) -> int | None:
    return int(value) or None


def _number(value: Any) -> int | float:
    number = float(value)
    return int(number) if number.is_integer() else number


def _yes_or_no(value: Any) -> bool | None:
    if value in ("", None):
        return None
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ValueError


def _day(value: Any) -> date:
    # Midnight of whatever zone the server is in: converted, birthdays would move by a day (sheet 5).
    return date.fromisoformat(str(value)[:10])


def _choice(value: Any) -> str:
    return str(value)


_READERS: dict[FieldType, Reader] = {
    FieldType.INTEGER: _whole,
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _yes_or_no,
    FieldType.DATE: _day,
    FieldType.DATETIME: lambda value: datetime.fromisoformat(str(value)),
    FieldType.CHOICE: _choice,
    FieldType.CHOICES: _choice,
}


def encode(value: Any, spec: FieldSpec) -> Any:
    """A member of `fields`, multifields aside; "" clears it. Raises ApiError (DATA) for what does not fit."""
    if spec.multiple:
        wanted = value if isinstance(value, list | tuple) else [] if value in (None, "") else [value]
        return [_encoded(item, spec) for item in wanted] or ""
    return "" if value in (None, "", []) else _encoded(value, spec)


def _encoded(value: Any, spec: FieldSpec) -> str:
    match spec.type:
        case FieldType.CHOICE | FieldType.CHOICES:
            return _option(str(value), spec)
        case FieldType.BOOLEAN:
            said = value if isinstance(value, bool) else str(value).strip().lower() in _SAID_TRUE
            # A standard field takes Y and N, a user field what it answers with (sheet 5).
            return ("1" if said else "0") if spec.remote_type == "boolean" else ("Y" if said else "N")
        case FieldType.INTEGER | FieldType.NUMBER:
            return _numeral(value, spec)
        case FieldType.DATE | FieldType.DATETIME:
            return _moment(value, spec)
    return value.isoformat() if isinstance(value, date) else str(value)


def _misfit(spec: FieldSpec, what: str) -> ApiError:
    return ApiError(ErrorKind.DATA, f"Bitrix24's field “{spec.label}” takes {what} only.", field=spec.key)


def _option(text: str, spec: FieldSpec) -> str:
    """The code of an option that is named by its code or its label; without a list, what was given."""
    codes = dict(spec.options)
    if text in codes or not codes:
        return text
    folded = {" ".join(label.split()).casefold(): code for code, label in spec.options}
    try:
        return folded[" ".join(text.split()).casefold()]
    except KeyError:
        raise _misfit(spec, "the options of its list") from None


def _numeral(value: Any, spec: FieldSpec) -> str:
    try:
        number = float(str(value))
        if not math.isfinite(number) or (spec.type is FieldType.INTEGER and not number.is_integer()):
            raise ValueError
    except ValueError:
        raise _misfit(spec, "a whole number" if spec.type is FieldType.INTEGER else "a number") from None
    return str(value)


def _moment(value: Any, spec: FieldSpec) -> str:
    """A day, or a time with its offset: without one it would be read as the server's (sheet 4)."""
    try:
        at = value if isinstance(value, date) else datetime.fromisoformat(str(value))
    except ValueError:
        raise _misfit(spec, "a date") from None
    if spec.type is FieldType.DATE:
        return at.isoformat()[:10]
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day, tzinfo=UTC)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat(timespec="seconds")


def is_list(key: str) -> bool:
    """Whether a field is one of the lists whose values have ids of their own and are written by them."""
    return key in (EMAIL, PHONE)
