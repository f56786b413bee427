"""Errors by the recovery they ask for. A connector raises or returns ApiError and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ErrorKind(StrEnum):
    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    AUTH = "auth"
    CONFIG = "config"
    DATA = "data"
    CONFLICT = "conflict"
    GONE = "gone"
    UNKNOWN = "unknown"
    BUG = "bug"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What the engine does with a kind: stop the run, retry the record by itself, count the attempt."""

    stops_run: bool
    retryable: bool
    counts_attempt: bool
    parks_connection: bool = False


RECOVERY: dict[ErrorKind, Recovery] = {
    ErrorKind.TRANSIENT: Recovery(stops_run=False, retryable=True, counts_attempt=True),
    ErrorKind.RATE_LIMITED: Recovery(stops_run=True, retryable=True, counts_attempt=False),
    ErrorKind.AUTH: Recovery(stops_run=True, retryable=True, counts_attempt=False, parks_connection=True),
    ErrorKind.CONFIG: Recovery(stops_run=True, retryable=True, counts_attempt=False, parks_connection=True),
    ErrorKind.DATA: Recovery(stops_run=False, retryable=False, counts_attempt=True),
    ErrorKind.CONFLICT: Recovery(stops_run=False, retryable=True, counts_attempt=True),
    ErrorKind.GONE: Recovery(stops_run=False, retryable=True, counts_attempt=True),
    ErrorKind.UNKNOWN: Recovery(stops_run=False, retryable=True, counts_attempt=True),
    ErrorKind.BUG: Recovery(stops_run=False, retryable=False, counts_attempt=True),
}


class CursorExpired(Exception):
    """Raised by `read`: the cursor is too old for the remote system, everything has to be read anew."""


class ApiError(Exception):
    """A remote call that did not do what was asked.

    `message` is a sentence for people and says what they can do; `detail` is for the log, already free of secrets
    and personal data; `retry_after` is in seconds; `existing_id` names the record that stands in the way.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        detail: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        field: str = "",
        existing_id: str = "",
        body: object = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.detail = detail
        self.status = status
        self.retry_after = retry_after
        self.field = field
        self.existing_id = existing_id
        self.body = body

    @property
    def recovery(self) -> Recovery:
        return RECOVERY[self.kind]

    def __repr__(self) -> str:
        return f"ApiError({self.kind}, {self.message!r}, status={self.status})"
