"""Mautic over HTTP: how it is signed in to and what its refusals mean. Its own texts are in any language (sheet 3)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient
from connectors.core.replies import Reply, http_date, retry_after
from connectors.core.types import RateLimit
from connectors.mautic.tokens import ClientCredentials
from connectors.mautic.wire import members

API = "/api"
CONTACTS = f"{API}/contacts"
FIELDS = f"{API}/fields/contact"
# A batch of 200 takes a large site minutes (sheet 9).
TIMEOUT = 300.0
# Of a proxy: Mautic itself says when its hour is over.
UNTOLD_WAIT = 10.0
_RIGHTS = "The Mautic user's role lacks a permission: it needs to view, create and edit all contacts."
_DISABLED = (
    "Mautic's API is switched off: enable it, and HTTP basic auth if you use it, in Configuration -> API Settings, and "
    "clear Mautic's cache afterwards."
)


def site_of(address: str) -> str:
    """The address of the site, also where that of its API was entered."""
    return re.sub(r"/api$", "", address.strip().rstrip("/"))


class MauticClient(ApiClient):
    """The HTTP client with Mautic's credentials and error bodies. Without `rps` there is no limit of ours (sheet 9)."""

    def __init__(self, context: Context, base_url: str, *, account: str, rps: float) -> None:
        context = replace(context, timeout=max(context.timeout, TIMEOUT))
        signer = _signer(context, base_url, account)
        super().__init__(
            context,
            base_url,
            limits=(RateLimit(rps, 1.0),) if rps > 0 else (),
            account=account,
            sign=signer.sign,
            refresh=signer.refresh if isinstance(signer, ClientCredentials) else None,
            classify=self._read_refusal,
        )
        self._signer = signer

    def close(self) -> None:
        super().close()
        self._signer.close()

    def _read_refusal(self, reply: Reply) -> ApiError | None:
        match reply.status:
            case 400:
                return value_error(reply.json, status=400)
            case 401:
                sentence = (
                    "Mautic refuses the credentials (HTTP 401): they are wrong, or the web server drops the"
                    " Authorization header."
                )
                return ApiError(ErrorKind.AUTH, sentence, status=401, detail=error_type(reply.json))
            case 403:
                kind = error_type(reply.json)
                sentence = _DISABLED if kind in ("api_disabled", "access_denied") else _RIGHTS
                return ApiError(ErrorKind.CONFIG, sentence, status=403, detail=kind)
            case 422:
                return value_error(reply.json, status=422)
            case 429:
                sentence = "Mautic asks for a pause (HTTP 429): its limit for an hour is used up."
                return ApiError(ErrorKind.RATE_LIMITED, sentence, status=429, retry_after=self._until_reset(reply))
        return None

    def _until_reset(self, reply: Reply) -> float:
        """Seconds: as asked, else to the moment that the answer names, by the server's own clock where it tells it."""
        asked = retry_after(reply.headers)
        if asked is not None:
            return asked
        reset = reply.headers.get("x-ratelimit-reset", "")
        if not reset.isdigit():
            return UNTOLD_WAIT
        now = http_date(reply.headers.get("date", "")) or self.context.clock.now()
        return max(float(reset) - now.timestamp(), 1.0)


class BasicAuth:
    """Signs with a user's name and password."""

    def __init__(self, username: str, password: str) -> None:
        self._header = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    def sign(self, headers: dict[str, str]) -> None:
        headers["Authorization"] = self._header

    def close(self) -> None:
        """Nothing to release."""


def _signer(context: Context, base_url: str, account: str) -> BasicAuth | ClientCredentials:
    """An OAuth client goes before a user: somebody who entered both has moved on to it."""
    client_id = str(context.config.get("client_id") or "")
    secret = context.secret("client_secret")
    if client_id and secret:
        return ClientCredentials(context, base_url, account, client_id, secret)
    return BasicAuth(str(context.config.get("username") or ""), context.secret("password"))


def error_type(body: Any) -> str:
    """The type of the first complaint, "" where it has none."""
    complaints = members(body.get("errors")) if isinstance(body, dict) else []
    return str(complaints[0].get("type") or "") if complaints else ""


def refused_fields(complaint: Mapping[str, Any]) -> list[str]:
    """The aliases that a complaint is about. Its details are an empty list where there are none."""
    details = complaint.get("details")
    return [str(name) for name in details] if isinstance(details, dict) else []


def value_error(body: Any, status: int) -> ApiError:
    """A refused request or item in words; never with Mautic's own text, which quotes values and is translated."""
    complaints = members(body.get("errors")) if isinstance(body, dict) else []
    return complaint_error(complaints[0] if complaints else {}, status)


def complaint_error(complaint: Mapping[str, Any], status: int) -> ApiError:
    """What one complaint of the list means."""
    names = refused_fields(complaint)
    name = names[0] if names else ""
    match status:
        case 404:
            return ApiError(ErrorKind.GONE, "Mautic no longer has this contact.", status=404)
        case 403:
            return ApiError(ErrorKind.DATA, "The Mautic user may not change this contact.", status=403)
        case 422:
            sentence = "Mautic has another contact with this e-mail address; merge the two there."
            return ApiError(ErrorKind.CONFLICT, sentence, status=422, field=name, detail=", ".join(names))
    if name == "email":
        sentence = "Mautic does not accept this e-mail address; correct it."
    elif name:
        sentence = f"Mautic does not accept the value of the field {name}."
    else:
        sentence = "Mautic refused this contact's data."
    return ApiError(ErrorKind.DATA, sentence, status=status, field=name, detail=", ".join(names))
