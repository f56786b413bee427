"""Pushes 100,000 contacts to every sandbox: limits off for the hub's own pace, limits on for the time a CRM allows.

Prints contacts a second, requests, peak memory, and the ratio to the time that full batches need at the limit.
Systems that document no limit are measured once. Usage: python -m tests.bench.bench_push [CONTACTS [SLUG …]]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from tests.bench.common import Served, fresh_contacts, in_a_process, prepare

prepare()

from django.db import connection as database  # noqa: E402

from connectors import services  # noqa: E402
from connectors.core import registry  # noqa: E402
from connectors.core.types import CONTACTS  # noqa: E402
from connectors.models import Connection  # noqa: E402
from syncjobs import enqueue  # noqa: E402


def timed(label: str, work: Callable[[], Any], contacts: int) -> None:
    started = time.perf_counter()
    told = work()
    seconds = time.perf_counter() - started
    print(f"  {label:26} {seconds:8.2f} s {contacts / seconds:10,.0f}/s  {told}")


def pushed(label: str, connection: Connection, contacts: int) -> float:
    """One `push` in a process of its own, as its run counts it; answers the seconds it took."""
    counters, megabytes = in_a_process("push", connection.key, "--json")
    seconds = counters.pop("duration_ms") / 1000
    told = ", ".join(f"{count} {name}" for name, count in counters.items() if count and name != "run")
    print(f"  {label:26} {seconds:8.2f} s {contacts / seconds:10,.0f}/s  {told}; peak memory {megabytes} MB")
    return seconds


def connect(slug: str, served: Served, **values: Any) -> Connection:
    Connection.objects.filter(key=slug).delete()
    return services.create_connection(slug, slug, served.config(slug) | values)


def measure(slug: str, contacts: int) -> None:
    print(f"{slug}, limits off:")
    with Served(slug, limits=False) as served:
        connection = connect(slug, served, rps=0)
        timed("queue-all", lambda: enqueue.enqueue_filtered(connection, enqueue.Filters()), contacts)
        pushed("push, everybody new", connection, contacts)
        enqueue.enqueue_filtered(connection, enqueue.Filters())
        pushed("push, nothing changed", connection, contacts)


def measure_limited(slug: str, contacts: int, **values: Any) -> None:
    """The time a documented limit allows, and ours."""
    spec = registry.get(slug).spec
    limit = spec.limits[0]
    pace = values.get("rps") or limit.requests / limit.seconds
    batch = spec.entities[CONTACTS].write_batch
    allowed = contacts / batch / pace
    print(f"{slug}, at {pace:g} requests a second:")
    with Served(slug, limits=True, **({"requests": 190} if pace == 19 else {})) as served:
        connection = connect(slug, served, **values)
        enqueue.enqueue_filtered(connection, enqueue.Filters())
        seconds = pushed("push, everybody new", connection, contacts)
    print(f"  {seconds / allowed:.3f} of the {allowed:.1f} s that batches of {batch} need")


def main() -> None:
    contacts = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    fresh_contacts(contacts)
    writing = [s for s, c in registry.all_connectors().items() if c.spec.entities[CONTACTS].write]
    chosen = [slug for slug in sys.argv[2:] or writing if registry.sandbox_class(slug)]
    for slug in chosen:
        measure(slug, contacts)
    for slug in chosen:
        limits = registry.get(slug).spec.limits
        if limits:
            measure_limited(slug, contacts, **({"rps": 19} if limits[0].requests == 100 else {}))
    database.close()


if __name__ == "__main__":
    main()
