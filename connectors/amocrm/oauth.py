"""Giving access to amoCRM: the authorization page, its answer, and the token endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.amocrm.client import account_url, pace
from connectors.core.auth import OAuth2, Tokens, tokens_from
from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient, Call
from connectors.core.replies import Reply

TOKEN_PATH = "/oauth2/access_token"  # noqa: S105 - an address, not a secret
WRONG_CLIENT = (
    "amoCRM does not know this integration (HTTP 401): check its id, its secret and that the redirect address is "
    "written exactly as in the integration's settings."
)
SPENT_CODE = "The authorization code has been used already; copy a new one from the integration, or press Connect."
EXPIRED_CODE = (
    "The authorization code has expired: it lives for 20 minutes. Copy a new one from the integration's settings, or "
    "press Connect."
)
WRONG_CODE = "The authorization code is wrong or cut off; copy it whole from the integration's settings."
WITHDRAWN = "amoCRM no longer accepts the access that was given: press Reconnect and give it again."


class AmoOAuth(OAuth2):
    """The token request always goes to the configured account, so that a forged callback learns no secret."""

    def __init__(self, context: Context, account: str) -> None:
        self._context, self._config, self._account = context, context.config, account
        self._url = account_url(context.config)
        self._client_id = str(context.config.get("client_id") or "")

    def authorize_url(self, state: str) -> str:
        host = urlsplit(self._url).hostname or ""
        # Access is given on the site of the vendor; a replaced address stands for both.
        page = self._url if self._config.get("base_url") else f"https://www.{host.partition('.')[2]}"
        return f"{page}/oauth?" + urlencode({"client_id": self._client_id, "state": state, "mode": "popup"})

    def check_callback(self, params: Mapping[str, str]) -> str:
        if params.get("error"):
            raise ApiError(ErrorKind.AUTH, "Access was not given in amoCRM; press Connect to try again.")
        referer = params.get("referer", "")
        host = urlsplit(referer if "//" in referer else f"//{referer}").netloc.lower()
        if referer and host not in (urlsplit(self._url).netloc, urlsplit(self._url).hostname):
            sentence = "Access was given for another amoCRM account than the connection names; choose that one."
            raise ApiError(ErrorKind.AUTH, sentence)
        if params.get("client_id", self._client_id) != self._client_id:
            raise ApiError(ErrorKind.AUTH, "The answer is about another integration than the connection names.")
        code = params.get("code", "")
        if not code:
            raise ApiError(ErrorKind.AUTH, "amoCRM's answer holds no authorization code; press Connect again.")
        return code

    def exchange_code(self, code: str, state: str = "") -> Tokens:
        return self._ask({"grant_type": "authorization_code", "code": code}, None)

    def refresh(self, tokens: Tokens) -> Tokens:
        return self._ask({"grant_type": "refresh_token", "refresh_token": tokens.refresh}, tokens)

    def _ask(self, grant: Mapping[str, str], previous: Tokens | None) -> Tokens:
        body = {
            "client_id": self._client_id,
            "client_secret": self._context.secret("client_secret"),
            "redirect_uri": str(self._config.get("redirect_uri") or ""),
            **grant,
        }
        client = ApiClient(
            self._context, self._url, limits=pace(self._config), account=self._account, classify=_refusal
        )
        try:
            # What it spends works once: a request that may have arrived is never repeated.
            reply = client.send(Call("POST", TOKEN_PATH, json=body, repeatable=False))
        finally:
            client.close()
        tokens = tokens_from(reply.json, self._context.clock.now(), previous)
        if tokens is None:
            raise ApiError(ErrorKind.UNKNOWN, "amoCRM's answer holds no token.", status=reply.status)
        return tokens


def _refusal(reply: Reply) -> ApiError | None:
    """Every 400, 401, 403 and 404 here is final; by the hint when there is one."""
    if reply.status not in (400, 401, 403, 404):
        return None
    body: Mapping[str, Any] = reply.json if isinstance(reply.json, dict) else {}
    hint = str(body.get("hint") or "").lower()
    if reply.status == 401 and body and not hint:
        return ApiError(ErrorKind.CONFIG, WRONG_CLIENT, status=401)
    sentence = next((text for words, text in _HINTS if words in hint), WITHDRAWN)
    return ApiError(ErrorKind.AUTH, sentence, status=reply.status, detail=hint)


_HINTS = (
    ("code has expired", EXPIRED_CODE),
    ("code has been revoked", SPENT_CODE),
    ("decrypt the authorization code", WRONG_CODE),
    ("send request to account", "The domain must be your account's own address, not www."),
)
