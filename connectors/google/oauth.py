"""Giving access to a Google account: the consent page, its answer, and the token endpoint (sheet 3)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

import orjson
from requests_oauthlib import OAuth2Session

from connectors.core.auth import OAuth2, Tokens, tokens_from
from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient, Call
from connectors.core.replies import Reply

AUTH_URL = "https://accounts.google.com/o/oauth2/v2/auth"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret
CONTACTS_SCOPE = "https://www.googleapis.com/auth/contacts"
# In full form, as Google answers with them; the e-mail address tells which account it is.
SCOPES = ("openid", "https://www.googleapis.com/auth/userinfo.email", CONTACTS_SCOPE)

_DENIED = "Access was not given in Google; press Connect to try again."
_NO_CODE = "Google's answer holds no authorization code; press Connect again."
_UNTICKED = "Access to contacts was not ticked on Google's page: press Connect again and allow it."
_NOT_LASTING = "Google gave access for an hour only; press Connect once more, and it will be asked for lasting access."
_OTHER_ACCOUNT = (
    "Access was given for another Google account than before: choose that one, or make a further connection for this."
)
_OLD_CODE = "The sign-in took too long or was used already; press Connect again."
_WITHDRAWN = (
    "Google no longer accepts the access that was given: it was withdrawn, not used for six months, or ended after "
    "seven days because the app's consent screen is in Testing. Press Reconnect. Queued contacts wait."
)
_MISMATCH = "The redirect address is not one of those in the Google client's settings; write it exactly the same."
_WRONG_CLIENT = "Google does not know this client: check its id and its secret in the Google Cloud console."
_NO_SETTINGS = "Client id, client secret and redirect address are needed for the Connect button."
_WRONG_REQUEST = "Google's token endpoint refused the request; check the connection's settings."


class GoogleOAuth(OAuth2):
    """PKCE's verifier is made from the state with the client's secret, so that only the state has to be remembered."""

    single_use: ClassVar[bool] = False

    def __init__(self, context: Context) -> None:
        self._context, config = context, context.config
        self._client_id = str(config.get("client_id") or "")
        self._redirect_uri = str(config.get("redirect_uri") or "")
        self._auth_url = str(config.get("auth_url") or AUTH_URL)
        self._token_url = str(config.get("token_url") or TOKEN_URL)

    def authorize_url(self, state: str) -> str:
        """Consent is asked for only where no refresh token is held: of 100 given, the next one ends the oldest."""
        if not (self._client_id and self._secret and self._redirect_uri):
            raise ApiError(ErrorKind.CONFIG, _NO_SETTINGS)
        held = self._held()
        asked = {"access_type": "offline", "code_challenge_method": "S256"}
        if not held.refresh:
            asked["prompt"] = "consent"
        if held.account:
            asked["login_hint"] = held.account
        challenge = _base64(hashlib.sha256(self._verifier(state).encode()).digest())
        with OAuth2Session(self._client_id, redirect_uri=self._redirect_uri, scope=list(SCOPES)) as session:
            url, _state = session.authorization_url(AUTH_URL, state=state, code_challenge=challenge, **asked)
        # Made for the public page, as the library refuses addresses without TLS, such as a sandbox has.
        return f"{self._auth_url}?{urlsplit(url).query}"

    def check_callback(self, params: Mapping[str, str]) -> str:
        if params.get("error"):
            raise ApiError(ErrorKind.AUTH, _DENIED, detail="denied")
        if not params.get("code"):
            raise ApiError(ErrorKind.AUTH, _NO_CODE)
        return params["code"]

    def exchange_code(self, code: str, state: str = "") -> Tokens:
        grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect_uri}
        # A code works once: a request that may have arrived is never repeated.
        reply = self._ask({**grant, "code_verifier": self._verifier(state)}, _OLD_CODE, repeatable=False)
        held, account = self._held(), _account_of(reply.member("id_token"))
        if held.account and account and account != held.account:
            raise ApiError(ErrorKind.AUTH, _OTHER_ACCOUNT)
        # The answer has a refresh token only after the consent page: the one that is held stays.
        known = Tokens("", held.refresh, account=account or held.account)
        tokens = self._tokens(reply, known)
        if tokens.scope and CONTACTS_SCOPE not in tokens.scope.split():
            raise ApiError(ErrorKind.AUTH, _UNTICKED)
        if not tokens.refresh:
            raise ApiError(ErrorKind.AUTH, _NOT_LASTING)
        return tokens

    def refresh(self, tokens: Tokens) -> Tokens:
        grant = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
        return self._tokens(self._ask(grant, _WITHDRAWN, repeatable=True), tokens)

    @property
    def _secret(self) -> str:
        return self._context.secret("client_secret")

    def _verifier(self, state: str) -> str:
        return _base64(hmac.new(self._secret.encode(), state.encode(), hashlib.sha256).digest())

    def _held(self) -> Tokens:
        """What is stored; without its refresh token where that is dead."""
        grant = self._context.tokens.peek() if self._context.tokens is not None else None
        if grant is None or grant.tokens is None:
            return Tokens("")
        return Tokens("", "" if grant.broken else grant.tokens.refresh, account=grant.tokens.account)

    def _ask(self, grant: Mapping[str, str], refused: str, *, repeatable: bool) -> Reply:
        parts = urlsplit(self._token_url)
        form = {"client_id": self._client_id, "client_secret": self._secret, **grant}

        def classify(reply: Reply) -> ApiError | None:
            return _refusal(reply, refused)

        client = ApiClient(self._context, f"{parts.scheme}://{parts.netloc}", classify=classify)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        call = Call("POST", parts.path, body=body, headers=headers, limits=(), repeatable=repeatable)
        try:
            return client.send(call)
        finally:
            client.close()

    def _tokens(self, reply: Reply, known: Tokens) -> Tokens:
        tokens = tokens_from(reply.json, self._context.clock.now(), known)
        if tokens is None:
            raise ApiError(ErrorKind.TRANSIENT, "Google's answer holds no token.", status=reply.status)
        return tokens


def _refusal(reply: Reply, refused: str) -> ApiError | None:
    """Every 4xx of the token endpoint but a request to slow down is final."""
    if not 400 <= reply.status < 500 or reply.status in (408, 429):
        return None
    error = reply.member("error")
    code = error if isinstance(error, str) else ""
    if code in ("invalid_client", "deleted_client", "unauthorized_client"):
        return ApiError(ErrorKind.CONFIG, _WRONG_CLIENT, status=reply.status, detail=code)
    if code == "redirect_uri_mismatch":
        return ApiError(ErrorKind.CONFIG, _MISMATCH, status=reply.status, detail=code)
    if code == "invalid_grant":
        return ApiError(ErrorKind.AUTH, refused, status=reply.status, detail=code)
    return ApiError(ErrorKind.AUTH, _WRONG_REQUEST, status=reply.status, detail=code)


def _account_of(id_token: Any) -> str:
    """The account's own id in an id_token. It came straight from Google, so its signature tells nothing more."""
    parts = id_token.split(".") if isinstance(id_token, str) else []
    if len(parts) != 3:
        return ""
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return ""
    return str(claims.get("sub") or "") if isinstance(claims, dict) else ""


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
