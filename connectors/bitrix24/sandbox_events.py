"""The stand-in's events: handlers bound by applications or made by people, and deliveries as forms (sheet 10)."""

from __future__ import annotations

import http.client
import secrets
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.bitrix24.sandbox_refusals import refused
from connectors.bitrix24.webhooks import EVENTS
from connectors.core.clock import Clock

MEMBER_ID = "d8971e1f0a4b4b8f9d3c2f6a5b7c8d9e"
FORM = "application/x-www-form-urlencoded"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANSWER_SECONDS = 2.0
_CODES = {*EVENTS, *(f"ONCRM{kind}USERFIELD{verb}" for kind in ("DEAL", "CONTACT", "LEAD", "COMPANY")
                     for verb in ("ADD", "UPDATE", "DELETE", "SETENUMVALUES"))}  # fmt: skip

Send = Callable[[str, bytes, str], int]


@dataclass(frozen=True)
class Handler:
    """Where an event is sent; `token` is the application's, or that of the outgoing webhook."""

    event: str
    url: str
    token: str


class Events:
    """Handlers, and the deliveries that wait. What a handler does not take is lost: nothing is sent twice.

    `send(url, body, content type)` answers a status. Without one, nothing is sent: tests look at `waiting`, or set one
    and call `deliver`. `go_live` sends over HTTP, in a thread, to loopback only.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.handlers: list[Handler] = []
        self.application_token = secrets.token_hex(16)
        self.send: Send | None = None
        self.waiting: deque[tuple[str, bytes]] = deque()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None

    def bind(self, asked: dict[str, Any]) -> bool:
        event, url = str(asked.get("event") or "").upper(), str(asked.get("handler") or "")
        if event not in _CODES:
            raise refused(400, "ERROR_EVENT_NOT_FOUND", "Event not found")
        if any((known.event, known.url) == (event, url) for known in self.handlers):
            raise refused(400, "ERROR_CORE", "Unable to set event handler: Handler already binded")
        self.handlers.append(Handler(event, url, self.application_token))
        return True

    def listed(self) -> list[dict[str, Any]]:
        """Of the application; a person's outgoing webhooks are not shown to it."""
        ours = [known for known in self.handlers if known.token == self.application_token]
        return [{"event": h.event, "handler": h.url, "auth_type": "0", "offline": 0} for h in ours]

    def unbind(self, asked: dict[str, Any]) -> dict[str, int]:
        """Without parameters all of the application's handlers go."""
        event, url = str(asked.get("event") or "").upper(), str(asked.get("handler") or "")
        gone = [
            known
            for known in self.handlers
            if known.token == self.application_token and event in ("", known.event) and url in ("", known.url)
        ]
        self.handlers = [known for known in self.handlers if known not in gone]
        return {"count": len(gone)}

    def person_makes(self, url: str, events: Sequence[str]) -> str:
        """An outgoing webhook made in the portal's own pages; the token that is shown there."""
        token = secrets.token_hex(16)
        self.handlers += [Handler(event, url, token) for event in events]
        return token

    def announce(self, event: str, fields: dict[str, str]) -> None:
        """Something happened: each handler of the event is sent one body, late and in no order."""
        with self._lock:
            for handler in self.handlers:
                if handler.event == event:
                    self.waiting.append((handler.url, self._body(handler, fields)))

    def deliver(self) -> int:
        """Sends what waits; answers how much."""
        sent = 0
        with self._lock:
            due, self.waiting = self.waiting, deque()
        for url, body in due:
            if self.send is not None:
                self.send(url, body, FORM)
                sent += 1
        return sent

    def go_live(self) -> None:
        """Delivers over HTTP from now on."""
        if self._thread is None:
            self.send = self.send or post
            self._thread = threading.Thread(target=self._go_on, daemon=True)
            self._thread.start()

    def _go_on(self) -> None:
        pause = threading.Event()
        while not pause.wait(0.2):
            self.deliver()

    def _body(self, handler: Handler, fields: dict[str, str]) -> bytes:
        pairs = [("event", handler.event), ("event_handler_id", str(1 + self.handlers.index(handler)))]
        pairs += [(f"data[FIELDS][{name}]", value) for name, value in fields.items()]
        pairs += [
            ("ts", str(int(self._clock.now().timestamp()))),
            ("auth[domain]", "sandbox.bitrix24.com"),
            ("auth[client_endpoint]", "https://sandbox.bitrix24.com/rest/"),
            ("auth[server_endpoint]", "https://oauth.bitrix.info/rest/"),
            ("auth[member_id]", MEMBER_ID),
            ("auth[application_token]", handler.token),
        ]
        return urlencode(pairs).encode()


def post(url: str, body: bytes, content_type: str) -> int:
    """One attempt over HTTP, to this machine only; 0 when no answer came in time."""
    if urlsplit(url).hostname not in LOOPBACK:
        return 0
    request = urllib.request.Request(url, body, {"Content-Type": content_type})  # noqa: S310 - checked to be loopback
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as e:
        return e.code
    except (OSError, http.client.HTTPException):
        return 0
