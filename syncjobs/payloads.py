"""A webhook's body as people see it: its keys and values, with what may be personal masked where it has to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.core.forms import Malformed, flat, parse_form
from syncjobs.models import InboundEvent

MASK = "***"
MOST_ROWS = 500
LONGEST_VALUE = 1000
# Names of ids, kinds and times; a value beside them is shown only when it looks like one, too.
_PLAIN_NAME = re.compile(
    r"(^|_)(id|type|event|action|status|code|enum|sort|ts|at|create|created|modified|updated)$", re.IGNORECASE
)
_PLAIN_VALUE = re.compile(r"\d{1,12}|[A-Za-z][A-Za-z_]{0,39}")
_SECRET_NAME = re.compile(r"token|secret|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Payload:
    """Rows of (key, value); `left_out` more are not shown. `text` stands for them where there are no keys."""

    rows: list[tuple[str, str]]
    left_out: int = 0
    text: str = ""


def payload(event: InboundEvent, *, masked: bool) -> Payload:
    """The body of an event. Secrets in it are never shown, people's data not when `masked`."""
    body = bytes(event.body)
    try:
        pairs = list(flat(_tree(body)))
    except Malformed:
        return Payload([], text=MASK if masked else body[:LONGEST_VALUE].decode("utf-8", "replace"))
    rows = [(_key(path, masked), _value(path, value, masked)) for path, value in pairs[:MOST_ROWS]]
    return Payload(rows, max(len(pairs) - MOST_ROWS, 0))


def _tree(body: bytes) -> Mapping[str, Any]:
    if body.lstrip()[:1] not in (b"{", b"["):
        return parse_form(body)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return parse_form(body)
    return found if isinstance(found, dict) else {"": found}


def _key(path: str, masked: bool) -> str:
    # A body without "=" is one long key.
    plain = re.fullmatch(r"[\w\[\]-]{1,200}", path, re.ASCII)
    return MASK if masked and not plain else path[:LONGEST_VALUE]


def _value(path: str, value: str, masked: bool) -> str:
    name = next((part for part in reversed(re.split(r"[\[\]]+", path)) if part and not part.isdecimal()), "")
    if _SECRET_NAME.search(name) and value:
        return MASK
    if masked and value and not (_PLAIN_NAME.search(name) and _PLAIN_VALUE.fullmatch(value)):
        return MASK
    return value[:LONGEST_VALUE]
