"""Mirrors 100,000 contacts of a portal with all their fields, limits off, beside the floor measured in the same run.

Prints seconds, requests, peak memory, and the ratio to the floor: read, decode and COPY, and nothing else. Both take
turns, as whatever else the machine does falls on either. Beside them what fast-bitrix24
takes, and what ten changes among ten times as many contacts do.
Usage: python -m tests.bench.bench_mirror [CONTACTS]
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from statistics import median

import requests

from tests.bench.common import ROOT, Served, in_a_process, prepare

prepare()

from django.db import connection as database  # noqa: E402
from psycopg.conninfo import make_conninfo  # noqa: E402

from connectors import services  # noqa: E402

SLUG, TURNS, CHANGES = "bitrix24", 5, 10


def told(label: str, key: str, people: int, *options: str) -> float:
    """One run in a process of its own, as it counts itself; answers the seconds it took."""
    counters, megabytes = in_a_process("mirror", key, "contact", "--json", *options)
    seconds = float(counters.pop("duration_ms")) / 1000
    words = ", ".join(f"{count} {name}" for name, count in counters.items() if count and name not in ("run", "runs"))
    line(label, seconds, people, f"{words}; peak memory {megabytes} MB")
    return seconds


def line(label: str, seconds: float, people: int, words: str = "") -> None:
    print(f"  {label:34} {seconds:8.2f} s {people / seconds:10,.0f}/s  {words}".rstrip(), flush=True)


def beside(module: str, address: str) -> list[float]:
    """The numbers that another way of doing it prints, in a process of its own."""
    params = database.get_connection_params()
    login = {name: params[name] for name in ("host", "port", "user", "password", "dbname") if params.get(name)}
    command = [sys.executable, "-m", f"tests.bench.{module}", address, make_conninfo("", **login)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def connect(served: Served, key: str) -> str:
    """A connection of its own, and so tables of its own; answers the portal's address."""
    config = served.config(SLUG) | {"rps": 0}
    services.create_connection(SLUG, key, config)
    return str(config["webhook_url"])


def first_loads(people: int) -> None:
    with Served(SLUG, limits=False, people=people) as served:
        floors, loads = list[float](), list[float]()
        for turn in range(TURNS):
            key = f"{SLUG}-{turn}"
            address = connect(served, key)
            (seconds,) = beside("mirror_floor", address)
            line("floor: read, decode, COPY", seconds, people)
            floors.append(seconds)
            loads.append(told("first load", key, people))
        usual = median(load / lowest for load, lowest in zip(loads, floors, strict=True))
        best = min(loads) / min(floors)
        print(f"    {usual:.2f} of the floor in the middle turn, {best:.2f} by the best of each", flush=True)
        told("nothing changed, in full", key, people, "--full")
        told("nothing changed", key, people)
        if importlib.util.find_spec("fast_bitrix24") is None:
            print("  fast-bitrix24 is not installed (requirements/bench.txt): nothing to compare with", flush=True)
            return
        seconds, megabytes = beside("mirror_fast_bitrix24", address)
        line("fast-bitrix24, COPY", seconds, people, f"peak memory {megabytes:.0f} MB")
        print(f"    {min(loads) / seconds:.2f} of fast-bitrix24", flush=True)


def few_changes(people: int) -> None:
    with Served(SLUG, limits=False, people=people) as served:
        address = connect(served, f"{SLUG}-many")
        told("first load of many", f"{SLUG}-many", people)
        told("nothing changed", f"{SLUG}-many", people)
        for number in range(1, people + 1, people // CHANGES):
            changed = {"id": number, "fields": {"COMMENTS": "Changed."}}
            requests.post(f"{address}crm.contact.update", json=changed, timeout=60).raise_for_status()
        told(f"{CHANGES} changes", f"{SLUG}-many", CHANGES)


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    first_loads(people)
    few_changes(10 * people)
    database.close()


if __name__ == "__main__":
    main()
