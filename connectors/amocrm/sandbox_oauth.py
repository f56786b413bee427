"""The stand-in's authorization page and token endpoint: single-use codes and refresh tokens, as documented."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.core.clock import Clock
from connectors.core.sandbox import Refused, SandboxReply, SandboxRequest

CLIENT_ID = "5f3e8a52-0c1d-4e6f-9a7b-000000000001"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - the stand-in's only secret
CALLBACK_PATH = "/api/v1/amocrm/auth/callback"
CODE_SECONDS, ACCESS_SECONDS = 1200, 86400
_TYPE = "https://developers.amocrm.ru/v3/errors/OAuthProblemJson"
_PAGE = """<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Sandbox account</title>
<p>Give the integration access to the sandbox account?</p>
<p><a id="allow" href="{allow}">Allow</a> <a id="deny" href="{deny}">Deny</a></p>"""


class Authority:
    """Codes and tokens in force. `refreshes` counts the refresh tokens that were spent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.redirect_uri = f"http://127.0.0.1:8000{CALLBACK_PATH}"
        self.codes: dict[str, float] = {}
        self.access: dict[str, float] = {}
        self.refresh: set[str] = set()
        self.refreshes = 0

    def good(self, token: str) -> bool:
        return self.access.get(token, 0.0) > self._clock.monotonic()

    def code(self) -> str:
        """A fresh authorization code, as the integration's page shows one."""
        made = "def502" + secrets.token_hex(16)
        self.codes[made] = self._clock.monotonic() + CODE_SECONDS
        return made

    def expire_access(self) -> None:
        """Every access token is over at once; refresh tokens stay good."""
        self.access.clear()

    def page(self, request: SandboxRequest) -> SandboxReply:
        state = request.query.get("state", "")
        links = {name: "/oauth/answer?" + urlencode({"state": state, "answer": name}) for name in ("allow", "deny")}
        return SandboxReply(200, _PAGE.format(**links).encode(), {"content-type": "text/html; charset=utf-8"})

    def answer(self, request: SandboxRequest, base_url: str) -> SandboxReply:
        """The redirect back after the person's choice."""
        params = {"state": request.query.get("state", ""), "client_id": CLIENT_ID}
        if request.query.get("answer") == "allow":
            params |= {"code": self.code(), "referer": urlsplit(base_url).netloc}
        else:
            params["error"] = "access_denied"
        return SandboxReply(302, None, {"location": f"{self.redirect_uri}?{urlencode(params)}"})

    def token(self, asked: Mapping[str, Any]) -> SandboxReply:
        told = (asked.get("client_id"), asked.get("client_secret"), asked.get("redirect_uri"))
        if told != (CLIENT_ID, CLIENT_SECRET, self.redirect_uri):
            raise _refused(401, "Некорректный клиент", "Авторизация клиента не прошла")
        if asked.get("grant_type") == "refresh_token":
            self._spend_refresh(str(asked.get("refresh_token")))
        else:
            self._spend_code(str(asked.get("code")))
        return SandboxReply(200, self.issue())

    def issue(self) -> dict[str, Any]:
        """A new pair, as the token endpoint shows it."""
        access, refresh = "eyJ0eXAi" + secrets.token_hex(16), "def50200" + secrets.token_hex(16)
        self.access[access] = self._clock.monotonic() + ACCESS_SECONDS
        self.refresh.add(refresh)
        return {
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            "access_token": access,
            "refresh_token": refresh,
        }

    def _spend_refresh(self, token: str) -> None:
        if token not in self.refresh:
            raise _invalid(401, "Token has been revoked")
        self.refresh.remove(token)
        self.refreshes += 1

    def _spend_code(self, code: str) -> None:
        until = self.codes.pop(code, None)
        if until is None:
            raise _invalid(400, "Authorization code has been revoked")
        if until < self._clock.monotonic():
            raise _invalid(400, "Authorization code has expired")


def _refused(status: int, title: str, detail: str, **more: str) -> Refused:
    return Refused(status, {**more, "title": title, "type": _TYPE, "status": status, "detail": detail})


def _invalid(status: int, hint: str) -> Refused:
    detail = "В запросе отсутствует ряд параметров или параметры невалидны"
    return _refused(status, "Некорректный запрос", detail, hint=hint)
