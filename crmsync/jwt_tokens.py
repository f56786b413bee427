"""JSON Web Tokens: our own access and refresh tokens, and those that Supabase signs."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.utils.crypto import constant_time_compare

from crmsync.roles import give_role

ALGORITHM = "HS256"
ISSUER = "crmsync"
ACCESS_LIFETIME = timedelta(minutes=30)
REFRESH_LIFETIME = timedelta(days=7)
ACCESS, REFRESH = "access", "refresh"
SUPABASE_AUDIENCE = "authenticated"


class InvalidToken(Exception):
    """A token that proves nothing: broken, expired, revoked, or of somebody who may not log in."""


def signing_key() -> bytes:
    """JWT_SECRET, else a key derived from SECRET_KEY, so that neither can be used in the other's place."""
    secret = settings.JWT_SECRET or f"crmsync.jwt:{settings.SECRET_KEY}"
    return hashlib.sha256(secret.encode()).digest()


def issue(user: User) -> dict[str, Any]:
    """{"access", "refresh", "token_type", "expires_in"}; `expires_in` counts seconds of the access token."""
    return {
        "access": encode(user, ACCESS, ACCESS_LIFETIME),
        "refresh": encode(user, REFRESH, REFRESH_LIFETIME),
        "token_type": "Bearer",
        "expires_in": int(ACCESS_LIFETIME.total_seconds()),
    }


def encode(user: User, kind: str, lifetime: timedelta) -> str:
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER,
        "sub": str(user.pk),
        "kind": kind,
        "session": session_mark(user),
        "iat": now,
        "exp": now + lifetime,
    }
    return jwt.encode(claims, signing_key(), algorithm=ALGORITHM)


def session_mark(user: User) -> str:
    """Changes with the password, which therefore revokes every token given out before."""
    return hashlib.sha256(user.get_session_auth_hash().encode()).hexdigest()[:32]


def user_of(token: str, kind: str = ACCESS) -> User:
    """The user of one of our tokens. Raises InvalidToken."""
    try:
        claims = jwt.decode(
            token, signing_key(), algorithms=[ALGORITHM], issuer=ISSUER, options={"require": ["exp", "sub"]}
        )
    except jwt.InvalidTokenError as error:
        raise InvalidToken(str(error)) from error
    user = get_user_model().objects.filter(pk=int(claims["sub"]) if claims["sub"].isdecimal() else 0).first()
    if claims.get("kind") != kind or user is None or not user.is_active:
        raise InvalidToken("not a token of an active user")
    if not constant_time_compare(str(claims.get("session", "")), session_mark(user)):
        raise InvalidToken("revoked by a change of the password")
    return user


def supabase_user(token: str) -> User:
    """The local user of a Supabase session, found by e-mail or created. Raises InvalidToken."""
    if not settings.SUPABASE_JWT_SECRET:
        raise InvalidToken("Supabase sessions are not accepted here")
    try:
        claims = jwt.decode(
            token,
            settings.SUPABASE_JWT_SECRET,
            algorithms=[ALGORITHM],
            audience=SUPABASE_AUDIENCE,
            options={"require": ["exp", "sub"]},
        )
    except jwt.InvalidTokenError as error:
        raise InvalidToken(str(error)) from error
    email = str(claims.get("email") or "").strip().lower()
    verified = email_verified(claims)
    if not email or verified is False or claims.get("is_anonymous"):
        raise InvalidToken("no verified e-mail")
    return local_user(email, verified=verified is True)


def email_verified(claims: dict[str, Any]) -> bool | None:
    """What the claims say about the e-mail; None when they say nothing, which is how older projects sign them."""
    for source in (claims, claims.get("app_metadata"), claims.get("user_metadata")):
        if isinstance(source, dict) and isinstance(source.get("email_verified"), bool):
            return source["email_verified"]
    return None


def local_user(email: str, *, verified: bool) -> User:
    """The one user with this e-mail. A superuser is only ever matched by an e-mail that is known to be verified."""
    users = list(get_user_model().objects.filter(email__iexact=email)[:2])
    if len(users) > 1:
        raise InvalidToken("several users share this e-mail")
    if not users:
        user = get_user_model().objects.create_user(username=email[:150], email=email)
        give_role(user, settings.SUPABASE_DEFAULT_ROLE)
        return user
    if not users[0].is_active or (users[0].is_superuser and not verified):
        raise InvalidToken("this user may not log in here")
    return users[0]
