"""Two systems at the ends of a two-way route, each with people of its own who add, edit and delete."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import requests.adapters

from connectors import services
from connectors.core import registry
from connectors.core.clock import ManualClock
from connectors.core.sandbox import Sandbox
from connectors.core.testing import SandboxAdapter
from syncjobs import route_runs, routes
from syncjobs.models import Route
from syncjobs.route_runs import RouteRun
from tests.engine.conftest import Destination
from tests.engine.remote import Remote

WRITING = ("POST", "PATCH", "PUT", "DELETE")
# Reads that are sent as writes.
READING = ("token", ":batchGet", "/search", "/batch/read")


class ByHost(requests.adapters.BaseAdapter):
    """A transport that asks the sandbox whose address it is."""

    def __init__(self, sandboxes: dict[str, Sandbox]) -> None:
        super().__init__()
        self._adapters = {host: SandboxAdapter(sandbox) for host, sandbox in sandboxes.items()}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        host = str(request.url).split("/")[2]
        return self._adapters[host].send(request, *args, **kwargs)

    def close(self) -> None:
        """Nothing to release: there are no sockets."""


class End(Remote):
    """One end: its sandbox, its connection, and what a person does there."""

    def __init__(self, destination: Destination) -> None:
        super().__init__(destination)
        self.connection, self.sandbox = destination.connection, destination.sandbox

    def people(self) -> list[dict[str, Any]]:
        return self.sandbox.people()  # type: ignore[attr-defined]

    def count(self) -> int:
        return len(self.people())

    def writes(self) -> int:
        """How many requests have written."""
        asked = [seen.path for seen in self.sandbox.seen if seen.method in WRITING]
        return sum(not path.endswith(READING) for path in asked)


class Pair:
    def __init__(self, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, one: str, other: str) -> None:
        self.clock = clock
        sandboxes = {slug: registry.sandbox_class(slug)(clock, enforce_limits=False) for slug in (one, other)}  # type: ignore[misc]
        hosts = {f"{slug}.example.com": sandbox for slug, sandbox in sandboxes.items()}
        monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: ByHost(hosts))
        ends = []
        for slug, sandbox in sandboxes.items():
            values = sandbox.config(f"https://{slug}.example.com") | {"rps": 0}
            ends.append(End(Destination(services.create_connection(slug, slug, values), sandbox)))
        self.one, self.other = ends
        self.route = routes.between(self.one.connection, self.other.connection, two_way=True)

    def run(self, *, full: bool = False) -> RouteRun:
        self.clock.sleep(120)
        self.route.refresh_from_db()
        return route_runs.run_route(self.route, trigger="test", full=full)

    def set(self, **terms: Any) -> None:
        Route.objects.filter(pk=self.route.pk).update(**terms)

    def quiet(self) -> None:
        """Two runs later nothing is written any more, at either end."""
        self.run()
        before = (self.one.writes(), self.other.writes())
        done = self.run()
        assert (self.one.writes(), self.other.writes()) == before
        counters = done.counters()
        assert (counters["created"], counters["updated"], counters["failed"]) == (0, 0, 0)
