"""Who is acting: the user of the request at hand, or the command of this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from django.http import HttpRequest, HttpResponseBase

from crmsync.errors import is_api
from crmsync.models import ApiToken, AuditEntry

_request: ContextVar[HttpRequest | None] = ContextVar("audited_request", default=None)
_silent: ContextVar[bool] = ContextVar("audit_silent", default=False)

Via = AuditEntry.Via


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is a username or a command; `token` the name of the API token that was used, if one was."""

    name: str
    via: str
    token: str = ""
    request_id: str = ""


class AuditedRequest:
    """Middleware: what is changed while the request is answered is its user's doing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        mark = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(mark)


def current() -> Actor:
    """Asked when something is written, because the API learns its user long after the middleware."""
    request = _request.get()
    if request is None:
        return Actor(_command(), Via.COMMAND)
    user = getattr(request, "user", None)
    name = user.get_username() if user is not None and user.is_authenticated else ""
    token = getattr(request, "auth", None)
    request_id = getattr(request, "request_id", "")
    if isinstance(token, ApiToken):
        return Actor(name, Via.TOKEN, token.name, request_id)
    return Actor(name, Via.API if is_api(request) else Via.PAGE, "", request_id)


def is_silent() -> bool:
    return _silent.get()


@contextmanager
def silence() -> Iterator[None]:
    """What is written inside is nobody's decision, such as the groups that every installation has."""
    mark = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(mark)


def _command() -> str:
    """The command of this process: "setup" of `manage.py setup`."""
    if Path(sys.argv[0]).name == "manage.py" and len(sys.argv) > 1:
        return sys.argv[1]
    return Path(sys.argv[0]).name
