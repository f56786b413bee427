"""100,000 patients of a clinic to amoCRM at its documented 7 requests a second: first load, deep run, nothing new.

Prints seconds, requests, peak memory, and the ratio to the time that full batches need at the limit.
Usage: python -m tests.bench.bench_clinic [PATIENTS]
"""

from __future__ import annotations

import math
import sys

from tests.bench.common import Served, in_a_process, prepare

prepare()

from connectors import services  # noqa: E402
from connectors.core import registry  # noqa: E402
from connectors.core.types import CONTACTS  # noqa: E402
from connectors.models import Connection  # noqa: E402
from syncjobs import route_fields  # noqa: E402
from syncjobs.compat import seed_002  # noqa: E402


def ran(label: str, requests: int, *options: str) -> None:
    """One `sync_ident` in a process of its own; `requests` are those that full batches need."""
    counters, megabytes = in_a_process("sync_ident", "--json", *options)
    seconds = counters.pop("duration_ms") / 1000
    told = ", ".join(f"{count} {name}" for name, count in counters.items() if count and name != "run")
    allowed = f"{seconds / (requests / 7):.3f} x {requests}/7 s" if requests else ""
    print(f"  {label:22} {seconds:8.2f} s  {allowed:20} {told}; peak memory {megabytes} MB", flush=True)


def main(patients: int) -> None:
    ident = registry.sandbox_class("ident")()  # type: ignore[misc]
    ident.reset()
    ident.fill(patients)
    pages = math.ceil(patients / registry.get("amocrm").spec.entities[CONTACTS].page_size)
    print(f"{patients} patients, {pages} full pages or batches of amoCRM:")
    for limits in (True, False):
        Connection.objects.all().delete()
        source = services.create_connection("ident", "ident", ident.config(""))
        with Served("amocrm", limits=limits) as served:
            settings = served.config("amocrm") | ({} if limits else {"rps": 0})
            route = seed_002.route_between(source, services.create_connection("amocrm", "amocrm", settings))
            route_fields.add_rules(route, route_fields.create(route))
            print("limits on:" if limits else "limits off, our own time and the stand-in's:")
            ran("first load", pages)
            ran("deep, nothing changed", pages, "--deep")
            ran("nothing new", 0)
            ran("nothing new", 0)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
