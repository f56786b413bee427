"""Webhook intake: the real web server, one process, callers on kept-alive connections; the aim is 500 a second.

Every body is another one, as repeated ones cost less. Prints the pace, the latencies and what arrived.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import quote, urlencode

from tests.bench.common import ROOT, prepare

CALLERS = 8
AIM_PER_SECOND, AIM_P99_MS = 500, 50


def main(count: int) -> None:
    prepare()
    from django.db import connection as database

    from connectors import services
    from connectors.core import registry
    from connectors.models import Connection
    from syncjobs import webhook_tokens
    from syncjobs.models import InboundEvent, Subscription, SubscriptionState

    slug = next(s for s, c in registry.all_connectors().items() if c.webhooks is not None)
    sandbox = registry.sandbox_class(slug)
    assert sandbox is not None
    Connection.objects.all().delete()
    connection = services.create_connection(slug, slug, sandbox().config("https://sandbox.example.com"))
    token = webhook_tokens.new_token()
    Subscription.objects.create(
        connection=connection, token_digest=webhook_tokens.digest(token), state=SubscriptionState.OK
    )
    params = database.get_connection_params()
    query = "&".join(f"{name}={quote(str(params[name]), safe='')}" for name in ("host", "port") if params.get(name))
    login = ":".join(quote(str(params[name]), safe="") for name in ("user", "password") if params.get(name))
    with _Web(f"postgres://{login}@/{params['dbname']}?{query}") as web:
        path = f"/api/v1/webhooks/{slug}/all/{token}"
        _deliver(web.port, path, 400, first=10_000_000)
        seconds, times = _deliver(web.port, path, count)
    times.sort()
    stored = InboundEvent.objects.filter(connection=connection).count()
    p50, p99 = times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000
    print(
        f"{count} webhooks in {seconds:.1f} s: {count / seconds:.0f} a second (aim {AIM_PER_SECOND}), "
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms (aim {AIM_P99_MS}), longest {times[-1] * 1000:.0f} ms; "
        f"{stored - 400} stored"
    )


def _body(number: int) -> bytes:
    row = {"id": number, "name": "Анна Белова", "responsible_user_id": 10072086, "last_modified": 1694434030}
    pairs = [(f"contacts[update][0][{name}]", value) for name, value in row.items()]
    for field in range(6):
        at = f"contacts[update][0][custom_fields][{field}]"
        pairs += [(f"{at}[id]", field), (f"{at}[name]", "Телефон"), (f"{at}[values][0][value]", "+79990000000")]
    return urlencode([*pairs, ("account[id]", 31287990)]).encode()


def _deliver(port: int, path: str, count: int, first: int = 0) -> tuple[float, list[float]]:
    """(seconds in all, seconds of each); the callers share the numbers out among themselves."""
    bodies = [_body(first + i) for i in range(count)]
    times: list[float] = []
    wrong: list[int] = []

    def call(own: list[bytes]) -> None:
        caller = http.client.HTTPConnection("127.0.0.1", port)
        for body in own:
            started = time.perf_counter()
            caller.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
            answer = caller.getresponse()
            answer.read()
            times.append(time.perf_counter() - started)
            if answer.status != 200:
                wrong.append(answer.status)

    threads = [threading.Thread(target=call, args=(bodies[i::CALLERS],)) for i in range(CALLERS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise RuntimeError(f"{len(wrong)} were not accepted: {set(wrong)}")
    return time.perf_counter() - started, times


class _Web:
    """`manage.py web` with one process, on a port of its own."""

    def __init__(self, database_url: str) -> None:
        self.environment = os.environ | {
            "DATABASE_URL": database_url,
            "CRMSYNC_DATA_DIR": tempfile.mkdtemp(prefix="crmsync-bench-"),
        }

    def __enter__(self) -> _Web:
        import socket

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [sys.executable, "manage.py", "web", f"--port={self.port}", "--processes=1"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL)
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError("the web server did not start")
            time.sleep(0.1)
        return self

    def _answers(self) -> bool:
        try:
            caller = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            caller.request("GET", "/health")
            return caller.getresponse().status < 600
        except OSError:
            return False

    def __exit__(self, *exc: object) -> None:
        self.process.terminate()
        self.process.wait(15)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
