"""What Bitrix24's refusals mean (sheet 8). Its own texts are not passed on, as they may quote values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.replies import Reply, retry_after

QUERY_LIMIT, OPERATING_LIMIT = "QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT"
# Without a Retry-After. The bucket drains while nobody asks; the oldest minute of a method's time leaves after one.
FIRST_WAIT, OPERATING_WAIT = 1.5, 60.0

_WITHDRAWN = "Bitrix24 no longer accepts this webhook or token: it was deleted or changed there. Enter the new one."
_RIGHTS = (
    "The employee behind the Bitrix24 connection lacks a right, or the webhook lacks the scope crm: make it as an "
    "administrator and tick crm."
)
_PLAN = "The portal's plan does not include the REST API, or it is not paid; the sync goes on once it is."
_APPLICATION_ONLY = "Bitrix24 allows this to local applications only: connect by application instead of a webhook."
_NO_METHOD = (
    "Bitrix24 does not know this method: compare the webhook's address with the one shown there, to the last slash."
)
_OVERLOADED = "Bitrix24 has blocked the portal for overload (HTTP 503); ask its support, then test the credentials."
_DELETED = "The portal has been closed."
_BROKEN = "Bitrix24 has a problem of its own."
_BATCH = "Bitrix24 refused a batch of requests."

_SENTENCES: dict[str, tuple[ErrorKind, str]] = {
    QUERY_LIMIT: (ErrorKind.RATE_LIMITED, "Bitrix24 asks for a pause (HTTP 503)."),
    OPERATING_LIMIT: (ErrorKind.RATE_LIMITED, "Bitrix24's time for this method is used up for some minutes."),
    "OVERLOAD_LIMIT": (ErrorKind.CONFIG, _OVERLOADED),
    "EXPIRED_TOKEN": (ErrorKind.AUTH, _WITHDRAWN),
    "INVALID_TOKEN": (ErrorKind.AUTH, _WITHDRAWN),
    "NO_AUTH_FOUND": (ErrorKind.AUTH, _WITHDRAWN),
    "INSUFFICIENT_SCOPE": (ErrorKind.CONFIG, _RIGHTS),
    "INVALID_CREDENTIALS": (ErrorKind.CONFIG, _RIGHTS),
    "USER_ACCESS_ERROR": (ErrorKind.CONFIG, _RIGHTS),
    "ALLOWED_ONLY_INTRANET_USER": (ErrorKind.CONFIG, _RIGHTS),
    "ACCESS_DENIED": (ErrorKind.CONFIG, _RIGHTS),
    "PAYMENT_REQUIRED": (ErrorKind.CONFIG, _PLAN),
    "WRONG_AUTH_TYPE": (ErrorKind.CONFIG, _APPLICATION_ONLY),
    "ERROR_METHOD_NOT_FOUND": (ErrorKind.CONFIG, _NO_METHOD),
    "INVALID_REQUEST": (ErrorKind.CONFIG, "Bitrix24 takes webhooks over https:// only: correct the address."),
    "PORTAL_DELETED": (ErrorKind.CONFIG, _DELETED),
    "ERROR_BATCH_LENGTH_EXCEEDED": (ErrorKind.BUG, _BATCH),
    "ERROR_BATCH_METHOD_NOT_ALLOWED": (ErrorKind.BUG, _BATCH),
    "INTERNAL_SERVER_ERROR": (ErrorKind.TRANSIENT, _BROKEN),
    "ERROR_UNEXPECTED_ANSWER": (ErrorKind.TRANSIENT, _BROKEN),
}
_GONE = "Bitrix24 no longer has this record, or it may not be seen: it was deleted or merged there."
_WRONG_EMAIL = "Bitrix24 takes this for no e-mail address; correct it."
_WRONG_DATA = "Bitrix24 refused this record's data; correct the value or the field rule."


def read_refusal(reply: Reply) -> ApiError | None:
    """The meaning of an answer that is not 2xx; None where only its status speaks."""
    if 300 <= reply.status < 400:
        host = urlsplit(reply.headers.get("location", "")).hostname or "another address"
        # A redirected POST would lose its body, and the secret would go to whoever is named (sheet 1.1).
        sentence = f"The portal has moved to {host}: enter the new address."
        return ApiError(ErrorKind.CONFIG, sentence, status=reply.status)
    found = in_body(reply)
    if found is None and reply.status == 401:
        return ApiError(ErrorKind.AUTH, _WITHDRAWN, status=401)
    if found is None and reply.status == 403:
        return ApiError(ErrorKind.CONFIG, _RIGHTS, status=403)
    return found


def in_body(reply: Reply) -> ApiError | None:
    """What the body complains about: the presence of `error` is a failure even on 200. None when it does not."""
    body: Mapping[str, Any] = reply.json if isinstance(reply.json, dict) else {}
    if "error" not in body:
        return None
    error = meaning(body, reply.status)
    if error.kind is ErrorKind.RATE_LIMITED:
        error.retry_after = retry_after(reply.headers) or error.retry_after
    return error


def meaning(complaint: Any, status: int | None = None) -> ApiError:
    """The error of a body, or of one command in `result_error`; decided by code, else by the words that are known."""
    told: Mapping[str, Any] = complaint if isinstance(complaint, dict) else {"error": complaint}
    code, text = str(told.get("error") or "").upper(), str(told.get("error_description") or "").lower()
    if status == 401:
        return ApiError(ErrorKind.AUTH, _WITHDRAWN, status=status, detail=code)
    if code in _SENTENCES:
        kind, sentence = _SENTENCES[code]
        wait = {QUERY_LIMIT: FIRST_WAIT, OPERATING_LIMIT: OPERATING_WAIT}.get(code)
        return ApiError(kind, sentence, status=status, detail=code, retry_after=wait)
    if "access denied" in text:
        return ApiError(ErrorKind.CONFIG, _RIGHTS, status=status, detail=code)
    if code == "NOT_FOUND" or "not found" in text or "id is not defined or invalid" in text:
        return ApiError(ErrorKind.GONE, _GONE, status=status, detail=code)
    if status is not None and status >= 500:
        return ApiError(ErrorKind.TRANSIENT, _BROKEN, status=status, detail=code)
    if "mail" in text:
        return ApiError(ErrorKind.DATA, _WRONG_EMAIL, status=status, detail=code, field="EMAIL")
    return ApiError(ErrorKind.DATA, _WRONG_DATA, status=status, detail=code)
