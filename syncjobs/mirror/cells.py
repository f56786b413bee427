"""Values as COPY's text format takes them. Pure; each encoder raises Misfit for what its column cannot hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson

from connectors.core.types import MultiValue
from syncjobs.mirror.types import ColumnType

NULL = "\\N"
Encoder = Callable[[Any], str]
# U+0000 has no place in PostgreSQL's texts.
_ESCAPES = {0: None, ord("\\"): "\\\\", ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}
_SPECIAL = re.compile(r"[\0\\\t\n\r]")
_ESCAPED = re.compile(r"\\([\\tnr])")
_UNESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
_NUMERAL = re.compile(r"[+-]?(\d{1,1000}(\.\d{0,1000})?|\.\d{1,1000})([eE][+-]?\d{1,3})?")
_WHOLE = re.compile(r"[+-]?\d{1,19}")
_MOST = 2**63
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


class Misfit(ValueError):
    """The value does not fit the type of its column."""

    def __init__(self, value: Any = None) -> None:
        super().__init__()
        self.value = value


def escaped(text: str) -> str:
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


def has_specials(text: str) -> bool:
    """Whether some of its characters have to be escaped."""
    return _SPECIAL.search(text) is not None


def unescaped(cell: str) -> str:
    """The text that a cell of COPY stands for."""
    return _ESCAPED.sub(lambda found: _UNESCAPES[found[1]], cell)


def text(value: Any) -> str:
    if type(value) is str:
        return escaped(value)
    if isinstance(value, dict | list | tuple):
        return escaped(as_json(value))
    return escaped(value.isoformat() if isinstance(value, date) else str(value))


def whole(value: Any) -> str:
    """Of a bigint: also from texts and from numbers without a fraction."""
    if type(value) is int and -_MOST <= value < _MOST:
        return str(value)
    if (type(value) is str and _WHOLE.fullmatch(value.strip())) or (type(value) is float and value.is_integer()):
        value = int(value)
    if type(value) is not int or not -_MOST <= value < _MOST:
        raise Misfit
    return str(value)


def number(value: Any) -> str:
    """Of a numeric, digit by digit where it came as a text."""
    if type(value) is str:
        found = value.strip()
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Misfit
    else:
        found = str(value)
    if not _NUMERAL.fullmatch(found):
        raise Misfit
    return found


def yes_or_no(value: Any) -> str:
    if value is True:
        return "t"
    if value is False:
        return "f"
    raise Misfit


def day(value: Any) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise Misfit


def moment(value: Any) -> str:
    """With its offset; a time without one is taken for UTC."""
    if not isinstance(value, datetime):
        raise Misfit
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


def structure(value: Any) -> str:
    """A jsonb."""
    try:
        found = orjson.dumps(value, default=_plain, option=_OPTIONS)
    except (TypeError, orjson.JSONEncodeError):
        found = b"\\"
    # JSON writes all that COPY minds with a backslash.
    return escaped(as_json(value)) if b"\\" in found else found.decode()


ENCODERS: dict[str, Encoder] = {
    ColumnType.TEXT: text,
    ColumnType.BIGINT: whole,
    ColumnType.NUMERIC: number,
    ColumnType.BOOLEAN: yes_or_no,
    ColumnType.DATE: day,
    ColumnType.TIMESTAMPTZ: moment,
    ColumnType.JSONB: structure,
}


def as_json(value: Any) -> str:
    """JSON that a jsonb takes: without U+0000, and with numbers of any size."""
    try:
        found = orjson.dumps(value, default=_plain, option=_OPTIONS)
        if b"\\u0000" not in found:
            return found.decode()
    except (TypeError, orjson.JSONEncodeError):
        pass
    return json.dumps(_clean(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, MultiValue):
        return {"value": value.value, "label": value.label, "primary": value.primary}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return str(value)


def _clean(value: Any) -> Any:
    """The same in JSON's types, for what the quick way cannot write."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_clean(str(name)): _clean(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(part) for part in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return _clean(value.isoformat() if isinstance(value, date) else _plain(value))
