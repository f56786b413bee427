"""Serves sandboxes: straight into the HTTP client for tests, or on a loopback port for demos and benchmarks."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import requests
import requests.adapters
import urllib3

from connectors.core.base import Connector, Context
from connectors.core.limits import MemoryLimiter
from connectors.core.sandbox import ConnectionDropped, Fault, Sandbox, SandboxReply, SandboxRequest
from connectors.core.types import Secret

CONTROL = "/__sandbox__/"


def sandbox_context(connector: type[Connector], sandbox: Sandbox, base_url: str = "", **options: Any) -> Context:
    """A context that signs in to a sandbox: over its `base_url`, or without one straight through an adapter.

    `options` are Context's; `config` among them adds settings to those the sandbox names.
    """
    given = sandbox.config(base_url or sandbox.base_url) | options.pop("config", {})
    secret = {field.name for field in connector.spec.secrets()}
    options.setdefault("clock", sandbox.clock)
    options.setdefault("limiter", MemoryLimiter(options["clock"]))
    if base_url:
        options.setdefault("allow_private_hosts", ("127.0.0.1",))
    else:
        options.setdefault("adapter", SandboxAdapter(sandbox))
    return Context(
        config={name: value for name, value in given.items() if name not in secret},
        secrets={name: Secret(value) for name, value in given.items() if name in secret},
        **options,
    )


class SandboxAdapter(requests.adapters.BaseAdapter):
    """A transport for `requests` that asks a sandbox instead of the network."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self.sandbox = sandbox

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        body = request.body or b""
        asked = SandboxRequest.make(
            request.method or "GET",
            request.url or "",
            dict(request.headers),
            body if isinstance(body, bytes) else body.encode(),
        )
        try:
            reply = self.sandbox.handle(asked)
        except ConnectionDropped:
            raise requests.ConnectionError("connection broken before an answer", request=request) from None
        content = reply.encoded()
        response = requests.Response()
        response.status_code = reply.status
        response.request = request
        response.url = request.url or ""
        response.headers.update(reply.headers)
        response.raw = urllib3.HTTPResponse(body=io.BytesIO(content), preload_content=False, status=reply.status)
        return response

    def close(self) -> None:
        """Nothing to release: there are no sockets."""


class SandboxServer:
    """A sandbox on a loopback port, with faults and counters to be had over HTTP under /__sandbox__/."""

    def __init__(self, sandbox: Sandbox, port: int = 0) -> None:
        self.sandbox = sandbox
        self._http = _Server(("127.0.0.1", port), _handler(sandbox))
        sandbox.base_url = self.url
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> SandboxServer:
        self._thread.start()
        self.sandbox.on_served()
        return self

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of what is being tested."""


def _handler(sandbox: Sandbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            request = SandboxRequest.make(self.command, self.path, dict(self.headers.items()), body)
            try:
                reply = _control(sandbox, request) or sandbox.handle(request)
            except ConnectionDropped:
                self.close_connection = True
                return
            self._write(reply)

        def _write(self, reply: SandboxReply) -> None:
            content = reply.encoded()
            self.send_response_only(reply.status)
            headers = {"content-type": "application/json", "date": self.date_time_string()} | {
                k.lower(): v for k, v in reply.headers.items()
            }
            for name, value in headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if reply.status != 204 else b"")
            self.wfile.flush()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: Any) -> None:
            """The sandbox keeps its own log."""

    return Handler


def _control(sandbox: Sandbox, request: SandboxRequest) -> SandboxReply | None:
    """Test control over HTTP: POST faults, GET stats, POST clear."""
    if not request.path.startswith(CONTROL):
        return None
    actions: dict[str, Callable[[], Any]] = {
        "faults": lambda: sandbox.faults.extend(Fault(**f) for f in orjson.loads(request.body)),
        "clear": sandbox.faults.clear,
        "stats": lambda: None,
    }
    action = actions.get(request.path.removeprefix(CONTROL))
    if action is None:
        return SandboxReply(404)
    with sandbox.lock:
        action()
        counts: dict[str, int] = {}
        for seen in sandbox.seen:
            counts[str(seen.status)] = counts.get(str(seen.status), 0) + 1
        return SandboxReply(200, {"requests": len(sandbox.seen), "by_status": counts})
