"""Commands of a `batch`: PHP's nested names in a query, and the answer taken apart (sheets 2 and 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from connectors.bitrix24.refusals import meaning
from connectors.core.errors import ApiError, ErrorKind

# `batch` takes no more; every list has this many records a page, and no parameter changes it (sheets 4 and 6).
MOST, PAGE = 50, 50


class Reference(str):
    """A value that the portal puts in from an earlier command's result, such as $result[p0][49][ID]."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Command:
    """One command; `key` is its name in the answer and begins with a letter, as PHP makes lists of numbers."""

    key: str
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        pairs = (f"{_name(path)}={_value(value)}" for path, value in _flat(self.params))
        return f"{self.method}?{'&'.join(pairs)}"


@lru_cache(maxsize=4_096)
def _name(path: str) -> str:
    return quote(path, safe="[]")


def _value(value: Any) -> str:
    """Of what people wrote every letter is encoded, so that it is never taken for a reference."""
    if isinstance(value, Reference):
        return value
    text = "" if value is None else str(value)
    return text if text.isascii() and text.isalnum() else quote(text, safe="")


def _flat(params: Mapping[str, Any] | Sequence[Any], path: str = "") -> Iterator[tuple[str, Any]]:
    items = params.items() if isinstance(params, Mapping) else enumerate(params)
    for name, value in items:
        at = f"{path}[{name}]" if path else str(name)
        if isinstance(value, Mapping | list | tuple):
            yield from _flat(value, at)
        else:
            yield at, value


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of the commands of one batch, by their keys. `seconds` is how long the whole took.

    `started` is when the portal took it up, by its own clock; None where it does not tell.
    """

    results: Mapping[str, Any]
    errors: Mapping[str, Any]
    nexts: Mapping[str, Any] = field(default_factory=dict)
    times: Mapping[str, Any] = field(default_factory=dict)
    started: datetime | None = None
    seconds: float = 0.0

    def error(self, key: str) -> ApiError | None:
        """Why a command gave no result; one that is in neither list was lost."""
        if key in self.errors:
            return meaning(self.errors[key])
        if key not in self.results:
            return ApiError(ErrorKind.TRANSIENT, "Bitrix24 did not say what became of a request.")
        return None

    def rows(self, key: str) -> list[dict[str, Any]]:
        """The records of a list command. Raises ApiError when it failed or is no list."""
        error = self.error(key)
        if error is not None:
            raise error
        found = self.results[key]
        if not isinstance(found, list):
            raise ApiError(ErrorKind.TRANSIENT, "Bitrix24's answer does not list records.")
        return found


def answer_of(body: Any, keys: Sequence[str], seconds: float) -> Answer:
    """Raises ApiError (TRANSIENT) when the body is not that of a batch. Empty maps arrive as lists (sheet 6)."""
    result = body.get("result") if isinstance(body, dict) else None
    if not isinstance(result, dict):
        raise ApiError(ErrorKind.TRANSIENT, "Bitrix24's answer is not that of a batch.")
    return Answer(
        _by_key(result.get("result"), keys),
        _by_key(result.get("result_error"), keys),
        _by_key(result.get("result_next"), keys),
        _by_key(result.get("result_time"), keys),
        moment(_member(body.get("time"), "date_start")),
        seconds,
    )


def _by_key(part: Any, keys: Sequence[str]) -> Mapping[str, Any]:
    if isinstance(part, dict):
        return part
    return dict(zip(keys, part, strict=False)) if isinstance(part, list) else {}


def _member(told: Any, name: str) -> Any:
    return told.get(name) if isinstance(told, dict) else None


def moment(text: Any) -> datetime | None:
    """A time as Bitrix24 writes it, None when unreadable or without its offset."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
