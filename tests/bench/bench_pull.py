"""Pulls 100,000 people: the hub's own pace with pages made in its process, then amoCRM at its 7 requests a second.

Prints contacts a second, requests, peak memory, and the ratio to the time that full pages and batches need.
Usage: python -m tests.bench.bench_pull [CONTACTS] [made-up|limited|first-load …]
"""

from __future__ import annotations

import sys
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

SLUG = "amocrm"


def told(label: str, people: int, *command: str, first: str = "") -> float:
    """One command in a process of its own, as its run counts it; answers the seconds it took."""
    counters, megabytes = in_a_process(*command, "--json", first=first)
    seconds = counters.pop("duration_ms") / 1000
    words = ", ".join(f"{count} {name}" for name, count in counters.items() if count and name != "run")
    print(f"  {label:34} {seconds:8.2f} s {people / seconds:10,.0f}/s  {words}; peak memory {megabytes} MB", flush=True)
    return seconds


def emptied(**values: Any) -> Connection:
    """A new connection, and a hub without contacts."""
    with database.cursor() as cursor:
        cursor.execute("TRUNCATE contacts_contact, syncjobs_run, syncjobs_scanned CASCADE")
    Connection.objects.all().delete()
    return services.create_connection(SLUG, SLUG, values)


def change_everybody() -> None:
    """Every contact has another last name now, and its links are due."""
    with database.cursor() as cursor:
        cursor.execute("UPDATE contacts_contact SET last_name = last_name || '-Acorn', version = version + 1")
    enqueue.enqueue_filtered(Connection.objects.get(key=SLUG), enqueue.Filters())


def made_up(people: int) -> None:
    print("pages made in the process:")
    sandbox = registry.sandbox_class(SLUG)
    assert sandbox is not None
    emptied(**sandbox().config("https://sandbox.example.com"))
    for label, edition in (("first load", 0), ("nothing changed", 0), ("everybody changed", 1)):
        first = f"from tests.bench.made_up import install; install({people}, {edition})"
        told(label, people, "pull", SLUG, "--full", first=first)


def limited(people: int) -> None:
    limit, allowed = _allowed(people)
    print(f"{SLUG} at {limit:g} requests a second, {people:,} people there:")
    with Served(SLUG, limits=True, people=people) as served:
        emptied(**served.config(SLUG))
        share("pull, first load", allowed, told("pull, first load", people, "pull", SLUG))
        change_everybody()
        share("push, everybody changed", allowed, told("push, everybody changed", people, "push", SLUG))
        told("push again", people, "push", SLUG)
        told("pull of what changed: own writes", people, "pull", SLUG)
        share("pull in full again", allowed, told("pull in full again", people, "pull", SLUG, "--full"))
        told("push again", people, "push", SLUG)


def first_load(people: int) -> None:
    """As many new contacts as the account holds others: the account is read once, and they are written."""
    limit, allowed = _allowed(people)
    print(f"{SLUG} at {limit:g} requests a second, {people:,} new contacts beside {people:,} others:")
    with Served(SLUG, limits=True, people=people) as served:
        emptied(**served.config(SLUG))
        fresh_contacts(people)
        enqueue.enqueue_filtered(Connection.objects.get(key=SLUG), enqueue.Filters())
        first = "from tests.bench.slices import install; install()"
        share(
            "push as the worker does", 2 * allowed, told("push as the worker does", people, "push", SLUG, first=first)
        )


def _allowed(people: int) -> tuple[float, float]:
    """Requests a second that the system allows, and the seconds that full batches of everybody take at that pace."""
    spec = registry.get(SLUG).spec
    pace = spec.limits[0].requests / spec.limits[0].seconds
    return pace, people / spec.entities[CONTACTS].write_batch / pace


def share(label: str, allowed: float, seconds: float) -> None:
    print(f"    {label}: {seconds / allowed:.3f} of the {allowed:.1f} s that full batches need", flush=True)


PARTS: dict[str, Callable[[int], None]] = {"made-up": made_up, "limited": limited, "first-load": first_load}


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for part in sys.argv[2:] or PARTS:
        PARTS[part](people)
    database.close()


if __name__ == "__main__":
    main()
