"""The four ways in which a webhook node lets callers in (sheet 4)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind

NONE, BASIC, HEADER, JWT = "none", "basicAuth", "headerAuth", "jwtAuth"
ALGORITHMS = ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384", "PS512")
LIFETIME = timedelta(minutes=5)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SEVERAL = "Fill in one way of signing in only, the one that the webhook node has: a header, a user or a JWT."
_HALF_HEADER = "A header needs its name and its value, as in the credential of the webhook node."
_NO_HEADER = "This is not the name of a header; it has letters, digits and hyphens only, such as X-Crmsync-Token."
_BAD_VALUE = "A header's value is one line of Latin letters, digits and signs."
_HALF_USER = "Basic auth needs a user and a password, as in the credential of the webhook node."
_BAD_KEY = "The JWT's secret does not fit its algorithm: HS takes a passphrase, the others a private key in PEM form."

Sign = Callable[[dict[str, str]], None]


def way_in(context: Context) -> str:
    """Which of the four is filled in, in n8n's own words. Raises ApiError (CONFIG) for several, or half of one."""
    header = bool(context.config.get("auth_header")), bool(context.secret("auth_value"))
    user = bool(context.config.get("username")), bool(context.secret("password"))
    ways = [(HEADER, any(header)), (BASIC, any(user)), (JWT, bool(context.secret("jwt_secret")))]
    chosen = [name for name, filled in ways if filled]
    if len(chosen) > 1:
        raise ApiError(ErrorKind.CONFIG, _SEVERAL)
    if any(header) and not all(header):
        raise ApiError(ErrorKind.CONFIG, _HALF_HEADER)
    if any(user) and not all(user):
        raise ApiError(ErrorKind.CONFIG, _HALF_USER)
    return chosen[0] if chosen else NONE


def signer(context: Context) -> Sign:
    """Puts what the node asks for into a request's headers. Raises ApiError (CONFIG), here or when it signs."""
    match way_in(context):
        case "headerAuth":
            return _adding(_header(str(context.config["auth_header"]).strip(), context.secret("auth_value")))
        case "basicAuth":
            told = f"{context.config['username']}:{context.secret('password')}".encode()
            return _adding({"Authorization": "Basic " + base64.b64encode(told).decode()})
        case "jwtAuth":
            return _token_signer(context)
    return _adding({})


def _adding(more: Mapping[str, str]) -> Sign:
    return lambda headers: headers.update(more)


def _header(name: str, value: str) -> dict[str, str]:
    if not _HEADER_NAME.fullmatch(name):
        raise ApiError(ErrorKind.CONFIG, _NO_HEADER, field="auth_header")
    if not value.isprintable() or not value.isascii():
        raise ApiError(ErrorKind.CONFIG, _BAD_VALUE, field="auth_value")
    return {name: value}


def _token_signer(context: Context) -> Sign:
    """A token for each request, good for minutes: n8n looks at the signature and at `exp` alone."""
    import jwt

    secret = context.secret("jwt_secret").replace("\\n", "\n")
    algorithm = str(context.config.get("jwt_algorithm") or ALGORITHMS[0])

    def sign(headers: dict[str, str]) -> None:
        now = context.clock.now()
        claims: dict[str, Any] = {"iss": "crmsync", "iat": now, "exp": now + LIFETIME}
        try:
            headers["Authorization"] = "Bearer " + jwt.encode(claims, secret, algorithm=algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, NotImplementedError) as e:
            raise ApiError(ErrorKind.CONFIG, _BAD_KEY, field="jwt_secret", detail=type(e).__name__) from e

    return sign
