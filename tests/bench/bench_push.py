"""Pushes 100,000 contacts to every sandbox: limits off for the hub's own pace, limits on for the time a CRM allows.

Prints contacts a second, requests, peak memory, and the ratio to the time that full batches need at the limit.
Usage: python -m tests.bench.bench_push [CONTACTS]
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

from tests.bench.common import Served, fresh_contacts, prepare

prepare()

from django.db import connection as database  # noqa: E402

from connectors import services  # noqa: E402
from connectors.core import registry  # noqa: E402
from connectors.core.types import CONTACTS  # noqa: E402
from connectors.models import Connection  # noqa: E402
from syncjobs import counts, enqueue  # noqa: E402
from syncjobs.push import push  # noqa: E402


def megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def timed(label: str, work: Any, contacts: int) -> float:
    started = time.perf_counter()
    told = work()
    seconds = time.perf_counter() - started
    print(f"  {label:34} {seconds:8.2f} s {contacts / seconds:10,.0f}/s  {told if told is not None else ''}")
    return seconds


def counters(connection: Connection) -> str:
    run = push(connection, trigger="bench")
    run.refresh_from_db()
    parts = ("created", "updated", "unchanged", "failed", "requests", "retries", "rate_limit_hits")
    told = ", ".join(f"{getattr(run, name)} {name}" for name in parts if getattr(run, name))
    return f"{told} {run.message}"


def connect(slug: str, served: Served, **values: Any) -> Connection:
    Connection.objects.filter(key=slug).delete()
    return services.create_connection(slug, slug, served.config(slug) | values)


def measure(slug: str, contacts: int) -> None:
    print(f"{slug}, limits off:")
    with Served(slug, limits=False) as served:
        connection = connect(slug, served, rps=0)
        timed("queue-all", lambda: enqueue.enqueue_filtered(connection, enqueue.Filters()), contacts)
        timed("push, everybody new", lambda: counters(connection), contacts)
        enqueue.enqueue_filtered(connection, enqueue.Filters())
        timed("push, nothing changed", lambda: counters(connection), contacts)
        timed("sync-stats", lambda: counts.stats(connection).total, contacts)
    print(f"  peak memory {megabytes()} MB")


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
        seconds = timed("push, everybody new", lambda: counters(connection), contacts)
    print(
        f"  {seconds / allowed:.3f} of the {allowed:.1f} s that batches of {batch} need; peak memory {megabytes()} MB"
    )


def main() -> None:
    contacts = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    fresh_contacts(contacts)
    writing = [s for s, c in registry.all_connectors().items() if c.spec.entities[CONTACTS].write]
    for slug in writing:
        if registry.sandbox_class(slug):
            measure(slug, contacts)
    for slug in writing:
        if registry.sandbox_class(slug):
            measure_limited(
                slug, contacts, **({"rps": 19} if registry.get(slug).spec.limits[0].requests == 100 else {})
            )
    database.close()


if __name__ == "__main__":
    main()
