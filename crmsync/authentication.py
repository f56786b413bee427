"""Who is calling: bearer tokens and JWTs in the API, e-mail or username with a password at the login form."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from crmsync import jwt_tokens
from crmsync.models import TOKEN_MARK, ApiToken

REFUSAL = "This token is not valid: it is unknown, expired or revoked."


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer …` with a JWT or an API token, or `Authorization: Token …` with an API token."""

    keywords = ("bearer", "token")

    def authenticate(self, request: Request) -> tuple[User, ApiToken | None] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].decode("latin-1").lower() not in self.keywords:
            return None
        try:
            (text,) = (part.decode("ascii") for part in parts[1:])
        except ValueError:
            raise AuthenticationFailed(REFUSAL) from None
        return self.by_api_token(text) if text.startswith(TOKEN_MARK) else (self.by_jwt(text), None)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def by_api_token(self, text: str) -> tuple[User, ApiToken]:
        token = ApiToken.objects.find(text)
        if token is None or not token.user.is_active:
            raise AuthenticationFailed(REFUSAL)
        token.note_use()
        return token.user, token

    def by_jwt(self, text: str) -> User:
        try:
            return jwt_tokens.user_of(text)
        except jwt_tokens.InvalidToken:
            try:
                return jwt_tokens.supabase_user(text)
            except jwt_tokens.InvalidToken as error:
                raise AuthenticationFailed(REFUSAL) from error


class EmailOrUsernameBackend(ModelBackend):
    """Lets people log in by e-mail as well as by username. An e-mail that several users share names none of them."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        login = (username or kwargs.get("email") or "").strip()
        if not login or password is None or "\x00" in login:
            return None
        users = get_user_model().objects
        if not users.filter(username=login).exists():
            names = list(users.filter(email__iexact=login).values_list("username", flat=True)[:2])
            login = names[0] if len(names) == 1 else login
        # ModelBackend hashes the password for unknown names too, so that the time of an answer tells nothing.
        return super().authenticate(request, username=login, password=password)
