"""HubSpot over HTTP: addresses, the meaning of its refusals, and the limits it tells us."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient
from connectors.core.replies import Reply, retry_after
from connectors.core.types import RateLimit

# The smallest plan's burst; the answers tell the real one.
# Ten seconds are a long window: requests that arrive a little closer together do not matter.
MARGIN = 0.02
BURST = RateLimit(100, 10.0, margin=MARGIN)
# Search is counted apart, for the whole account. Its answers carry no headers to learn from.
SEARCH = RateLimit(5, 1.0, name="search", margin=0.1)
# The window is rolling: some of it is free again long before its ten seconds are over.
WINDOW_WAIT = 3.0
LOCK_WAIT = 2.0
MOVE_WAIT = 3600.0
UNKNOWN_MIDNIGHT_WAIT = 3600.0

_EXISTING_ID = re.compile(r"Existing ID:\s*(\d+)")
_FACTS_IN_MESSAGE = re.compile(r":\s*(\[.*\])\s*$", re.DOTALL)


class Addresses:
    """Paths of one API version: the classic `v3` and dated ones such as `2026-09` are built differently."""

    def __init__(self, version: str) -> None:
        dated = version[:1].isdigit()
        self.contacts = f"/crm/objects/{version}/contacts" if dated else f"/crm/{version}/objects/contacts"
        self.properties = f"/crm/properties/{version}/contacts" if dated else f"/crm/{version}/properties/contacts"
        self.account = "/account-info/v3/details"


class HubSpotClient(ApiClient):
    """The HTTP client with HubSpot's token, limits and error bodies. `rps` replaces the documented limit, 0 ends it."""

    def __init__(self, context: Context, base_url: str, *, account: str, rps: float | None) -> None:
        token = context.secret("access_token")
        self._learns = rps is None
        self.utc_offset: timedelta | None = None
        limits = (
            (BURST, SEARCH) if rps is None else (RateLimit(rps * 10, 10.0, margin=MARGIN), SEARCH) if rps > 0 else ()
        )
        super().__init__(
            context,
            base_url,
            limits=limits,
            account=account,
            sign=lambda headers: headers.update({"Authorization": f"Bearer {token}"}),
            classify=self._read_refusal,
            observe=self._learn,
        )

    def _learn(self, reply: Reply) -> None:
        if not self._learns:
            return
        try:
            requests = float(reply.headers["x-hubspot-ratelimit-max"])
            seconds = float(reply.headers.get("x-hubspot-ratelimit-interval-milliseconds", "10000")) / 1000
        except (KeyError, ValueError):
            return
        known = self.limit()
        if requests >= 1 and seconds > 0 and (known is None or (known.requests, known.seconds) != (requests, seconds)):
            self.set_limit(RateLimit(requests, seconds, margin=MARGIN))

    def _read_refusal(self, reply: Reply) -> ApiError | None:
        body: Mapping[str, Any] = reply.json if isinstance(reply.json, dict) else {}
        match reply.status:
            case 429:
                return self._rate_error(reply, body)
            case 401 | 403:
                return _access_error(reply, body)
            case 400:
                return value_error(body, status=400)
            case 409:
                return _conflict(body)
            case 423:
                wait = max(retry_after(reply.headers) or 0.0, LOCK_WAIT)
                return ApiError(ErrorKind.TRANSIENT, "HubSpot has locked the record.", status=423, retry_after=wait)
            case 477:
                wait = retry_after(reply.headers) or MOVE_WAIT
                sentence = "HubSpot is moving this account to another data centre; the sync goes on afterwards."
                return ApiError(ErrorKind.RATE_LIMITED, sentence, status=477, retry_after=wait)
        return None

    def _rate_error(self, reply: Reply, body: Mapping[str, Any]) -> ApiError:
        policy = str(body.get("policyName") or body.get("message") or "").upper()
        asked = retry_after(reply.headers)
        if "DAILY" in policy:
            sentence = "HubSpot's daily limit is used up; the sync goes on after the account's midnight."
            return ApiError(ErrorKind.RATE_LIMITED, sentence, status=429, retry_after=asked or self._until_midnight())
        # "ten_secondly" holds "secondly" as well.
        wait = 1.0 if "SECONDLY" in policy and "TEN_SECONDLY" not in policy else WINDOW_WAIT
        sentence = "HubSpot asks for a pause (HTTP 429)."
        return ApiError(ErrorKind.RATE_LIMITED, sentence, status=429, retry_after=asked if asked is not None else wait)

    def _until_midnight(self) -> float:
        """Seconds to the account's midnight; where its time zone is unknown, an hour, then we ask again."""
        if self.utc_offset is None:
            return UNKNOWN_MIDNIGHT_WAIT
        now = self.context.clock.now().astimezone(timezone(self.utc_offset))
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
        return (midnight - now).total_seconds()


def refusals(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(code, property) of every complaint: from `errors`, else from the JSON hidden in the message."""
    found: list[tuple[str, str]] = []
    for error in _objects(body.get("errors")):
        context = error.get("context")
        names = context.get("propertyName") if isinstance(context, dict) else None
        name = names[0] if isinstance(names, list) and names else error.get("name") or error.get("in") or ""
        if error.get("code"):
            found.append((str(error["code"]), str(name)))
    if found:
        return found
    hidden = _FACTS_IN_MESSAGE.search(str(body.get("message") or ""))
    if hidden is None:
        return []
    try:
        facts = orjson.loads(hidden[1])
    except orjson.JSONDecodeError:
        return []
    return [(str(f.get("error") or ""), str(f.get("name") or "")) for f in _objects(facts)]


def value_error(body: Mapping[str, Any], status: int | None = None) -> ApiError:
    """A refused record in words; never with HubSpot's own text, which quotes values."""
    complaints = refusals(body)
    code, name = complaints[0] if complaints else ("", "")
    sentence = _SENTENCES.get(code) or (
        f"HubSpot does not accept the value of the property {name}." if name else "HubSpot refused this contact's data."
    )
    if not code and "INVALID_EMAIL" in str(body.get("message") or "").upper().replace(" ", "_"):
        sentence, name = _SENTENCES["INVALID_EMAIL"], "email"
    detail = ", ".join(filter(None, (code or str(body.get("category") or ""), name, _correlation(body))))
    return ApiError(
        ErrorKind.DATA, sentence.replace("{name}", name), status=status, field=name, detail=detail, body=body
    )


_SENTENCES = {
    "INVALID_EMAIL": "HubSpot does not accept this e-mail address; correct it.",
    "PROPERTY_DOESNT_EXIST": "HubSpot has no property {name}; create it there or remove it from the field rules.",
    "READ_ONLY_VALUE": "HubSpot lets nobody write the property {name}; remove it from the field rules.",
    "INVALID_OPTION": "The value is not among the options of HubSpot's property {name}.",
}


def existing_id(body: Mapping[str, Any]) -> str:
    found = _EXISTING_ID.search(str(body.get("message") or ""))
    return found[1] if found else ""


def _conflict(body: Mapping[str, Any]) -> ApiError:
    number = existing_id(body)
    sentence = "HubSpot has another contact with this e-mail address"
    sentence += f" (record {number}); merge the two there." if number else "; merge the two there."
    return ApiError(ErrorKind.CONFLICT, sentence, status=409, existing_id=number, detail=_correlation(body), body=body)


def _access_error(reply: Reply, body: Mapping[str, Any]) -> ApiError:
    category = str(body.get("category") or "")
    if reply.status == 403 or category == "MISSING_SCOPES":
        scopes = ", ".join(_scopes(body)) or "crm.objects.contacts.read, crm.objects.contacts.write"
        sentence = f"The HubSpot token lacks a permission; give it one of these scopes: {scopes}."
        return ApiError(ErrorKind.CONFIG, sentence, status=reply.status, detail=category)
    sentence = "HubSpot API authentication failed (HTTP 401): the token is wrong, expired or revoked."
    return ApiError(ErrorKind.AUTH, sentence, status=401, detail=category)


def _scopes(body: Mapping[str, Any]) -> list[str]:
    for error in _objects(body.get("errors")):
        context = error.get("context")
        names = context.get("requiredGranularScopes") if isinstance(context, dict) else None
        if isinstance(names, list):
            return [str(n) for n in names]
    return []


def _objects(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _correlation(body: Mapping[str, Any]) -> str:
    number = str(body.get("correlationId") or "")
    return f"correlationId {number}" if number else ""
