"""Access by client credentials, fetched when first needed and when it ends: nothing refreshes it (sheet 2)."""

from __future__ import annotations

import threading
from datetime import timedelta
from urllib.parse import urlencode

from connectors.core.auth import Tokens, tokens_from
from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient, Call
from connectors.core.replies import Reply

PATH = "/oauth/v2/token"
EARLY = timedelta(minutes=1)
_REFUSED = "Mautic refuses the client id and secret; copy both again from its API Credentials."
_NOT_ALLOWED = (
    "Mautic does not let this client sign in by itself: its API Credentials have to be made by a user with an"
    " administrator's role, and the site has to be Mautic 4 or newer."
)


class ClientCredentials:
    """Signs requests with a token of its own. Safe to use from several threads: one fetches, the others wait."""

    def __init__(self, context: Context, base_url: str, account: str, client_id: str, secret: str) -> None:
        self._clock = context.clock
        self._client = ApiClient(context, base_url, account=account, classify=_read_refusal)
        self._form = urlencode({"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret})
        self._lock = threading.Lock()
        self._tokens: Tokens | None = None
        self._refused: ApiError | None = None

    def sign(self, headers: dict[str, str]) -> None:
        """Raises ApiError when there is no token to be had."""
        with self._lock:
            if self._tokens is None or self._tokens.expires_within(EARLY, self._clock.now()):
                self._tokens = self._fetch()
            headers["Authorization"] = f"Bearer {self._tokens.access}"

    def refresh(self) -> bool:
        """After a 401: the next request fetches a new token. Raises ApiError where the client itself was refused."""
        with self._lock:
            if self._refused is not None:
                raise self._refused
            self._tokens = None
        return True

    def close(self) -> None:
        self._client.close()

    def _fetch(self) -> Tokens:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self._refused = None
        try:
            reply = self._client.send(Call("POST", PATH, body=self._form.encode(), headers=headers))
        except ApiError as e:
            self._refused = e if e.kind is ErrorKind.AUTH else None
            raise
        tokens = tokens_from(reply.json, self._clock.now())
        if tokens is None:
            raise ApiError(ErrorKind.TRANSIENT, "Mautic's answer holds no token.", status=reply.status)
        return tokens


def _read_refusal(reply: Reply) -> ApiError | None:
    if reply.status not in (400, 401):
        return None
    # Errors are listed, or told in the words of OAuth itself.
    kind = str(reply.member("errors", 0, "type") or reply.member("error") or "")
    sentence = _NOT_ALLOWED if kind in ("unauthorized_client", "unsupported_grant_type") else _REFUSED
    return ApiError(ErrorKind.AUTH, sentence, status=reply.status, detail=kind)
