"""Brakes on guessing passwords."""

import hashlib
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


class LoginByEmail(SimpleRateThrottle):
    """Counts the attempts of one address on one e-mail."""

    scope = "login_email"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        email = self.name_given(request).strip().lower()
        mark = hashlib.sha256(f"{self.get_ident(request)} {email}".encode()).hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": mark}

    def name_given(self, request: Request) -> str:
        return str(request.data.get("email", "")) if isinstance(request.data, dict) else ""


class LoginAtThePage(LoginByEmail):
    """The same count for the admin's login page, whose requests are Django's own."""

    def name_given(self, request: Any) -> str:
        return str(request.POST.get("username", ""))


class LoginByAddress(SimpleRateThrottle):
    """Counts all attempts of one address."""

    scope = "login_address"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}
