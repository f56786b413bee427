"""A tiny remote system for tests of the HTTP client: it counts, and answers what it is told to."""

from __future__ import annotations

from typing import Any

from connectors.core.base import Context
from connectors.core.clock import Clock, ManualClock
from connectors.core.http import ApiClient
from connectors.core.limits import MemoryLimiter
from connectors.core.metrics import Totals
from connectors.core.sandbox import Sandbox, SandboxReply, SandboxRequest, route
from connectors.core.testing import SandboxAdapter
from connectors.core.types import RateLimit


class Echo(Sandbox):
    slug = "echo"

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock or ManualClock())
        self.created = 0
        self.requests: list[SandboxRequest] = []

    def before(self, request: SandboxRequest) -> SandboxReply | None:
        self.requests.append(request)
        return None

    @route("POST", "/things")
    def create(self, request: SandboxRequest) -> SandboxReply:
        self.created += 1
        return SandboxReply(201, {"id": self.created}, {"set-cookie": "session=1; Path=/"})

    @route("GET", "/things/{number}")
    def show(self, request: SandboxRequest, number: str) -> SandboxReply:
        return SandboxReply(200, {"id": number})


def client_of(echo: Sandbox, limit: RateLimit | None = None, **options: Any) -> tuple[ApiClient, Totals]:
    totals = Totals()
    context = Context(
        config={},
        key="echo",
        clock=echo.clock,
        limiter=MemoryLimiter(echo.clock),
        adapter=SandboxAdapter(echo),
        recorder=totals,
        max_tries=options.pop("max_tries", 4),
    )
    limits = (limit,) if limit is not None else ()
    return ApiClient(context, "https://echo.invalid", limits=limits, **options), totals
