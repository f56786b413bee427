"""What came back: the answer, its JSON, and the general reading of refusals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

import orjson

from connectors.core.errors import ApiError, ErrorKind

_NO_BODY = frozenset({204, 205, 304})


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; header names are in lower case. `seconds` is how long it took, from the request's start."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @cached_property
    def json(self) -> Any:
        """The decoded body, None when there is none or it is not JSON."""
        if not self.content:
            return None
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return None

    def member(self, *path: str | int) -> Any:
        """A value deep inside the JSON, None when any step is missing or of another type."""
        at = self.json
        for step in path:
            if isinstance(step, str) and isinstance(at, dict):
                at = at.get(step)
            elif isinstance(step, int) and isinstance(at, list) and step < len(at):
                at = at[step]
            else:
                return None
        return at


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header, given as seconds or as a date; None without a readable one."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    until = http_date(value)
    if until is None:
        return None
    # By the server's own clock where it tells it: ours may differ.
    now = http_date(headers.get("date", "")) or datetime.now(UTC)
    return max((until - now).total_seconds(), 0.0)


def http_date(text: str) -> datetime | None:
    """A date as HTTP writes it, None when unreadable."""
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def classify_reply(reply: Reply, expects_json: bool) -> ApiError | None:
    """The general reading of an answer; None when it is a good one."""
    status = reply.status
    if reply.ok:
        if expects_json and status not in _NO_BODY and reply.json is None:
            return _error(ErrorKind.TRANSIENT, reply, "The answer was not the expected JSON, or only part of it.")
        return None
    if 300 <= status < 400:
        return _error(ErrorKind.CONFIG, reply, "The address redirects elsewhere; enter the final address.")
    kind, sentence = _BY_STATUS.get(status, (None, ""))
    if kind is None:
        if status >= 500:
            kind, sentence = ErrorKind.TRANSIENT, f"The server has a problem of its own (HTTP {status})."
        else:
            kind, sentence = ErrorKind.DATA, f"The request was refused (HTTP {status})."
    return _error(kind, reply, sentence)


_BY_STATUS: dict[int, tuple[ErrorKind, str]] = {
    401: (ErrorKind.AUTH, "The credentials were refused (HTTP 401)."),
    402: (ErrorKind.CONFIG, "The account's plan does not allow this (HTTP 402)."),
    403: (ErrorKind.CONFIG, "The credentials lack a permission (HTTP 403)."),
    404: (ErrorKind.GONE, "There is no such record (HTTP 404)."),
    407: (ErrorKind.CONFIG, "A proxy asks for credentials (HTTP 407)."),
    408: (ErrorKind.TRANSIENT, "The server waited too long for the request (HTTP 408)."),
    409: (ErrorKind.CONFLICT, "The record exists already (HTTP 409)."),
    410: (ErrorKind.GONE, "The record is gone (HTTP 410)."),
    412: (ErrorKind.CONFLICT, "The record has changed in the meantime (HTTP 412)."),
    423: (ErrorKind.TRANSIENT, "The record is locked for a moment (HTTP 423)."),
    425: (ErrorKind.TRANSIENT, "The record is still being processed (HTTP 425)."),
    429: (ErrorKind.RATE_LIMITED, "Too many requests (HTTP 429)."),
}


def _error(kind: ErrorKind, reply: Reply, message: str) -> ApiError:
    return ApiError(kind, message, status=reply.status, retry_after=retry_after(reply.headers), body=reply.json)
