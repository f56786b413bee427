"""Brevo over HTTP: credentials, the two rate limits, the meaning of its refusals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.brevo.wire import PHONES
from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient
from connectors.core.redact import without_personal_data
from connectors.core.replies import Reply, retry_after
from connectors.core.types import RateLimit

CONTACTS_LIMIT = RateLimit(10, 1.0)
# Everything outside /contacts, the state of imports too, shares 100 an hour with all tools of the account.
ACCOUNT = "account"
ACCOUNT_LIMIT = RateLimit(100, 3600.0, name=ACCOUNT, burst=30)
# The unit of the reset header is not certain, and huge values are reported: ask again rather than trust one.
LONGEST_RESET = 60.0
BUSY_WAIT = 5.0
PROCESSING_WAIT = 2.0
SHARED_PHONE = "Sent without the phone, which another Brevo contact already has."
BAD_PHONE = "Sent without the phone, which Brevo does not accept; correct it."
_ABOUT_PHONE = re.compile(r"phone|sms|mobile|whatsapp|landline", re.IGNORECASE)


class BrevoClient(ApiClient):
    """The HTTP client with Brevo's key, limits and error bodies. `rps` replaces the documented limit, 0 ends all."""

    def __init__(self, context: Context, base_url: str, *, account: str, rps: float | None) -> None:
        key = context.secret("api_key")
        contacts = CONTACTS_LIMIT if rps is None else RateLimit(rps, 1.0) if rps > 0 else None
        super().__init__(
            context,
            with_version(base_url),
            limits=(contacts, ACCOUNT_LIMIT) if contacts is not None else (),
            account=account,
            sign=lambda headers: headers.update({"api-key": key}),
            classify=read_refusal,
        )


def with_version(base_url: str) -> str:
    """The address with the API's version, which people leave out: https://api.brevo.com means …/v3."""
    trimmed = base_url.rstrip("/")
    return trimmed if re.search(r"/v\d+$", trimmed) else f"{trimmed}/v3"


def read_refusal(reply: Reply) -> ApiError | None:
    """Brevo's own meaning of a refused answer, None where the general reading will do."""
    body: Mapping[str, Any] = reply.json if isinstance(reply.json, dict) else {}
    match reply.status:
        case 400:
            return _bad_request(body)
        case 401:
            return _unauthorized(body)
        case 425:
            sentence = "Brevo is still processing the contact."
            return ApiError(ErrorKind.TRANSIENT, sentence, status=425, retry_after=PROCESSING_WAIT)
        case 429:
            return _too_many(reply)
    return None


def duplicates(error: ApiError) -> list[str]:
    """The identifiers, in upper case, by which another contact stands in the way."""
    body = error.body if isinstance(error.body, dict) else {}
    metadata = body.get("metadata")
    names = metadata.get("duplicate_identifiers") if isinstance(metadata, dict) else None
    return [str(n).upper() for n in names] if isinstance(names, list) else []


def refused_phone(error: ApiError) -> str:
    """The warning with which a contact may go out without its phones, "" where they are not what is wrong."""
    names = duplicates(error)
    if names:
        return SHARED_PHONE if set(names) <= set(PHONES) else ""
    body = error.body if isinstance(error.body, dict) else {}
    about_phone = _ABOUT_PHONE.search(str(body.get("message") or ""))
    return BAD_PHONE if error.status == 400 and about_phone else ""


def _bad_request(body: Mapping[str, Any]) -> ApiError:
    code = str(body.get("code") or "")
    message = without_personal_data(str(body.get("message") or ""))
    if code == "account_in_process":
        sentence = "Brevo is busy with another import of this account."
        return ApiError(ErrorKind.TRANSIENT, sentence, status=400, retry_after=BUSY_WAIT, detail=code)
    error = ApiError(
        ErrorKind.DATA, f"Brevo refused this contact: {message or code or 'no reason given'}", status=400, body=body
    )
    error.detail = code
    names = duplicates(error)
    if names:
        listed = ", ".join(names)
        error.kind = ErrorKind.CONFLICT
        error.message = f"Another Brevo contact already has this {listed}; merge the two there or change one."
    return error


def _unauthorized(body: Mapping[str, Any]) -> ApiError:
    message = str(body.get("message") or "")
    if " ip" in f" {message.lower()}":
        sentence = "Brevo refused this server's IP address (HTTP 401): allow it under Security -> Authorised IPs."
    else:
        sentence = "Brevo API authentication failed (HTTP 401): the API key is wrong or was deleted."
    return ApiError(ErrorKind.AUTH, sentence, status=401, detail=str(body.get("code") or ""))


def _too_many(reply: Reply) -> ApiError:
    asked = retry_after(reply.headers)
    if asked is None:
        text = reply.headers.get("x-sib-ratelimit-reset", "")
        asked = float(text) if text.replace(".", "", 1).isdigit() else 1.0
    wait = min(max(asked, 0.5), LONGEST_RESET)
    return ApiError(ErrorKind.RATE_LIMITED, "Brevo asks for a pause (HTTP 429).", status=429, retry_after=wait)
