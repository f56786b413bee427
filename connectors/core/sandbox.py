"""The base of every stand-in: routes, limits, faults and a log of what was asked. In memory, no sockets of its own."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from connectors.core.clock import Clock, SystemClock
from connectors.core.types import Capabilities


@dataclass(frozen=True)
class SandboxRequest:
    """A request as it arrived; header names in lower case, `query` with the last value of each name."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str]
    query_lists: Mapping[str, list[str]] = field(default_factory=dict)

    @classmethod
    def make(cls, method: str, url: str, headers: Mapping[str, str], body: bytes) -> SandboxRequest:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        lists: dict[str, list[str]] = {}
        for name, value in pairs:
            lists.setdefault(name, []).append(value)
        lowered = {k.lower(): v for k, v in headers.items()}
        return cls(method.upper(), parts.path, lowered, body, dict(pairs), lists)

    def json(self) -> Any:
        """The decoded body; Refused(400) when it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Refused(400, {"message": "Input must be a valid JSON object", "code": "bad_request"}) from None


@dataclass(frozen=True)
class SandboxReply:
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)


class Refused(Exception):
    """Raised inside a handler: the answer is this refusal."""

    def __init__(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"HTTP {status}")
        self.reply = SandboxReply(status, body, headers or {})


class ConnectionDropped(Exception):
    """The connection breaks without an answer."""


@dataclass
class Fault:
    """Something that goes wrong for the next `times` requests that match.

    kinds: drop (carried out, no answer), refuse (connection breaks before anything happens), half (carried out,
    half of the body arrives), html (a page with 200, nothing carried out), status (`status`, `headers`, `body`, nothing
    carried out), slow (`seconds` of delay first). `skip` lets that many matching requests pass first.
    """

    kind: str
    method: str = ""
    path: str = ""
    times: int = 1
    skip: int = 0
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    seconds: float = 0.0

    def matches(self, request: SandboxRequest) -> bool:
        return self.method in ("", request.method) and re.search(self.path, request.path) is not None


@dataclass(frozen=True)
class Seen:
    """One request as the sandbox logged it. `at` is in seconds of its clock."""

    at: float
    method: str
    path: str
    status: int | None


Handler = Callable[..., SandboxReply]


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Marks a method as the handler of `METHOD /path/{name}`; the parts in braces become arguments, URL-decoded."""

    def mark(handler: Handler) -> Handler:
        handler.__dict__.setdefault("routes", []).append((method, pattern))
        return handler

    return mark


class Sandbox:
    """A remote system in memory. Subclasses add routes, state and `authenticate`; answers follow the fact sheets.

    `handle` is safe to call from several threads: one request is carried out at a time. `key_field` is the field by
    which records are told apart; `speaks_http` is false where one is reached otherwise; `short` are settings of a
    connection with which the conformance cases take little; `base_url` is where it is served, for the links in its
    answers. `sign_in_paths` are the steps of giving access: a person's page and its answer, and the token endpoint;
    `creates` is what the paths of requests look like by which contacts are made.
    """

    slug: ClassVar[str]
    missing: ClassVar[Any] = {"message": "Not found"}
    key_field: ClassVar[str] = "email"
    short: ClassVar[Mapping[str, Any]] = {}
    sign_in_paths: ClassVar[tuple[str, ...]] = ()
    creates: ClassVar[str] = r"/contacts$"
    speaks_http: ClassVar[bool] = True

    def __init__(self, clock: Clock | None = None, *, enforce_limits: bool = True) -> None:
        self.clock = clock or SystemClock()
        self.base_url = "https://sandbox.invalid"
        self.enforce_limits = enforce_limits
        self.faults: list[Fault] = []
        self.seen: deque[Seen] = deque(maxlen=200_000)
        self.lock = threading.RLock()
        # A fixed path is asked before one with a variable part at the same place.
        self._routes = sorted(self._collect(), key=lambda r: r[1].pattern.count("(?P<"))

    def config(self, base_url: str) -> dict[str, Any]:
        """The settings and secrets with which a connection signs in here."""
        raise NotImplementedError  # pragma: no cover - every stand-in names its own

    def open(self) -> str:
        """Makes one that speaks no HTTP ready with sample records; answers where it is, in words without secrets."""
        raise NotImplementedError  # pragma: no cover - those that speak HTTP are served

    def reset(self) -> None:
        """Forgets what outlives the process."""

    def register_hub(self, address: str) -> None:
        """What a person enters in the system's own settings: the hub to which its sign-in page leads back."""

    def oauth_config(self, base_url: str) -> dict[str, Any] | None:
        """The settings of a connection to which a person gives access here, by the page's link `allow`; else None."""
        return None

    def client_config(self, base_url: str) -> dict[str, Any] | None:
        """The settings of a connection that fetches its tokens by itself; None where there is no such way in."""
        return None

    def people(self) -> list[dict[str, Any]]:
        """Every stored contact, with its "id" and its fields."""
        raise NotImplementedError  # pragma: no cover - every stand-in has its own

    def sample_values(self, number: int) -> dict[str, Any]:
        """The values of an acceptable contact, another one for every number; made-up people only."""
        raise NotImplementedError  # pragma: no cover - every stand-in has its own

    def store(self, values: Mapping[str, Any]) -> None:
        """Puts a contact in, or changes the one with the same `key_field`, as the people over there do.

        Needed where the hub itself never writes.
        """
        raise NotImplementedError  # pragma: no cover - where the hub writes, tests do it so

    def sample_of(self, entity: str, number: int) -> dict[str, Any]:
        """The values of an acceptable record of an entity, whose first one tells it from others."""
        return self.sample_values(number)

    def stored(self, entity: str) -> list[dict[str, Any]]:
        """Every stored record of an entity, with its "id"."""
        return self.people()

    def bad_values(self, number: int) -> dict[str, Any]:
        """The values of a contact that is refused for what is in it, another one for every number."""
        raise NotImplementedError  # pragma: no cover - every stand-in has its own

    def most_held(self, capabilities: Capabilities) -> int:
        """How many changes `write` may have pulled without an outcome, under the `short` settings."""
        return (capabilities.max_in_flight + 2) * capabilities.write_batch

    def on_served(self) -> None:
        """It is on a port from now on: what it sends by itself may go out."""

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        """Limits and credentials: an answer here keeps the handler from being called."""
        return None

    def after(self, request: SandboxRequest, reply: SandboxReply) -> SandboxReply:
        """Headers that every answer carries."""
        return reply

    def handle(self, request: SandboxRequest) -> SandboxReply:
        """The answer to a request. Raises ConnectionDropped where a fault says so."""
        fault = self._fault(request)
        if fault is not None and fault.kind == "slow":
            self.clock.sleep(fault.seconds)
        with self.lock:
            try:
                reply = self._broken(fault) or self._carry_out(request)
            except ConnectionDropped:
                self._log(request, None)
                raise
            self._log(request, reply.status)
        if fault is not None and fault.kind == "drop":
            raise ConnectionDropped
        if fault is not None and fault.kind == "half":
            whole = reply.encoded()
            return SandboxReply(reply.status, whole[: len(whole) // 2], reply.headers)
        return reply

    def _broken(self, fault: Fault | None) -> SandboxReply | None:
        if fault is None or fault.kind in ("drop", "half", "slow"):
            return None
        if fault.kind == "refuse":
            raise ConnectionDropped
        if fault.kind == "html":
            return SandboxReply(200, b"<html><body>Maintenance</body></html>", {"content-type": "text/html"})
        return SandboxReply(fault.status, fault.body, fault.headers)

    def _carry_out(self, request: SandboxRequest) -> SandboxReply:
        try:
            return self.after(request, self.before(request) or self._dispatch(request))
        except Refused as refused:
            return self.after(request, refused.reply)

    def _dispatch(self, request: SandboxRequest) -> SandboxReply:
        known = False
        for method, pattern, handler in self._routes:
            found = pattern.fullmatch(request.path)
            if found is None:
                continue
            known = True
            if method == request.method:
                return handler(request, **{k: unquote(v) for k, v in found.groupdict().items()})
        return SandboxReply(405 if known else 404, self.missing)

    def _fault(self, request: SandboxRequest) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and fault.matches(request):
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None

    def _log(self, request: SandboxRequest, status: int | None) -> None:
        self.seen.append(Seen(self.clock.monotonic(), request.method, request.path, status))

    def _collect(self) -> Iterator[tuple[str, re.Pattern[str], Handler]]:
        for name in dir(type(self)):
            for method, pattern in getattr(getattr(type(self), name), "routes", ()):
                regex = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
                yield method, re.compile(regex), getattr(self, name)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not getattr(cls, "slug", ""):
            raise TypeError(f"{cls.__name__} needs a slug")


class WindowLimit:
    """At most `requests` in any `seconds`: the rolling window that real systems count by."""

    def __init__(self, requests: int, seconds: float) -> None:
        self.requests, self.seconds = requests, seconds
        self._times: deque[float] = deque()

    def take(self, now: float) -> float:
        """Counts one request at `now`; answers 0 when it fits, else the seconds until one would."""
        while self._times and self._times[0] <= now - self.seconds:
            self._times.popleft()
        if len(self._times) >= self.requests:
            return self._times[0] + self.seconds - now
        self._times.append(now)
        return 0.0

    @property
    def left(self) -> int:
        return self.requests - len(self._times)
