"""Mirrors 100,000 contacts of a portal with all their fields, limits off, beside the floor measured in the same run.

Prints seconds, requests, peak memory, and the ratio to the floor: read, decode and COPY, and nothing else.
Usage: python -m tests.bench.bench_mirror [CONTACTS]
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from tests.bench.common import ROOT, Served, in_a_process, prepare

prepare()

from django.db import connection as database  # noqa: E402
from psycopg.conninfo import make_conninfo  # noqa: E402

from connectors import services  # noqa: E402

SLUG = "bitrix24"


def told(label: str, people: int, *options: str) -> float:
    """One run in a process of its own, as it counts itself; answers the seconds it took."""
    counters, megabytes = in_a_process("mirror", SLUG, "contact", "--json", *options)
    seconds = float(counters.pop("duration_ms")) / 1000
    words = ", ".join(f"{count} {name}" for name, count in counters.items() if count and name not in ("run", "runs"))
    print(f"  {label:34} {seconds:8.2f} s {people / seconds:10,.0f}/s  {words}; peak memory {megabytes} MB", flush=True)
    return seconds


def floor(address: str) -> float:
    params = database.get_connection_params()
    login = {name: params[name] for name in ("host", "port", "user", "password", "dbname") if params.get(name)}
    command = [sys.executable, "-m", "tests.bench.mirror_floor", address, make_conninfo("", **login)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with Served(SLUG, limits=False, people=people) as served:
        config: dict[str, Any] = served.config(SLUG) | {"rps": 0}
        services.create_connection(SLUG, SLUG, config)
        lowest = floor(config["webhook_url"])
        print(f"  {'floor: read, decode, COPY':34} {lowest:8.2f} s {people / lowest:10,.0f}/s", flush=True)
        seconds = told("first load", people)
        print(f"    {seconds / lowest:.2f} of the floor", flush=True)
        told("nothing changed, in full", people, "--full")
        told("nothing changed", people)
    database.close()


if __name__ == "__main__":
    main()
