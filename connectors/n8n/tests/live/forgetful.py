"""A proxy that hands requests on and loses some of the answers."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


class Forgetful:
    """Before the server on `port`. The answers to the next `losing` POSTs are lost, after they have arrived."""

    def __init__(self, port: int) -> None:
        self.losing = self.lost = 0
        self.deliveries: list[str] = []
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(port))
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]

    def __enter__(self) -> Forgetful:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _loses(self, delivery: str) -> bool:
        with self._lock:
            self.deliveries.append(delivery)
            if self.losing == 0:
                return False
            self.losing -= 1
            self.lost += 1
            return True

    def _handler(self, port: int) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                server = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
                server.request(self.command, self.path, body, dict(self.headers.items()))
                answer = server.getresponse()
                content = answer.read()
                server.close()
                if self.command == "POST" and proxy._loses(self.headers.get("x-crmsync-delivery", "")):
                    self.close_connection = True
                    return
                self.send_response_only(answer.status)
                self.send_header("content-type", answer.headers.get("content-type", "text/plain"))
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = pass_on

            def log_message(self, format: str, *args: object) -> None:
                """What passes is counted, not written down."""

        return Handler
