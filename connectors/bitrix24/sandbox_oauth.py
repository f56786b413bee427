"""The stand-in's page that gives access, and its authorization server (sheet 1.2)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.bitrix24.sandbox_events import MEMBER_ID
from connectors.bitrix24.sandbox_refusals import refused
from connectors.core.clock import Clock
from connectors.core.sandbox import SandboxReply, SandboxRequest

CLIENT_ID = "local.5f3e8a520c1d41.00000001"
CLIENT_SECRET = "sandbox-application-key"  # noqa: S105 - the stand-in's only application
CALLBACK_PATH = "/auth/bitrix24/callback"
PAGE, ANSWER, TOKEN = "/oauth/authorize/", "/oauth/authorize/answer", "/oauth/token/"
CODE_SECONDS, ACCESS_SECONDS = 30, 3600
_PAGE = """<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Sandbox portal</title>
<p>Give the application access to the sandbox portal?</p>
<p><a id="allow" href="{allow}">Allow</a> <a id="deny" href="{deny}">Deny</a></p>"""


class Authority:
    """Codes and tokens in force. `refreshes` counts the refresh tokens that were spent: each works once here."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Where the application's card leads back to: no request names it.
        self.redirect_uri = f"http://127.0.0.1:8000{CALLBACK_PATH}"
        self.codes: dict[str, float] = {}
        self.access: dict[str, float] = {}
        self.refresh: set[str] = set()
        self.refreshes = 0

    def good(self, token: str) -> bool:
        return self.access.get(token, 0.0) > self._clock.monotonic()

    def expire_access(self) -> None:
        """Every access token is over at once; refresh tokens stay good."""
        self.access.clear()

    def page(self, request: SandboxRequest) -> SandboxReply:
        if request.query.get("client_id") != CLIENT_ID:
            return _html(400, "<!doctype html><title>Error</title><p>Application not found")
        state = request.query.get("state", "")
        links = {name: f"{ANSWER}?" + urlencode({"state": state, "answer": name}) for name in ("allow", "deny")}
        return _html(200, _PAGE.format(**{name: escape(link) for name, link in links.items()}))

    def answer(self, request: SandboxRequest, base_url: str) -> SandboxReply:
        """The redirect back after the person's choice."""
        params = {"state": request.query.get("state", ""), "domain": urlsplit(base_url).netloc}
        if request.query.get("answer") == "allow":
            code = secrets.token_hex(20)
            self.codes[code] = self._clock.monotonic() + CODE_SECONDS
            params |= {"code": code, "member_id": MEMBER_ID, "scope": "crm", "server_domain": "oauth.bitrix.info"}
        else:
            params["error"] = "access_denied"
        return SandboxReply(302, None, {"location": f"{self.redirect_uri}?{urlencode(params)}"})

    def token(self, asked: Mapping[str, str]) -> SandboxReply:
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            # Refusals of the authorization server may come with 200 (sheet 1.2).
            raise refused(200, "wrong_client", "Wrong client")
        if asked.get("grant_type") == "refresh_token":
            if asked.get("refresh_token") not in self.refresh:
                raise refused(400, "invalid_grant", "Refresh token expired")
            self.refresh.remove(asked["refresh_token"])
            self.refreshes += 1
        elif self.codes.pop(asked.get("code", ""), -1.0) < self._clock.monotonic():
            raise refused(400, "invalid_grant", "Authorization code expired")
        return SandboxReply(200, self.issue())

    def issue(self) -> dict[str, Any]:
        """A new pair, as the authorization server shows it."""
        access, refresh = secrets.token_hex(32), secrets.token_hex(32)
        self.access[access] = self._clock.monotonic() + ACCESS_SECONDS
        self.refresh.add(refresh)
        return {
            "access_token": access, "refresh_token": refresh, "expires_in": ACCESS_SECONDS,
            "expires": int(self._clock.now().timestamp()) + ACCESS_SECONDS, "scope": "crm",
            "domain": "oauth.bitrix.info", "client_endpoint": "https://sandbox.bitrix24.com/rest/",
            "server_endpoint": "https://oauth.bitrix.info/rest/", "member_id": MEMBER_ID, "status": "L", "user_id": 1,
        }  # fmt: skip


def _html(status: int, text: str) -> SandboxReply:
    return SandboxReply(status, text.encode(), {"content-type": "text/html; charset=utf-8"})
