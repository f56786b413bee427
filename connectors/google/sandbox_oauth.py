"""The stand-in's consent page and token endpoint: PKCE, scopes, and refresh tokens only after a consent (sheet 3)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode

import orjson

from connectors.core.clock import Clock
from connectors.core.sandbox import Refused, SandboxReply, SandboxRequest

CLIENT_ID = "1234-sandbox.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-sandbox"  # noqa: S105 - the stand-in's only secret
CALLBACK_PATH = "/auth/google/callback"
PAGE, ANSWER, TOKEN = "/o/oauth2/v2/auth", "/o/oauth2/v2/auth/answer", "/token"
CODE_SECONDS, ACCESS_SECONDS = 600, 3599
SUBJECT, ADDRESS = "108204268033311374519", "sandbox@example.com"
CONTACTS_SCOPE = "https://www.googleapis.com/auth/contacts"
_SCOPES = {"openid", "email", "https://www.googleapis.com/auth/userinfo.email", CONTACTS_SCOPE}
_CARRIED = ("state", "scope", "access_type", "prompt", "code_challenge", "code_challenge_method")
_PAGE = """<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Sandbox account</title>
<p>Give the app access to the contacts of the sandbox account?</p>
<p><a id="allow" href="{allow}">Allow</a> <a id="deny" href="{deny}">Deny</a>
<a id="untick" href="{untick}">Allow without contacts</a></p>"""


class Authority:
    """Codes and tokens in force. `refreshes` counts renewals; `consented` is whether the page was once agreed to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.redirect_uri = f"http://127.0.0.1:8000{CALLBACK_PATH}"
        self.subject = SUBJECT
        self.codes: dict[str, dict[str, Any]] = {}
        self.access: dict[str, float] = {}
        self.refresh: set[str] = set()
        self.refreshes = 0
        self.consented = False

    def good(self, token: str) -> bool:
        return self.access.get(token, 0.0) > self._clock.monotonic()

    def expire_access(self) -> None:
        """Every access token is over at once; refresh tokens stay good."""
        self.access.clear()

    def page(self, request: SandboxRequest) -> SandboxReply:
        """Faults are shown as a page, never led back."""
        asked = request.query
        if asked.get("client_id") != CLIENT_ID:
            return _fault("invalid_client")
        if asked.get("redirect_uri") != self.redirect_uri:
            return _fault("redirect_uri_mismatch")
        if asked.get("response_type") != "code" or not set(asked.get("scope", "x").split()) <= _SCOPES:
            return _fault("invalid_scope")
        carried = {name: asked[name] for name in _CARRIED if name in asked}
        links = {name: f"{ANSWER}?" + urlencode({**carried, "answer": name}) for name in ("allow", "deny", "untick")}
        html = _PAGE.format(**{name: escape(link) for name, link in links.items()})
        return SandboxReply(200, html.encode(), {"content-type": "text/html; charset=utf-8"})

    def answer(self, request: SandboxRequest) -> SandboxReply:
        """The redirect back after the person's choice."""
        asked = request.query
        params = {"state": asked.get("state", "")}
        if asked.get("answer") == "deny":
            return self._back({**params, "error": "access_denied"})
        unticked = () if asked.get("answer") == "allow" else (CONTACTS_SCOPE,)
        scopes = [scope for scope in asked.get("scope", "").split() if scope not in unticked]
        consent = "consent" in asked.get("prompt", "") or not self.consented
        self.consented = True
        code = "4/0A" + secrets.token_urlsafe(32)
        self.codes[code] = {
            "until": self._clock.monotonic() + CODE_SECONDS,
            "scope": " ".join(scopes),
            "lasting": consent and asked.get("access_type") == "offline",
            "challenge": asked.get("code_challenge", ""),
        }
        return self._back({**params, "code": code, "scope": " ".join(scopes), "authuser": "0", "prompt": "consent"})

    def token(self, asked: Mapping[str, str]) -> SandboxReply:
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise _refused(401, "invalid_client", "Unauthorized")
        if asked.get("grant_type") == "refresh_token":
            return SandboxReply(200, self._renewed(asked.get("refresh_token", "")))
        if asked.get("grant_type") != "authorization_code":
            raise _refused(400, "unsupported_grant_type", "Invalid grant_type")
        if asked.get("redirect_uri") != self.redirect_uri:
            raise _refused(400, "redirect_uri_mismatch", "Bad Request")
        return SandboxReply(200, self._spent(asked))

    def issue(self, scope: str = CONTACTS_SCOPE, *, lasting: bool = True) -> dict[str, Any]:
        """New tokens, as the token endpoint shows them."""
        access = "ya29.a0" + secrets.token_urlsafe(24)
        self.access[access] = self._clock.monotonic() + ACCESS_SECONDS
        made: dict[str, Any] = {"access_token": access, "expires_in": ACCESS_SECONDS, "scope": scope}
        made |= {"token_type": "Bearer", "id_token": _id_token(self.subject)}
        if lasting:
            made["refresh_token"] = "1//0g" + secrets.token_urlsafe(24)
            self.refresh.add(made["refresh_token"])
        return made

    def _renewed(self, token: str) -> dict[str, Any]:
        if token not in self.refresh:
            raise _refused(400, "invalid_grant", "Token has been expired or revoked.")
        self.refreshes += 1
        return self.issue(lasting=False)

    def _spent(self, asked: Mapping[str, str]) -> dict[str, Any]:
        held = self.codes.pop(asked.get("code", ""), None)
        if held is None or held["until"] < self._clock.monotonic():
            raise _refused(400, "invalid_grant", "Malformed auth code.")
        verifier = asked.get("code_verifier", "")
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if held["challenge"] and digest != held["challenge"]:
            raise _refused(400, "invalid_grant", "Invalid code verifier." if verifier else "Missing code verifier.")
        return self.issue(held["scope"], lasting=held["lasting"])

    def _back(self, params: Mapping[str, str]) -> SandboxReply:
        return SandboxReply(302, None, {"location": f"{self.redirect_uri}?{urlencode(params)}"})


def _id_token(subject: str) -> str:
    parts = ({"alg": "RS256"}, {"iss": "https://accounts.google.com", "sub": subject, "email": ADDRESS})
    head, claims = (base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts)
    return f"{head}.{claims}.c2lnbmF0dXJl"


def _fault(error: str) -> SandboxReply:
    html = f"<!doctype html><title>Error 400: {error}</title><p>Access blocked: Error 400: {error}"
    return SandboxReply(400, html.encode(), {"content-type": "text/html; charset=utf-8"})


def _refused(status: int, error: str, description: str) -> Refused:
    return Refused(status, {"error": error, "error_description": description})
