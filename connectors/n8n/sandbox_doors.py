"""How the stand-in's webhook node lets callers in: plain texts where it does not (sheet 4)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime

import jwt

from connectors.core.sandbox import Refused

HEADER, TOKEN = "X-Crmsync-Token", "sandbox-token"
USER, PASSWORD = "hub", "sandbox-password"
PASSPHRASE = "sandbox-passphrase-of-more-than-thirty-two-letters"  # noqa: S105 - a stand-in's
KEY = "sandbox-api-key"
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Webhook"', "content-type": "text/plain"}


class Door:
    """`name` is n8n's word for the way in: none, basicAuth, headerAuth or jwtAuth."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, headers: Mapping[str, str], now: datetime) -> None:
        """Raises Refused."""
        given = headers.get("authorization", "")
        match self.name:
            case "headerAuth":
                if headers.get(HEADER.lower()) != TOKEN:
                    raise _refused(403, "Authorization data is wrong!")
            case "basicAuth":
                if not given:
                    raise _refused(401, "Authorization is required!")
                if given != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
                    raise _refused(403, "Authorization data is wrong!")
            case "jwtAuth":
                self._check_token(given, now)

    def _check_token(self, given: str, now: datetime) -> None:
        if not given.startswith("Bearer "):
            raise _refused(401, "No token provided")
        try:
            # By the stand-in's own clock.
            claims = jwt.decode(
                given.removeprefix("Bearer "),
                PASSPHRASE,
                algorithms=["HS256"],
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            raise _refused(403, "invalid token") from None
        if claims.get("exp", 0) <= now.timestamp():
            raise _refused(403, "jwt expired")


def _refused(status: int, text: str) -> Refused:
    return Refused(status, text.encode(), _CHALLENGE)
