"""Giving access by a local application: the portal's page, its answer, and the authorization server (sheet 1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.bitrix24.address import portal_url
from connectors.core.auth import OAuth2, Tokens, tokens_from
from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient, Call
from connectors.core.replies import Reply

TOKEN_URL = "https://oauth.bitrix.info/oauth/token/"  # noqa: S105 - an address, not a secret
AUTHORIZE_PATH = "/oauth/authorize/"
_NO_SETTINGS = "The portal, the application's id and its key are needed for the Connect button."
_DENIED = "Access was not given in Bitrix24; press Connect to try again."
_OTHER_PORTAL = "Access was given in another portal than the connection names; sign in to that one."
_NO_CODE = "Bitrix24's answer holds no authorization code; press Connect again."
_WRONG_CLIENT = "Bitrix24 does not know this application: check its client_id and client_secret."
_UNPAID = "The portal's plan does not include applications, or it is not paid."
_OLD_CODE = "The sign-in took longer than 30 seconds or was used already; press Connect again."
_WITHDRAWN = "Bitrix24 no longer accepts the access that was given: press Reconnect. Queued contacts wait."
_OTHER_ACCOUNT = (
    "Access was given in another portal than before: sign in to that one, or make a further connection for this."
)


class BitrixOAuth(OAuth2):
    """Codes and tokens are spent at the configured authorization server, whatever an answer names."""

    def __init__(self, context: Context) -> None:
        self._context, self._config = context, context.config
        self._client_id = str(context.config.get("client_id") or "")
        self._token_url = str(context.config.get("token_url") or TOKEN_URL)

    def authorize_url(self, state: str) -> str:
        """Without a redirect address: Bitrix24 takes it from the application's card."""
        if not (self._client_id and self._context.secret("client_secret")):
            raise ApiError(ErrorKind.CONFIG, _NO_SETTINGS)
        query = urlencode({"client_id": self._client_id, "state": state})
        return f"{portal_url(self._config)}{AUTHORIZE_PATH}?{query}"

    def check_callback(self, params: Mapping[str, str]) -> str:
        if params.get("error"):
            raise ApiError(ErrorKind.AUTH, _DENIED)
        told, ours = params.get("domain", "").lower(), urlsplit(portal_url(self._config)).netloc.lower()
        if told and told != ours:
            raise ApiError(ErrorKind.AUTH, _OTHER_PORTAL)
        if not params.get("code"):
            raise ApiError(ErrorKind.AUTH, _NO_CODE)
        return params["code"]

    def exchange_code(self, code: str, state: str = "") -> Tokens:
        tokens = self._ask({"grant_type": "authorization_code", "code": code}, None, _OLD_CODE)
        held = self._context.tokens.peek().tokens if self._context.tokens is not None else None
        if held is not None and held.account and tokens.account and held.account != tokens.account:
            raise ApiError(ErrorKind.AUTH, _OTHER_ACCOUNT)
        return tokens

    def refresh(self, tokens: Tokens) -> Tokens:
        return self._ask({"grant_type": "refresh_token", "refresh_token": tokens.refresh}, tokens, _WITHDRAWN)

    def _ask(self, grant: Mapping[str, str], previous: Tokens | None, refused: str) -> Tokens:
        parts = urlsplit(self._token_url)
        asked = {"client_id": self._client_id, "client_secret": self._context.secret("client_secret"), **grant}

        def classify(reply: Reply) -> ApiError | None:
            return _refusal(reply, refused)

        client = ApiClient(self._context, f"{parts.scheme}://{parts.netloc}", classify=classify)
        # What it spends works once: a request that may have arrived is never repeated.
        call = Call("GET", parts.path, params=asked, limits=(), repeatable=False)
        try:
            reply = client.send(call)
        finally:
            client.close()
        complaint = _refusal(reply, refused)
        if complaint is not None:
            raise complaint
        tokens = tokens_from(reply.json, self._context.clock.now(), previous)
        if tokens is None:
            raise ApiError(ErrorKind.UNKNOWN, "Bitrix24's answer holds no token.", status=reply.status)
        return replace(tokens, account=str(reply.member("member_id") or tokens.account))


def _refusal(reply: Reply, refused: str) -> ApiError | None:
    """By the body: refusals come with any status, 200 included (sheet 1.2, point 6)."""
    body: Mapping[str, Any] = reply.json if isinstance(reply.json, dict) else {}
    code = str(body.get("error") or "").lower()
    if not code and (reply.ok or reply.status >= 500 or reply.status in (408, 429)):
        return None
    if code in ("invalid_client", "wrong_client", "invalid_scope", "insufficient_scope"):
        return ApiError(ErrorKind.CONFIG, _WRONG_CLIENT, status=reply.status, detail=code)
    if code == "payment_required":
        return ApiError(ErrorKind.CONFIG, _UNPAID, status=reply.status, detail=code)
    if reply.status >= 500:
        return None
    return ApiError(ErrorKind.AUTH, refused, status=reply.status, detail=code)
