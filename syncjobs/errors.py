"""Refusals of the services, for people and for programs."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """A service will not do what was asked: a sentence, a code, the fitting HTTP status, and further keys to show."""

    def __init__(self, message: str, code: str, status_code: int = 400, **extra: Any) -> None:
        super().__init__(message)
        self.message, self.code, self.status_code, self.extra = message, code, status_code, extra
        self.headers: dict[str, str] = {}
