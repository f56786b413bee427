"""The meaning of the People API's refusals. Never with Google's own text, which may quote values."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.replies import Reply, retry_after

FULL = "MY_CONTACTS_OVERFLOW_COUNT"
EXPIRED_SYNC_TOKEN = "EXPIRED_SYNC_TOKEN"  # noqa: S105 - the name of a reason, not a secret
INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, ABORTED = 3, 5, 9, 10
# The first page of a full read has a quota of its own, of unknown size: not to be asked for again at once.
FULL_READ_PAUSE = 300.0
_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
# The daily quota begins anew at midnight there (sheet 5, unconfirmed).
_QUOTA_ZONE = "America/Los_Angeles"

ACCOUNT_FULL = (
    "The Google account is full: it holds 25,000 contacts at most, those in its trash included. Delete some there, "
    "empty the trash, then retry."
)
CHANGED = "The contact was changed in Google in the meantime; it is read and planned again."
GONE = "Google no longer has this contact: it was deleted or merged there."
REFUSED = "Google refused this contact's data; correct it, or the field rules."
_SIGNED_OUT = "Google authentication failed (HTTP 401): the access token is wrong, expired or withdrawn."
_DISABLED = (
    "The People API is not enabled in the Google Cloud project: enable it there under APIs & Services, wait a few "
    "minutes, and test the credentials."
)
_NO_SCOPE = "The access that was given does not include contacts: press Reconnect, and leave the box for them ticked."
_FORBIDDEN = "Google does not allow this (HTTP 403); the account's administrator may have restricted it."
_ELSEWHERE = "Google does not know this address (HTTP 404); check the API address of the connection."
_DAY_OVER = "Google's quota for this day is used up; the rest goes on tomorrow."
_FULL_READ = "Google asks for a pause before everything is read once more (HTTP 429)."
_PAUSE = "Google asks for a pause (HTTP 429): the quota of this minute is used up."


def read_refusal(reply: Reply) -> ApiError | None:
    """A refusal in words, None for one that has no meaning of its own here."""
    error = _error(reply.json)
    if FULL in str(error.get("message") or ""):
        return ApiError(ErrorKind.DATA, ACCOUNT_FULL, status=reply.status, detail=FULL)
    match reply.status:
        case 400:
            return _bad_request(reply, error)
        case 401:
            return ApiError(ErrorKind.AUTH, _SIGNED_OUT, status=401)
        case 403:
            return _forbidden(reply, error)
        case 404:
            # A wrong path is answered with a page, a missing contact with JSON.
            kind, sentence = (ErrorKind.GONE, GONE) if error else (ErrorKind.CONFIG, _ELSEWHERE)
            return ApiError(kind, sentence, status=404, body=reply.json)
        case 409 if error.get("status") == "ABORTED":
            sentence = "Another program is writing to this Google account; it is tried again."
            return ApiError(ErrorKind.TRANSIENT, sentence, status=409)
        case 429:
            return _too_many(reply, error)
    return None


def reason_of(body: Any) -> str:
    """The reason that an error's details name, such as RATE_LIMIT_EXCEEDED."""
    return str(info_of(body).get("reason") or "")


def info_of(body: Any) -> Mapping[str, Any]:
    """The google.rpc.ErrorInfo of an error, empty where there is none."""
    return next((detail for detail in _details(body) if "reason" in detail), {})


def contact_errors(body: Any) -> dict[str, int]:
    """The code of every contact that a refused batch names: by its index, or by its resource name."""
    listed = (detail.get("contactErrors") for detail in _details(body))
    named: Mapping[str, Any] = next((errors for errors in listed if isinstance(errors, dict)), {})
    return {str(name): int(held.get("code") or 0) for name, held in named.items() if isinstance(held, dict)}


def error_of_code(code: int) -> ApiError:
    """What one contact of a batch failed with, by its google.rpc code."""
    if code == NOT_FOUND:
        return ApiError(ErrorKind.GONE, GONE, detail="NOT_FOUND")
    if code in (FAILED_PRECONDITION, ABORTED):
        return ApiError(ErrorKind.CONFLICT, CHANGED, detail="FAILED_PRECONDITION")
    return ApiError(ErrorKind.DATA, REFUSED, detail=f"code {code}")


def _error(body: Any) -> Mapping[str, Any]:
    held = body.get("error") if isinstance(body, dict) else None
    return held if isinstance(held, dict) else {}


def _details(body: Any) -> Iterator[Mapping[str, Any]]:
    details = _error(body).get("details")
    yield from (d for d in details if isinstance(d, dict)) if isinstance(details, list) else ()


def _bad_request(reply: Reply, error: Mapping[str, Any]) -> ApiError:
    if reason_of(reply.json) == EXPIRED_SYNC_TOKEN:
        sentence = "Google has forgotten where the last read ended; everything is read anew."
        return ApiError(ErrorKind.DATA, sentence, status=400, detail=EXPIRED_SYNC_TOKEN)
    code = str(error.get("status") or "")
    # A missing etag is a bug of ours, reported as INVALID_ARGUMENT or, in batches, as FAILED_PRECONDITION.
    stale = code == "FAILED_PRECONDITION" and "must set person.etag" not in str(error.get("message") or "")
    if stale:
        return ApiError(ErrorKind.CONFLICT, CHANGED, status=400, detail=code, body=reply.json)
    violations = next((d["fieldViolations"] for d in _details(reply.json) if "fieldViolations" in d), None)
    first = violations[0] if isinstance(violations, list) and violations and isinstance(violations[0], dict) else {}
    field = str(first.get("field") or "")
    return ApiError(ErrorKind.DATA, REFUSED, status=400, field=field, detail=code, body=reply.json)


def _forbidden(reply: Reply, error: Mapping[str, Any]) -> ApiError:
    listed = error.get("errors")
    old = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    reason = reason_of(reply.json) or str(old.get("reason") or "")
    if reason in _RATE_REASONS:
        return _too_many(reply, error)
    sentence = {"SERVICE_DISABLED": _DISABLED, "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _NO_SCOPE}.get(reason, _FORBIDDEN)
    return ApiError(ErrorKind.CONFIG, sentence, status=403, detail=reason)


def _too_many(reply: Reply, error: Mapping[str, Any]) -> ApiError:
    told, said = retry_after(reply.headers), str([error.get("message"), error.get("details")])
    if "FBS quota limit exceeded" in said:
        return _paused(reply, _FULL_READ, told or FULL_READ_PAUSE)
    if "per day" in said or "PerDay" in said or "Daily" in said:
        return _paused(reply, _DAY_OVER, told or _until_tomorrow())
    # Without a word the minute has to pass; jitter keeps several hubs from coming back together.
    return _paused(reply, _PAUSE, random.uniform(30.0, 60.0) if told is None else told)  # noqa: S311 - no secret


def _paused(reply: Reply, sentence: str, seconds: float) -> ApiError:
    return ApiError(ErrorKind.RATE_LIMITED, sentence, status=reply.status, retry_after=seconds)


def _until_tomorrow() -> float:
    now = datetime.now(ZoneInfo(_QUOTA_ZONE))
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
    return max((midnight.astimezone(UTC) - now.astimezone(UTC)).total_seconds(), 60.0)
