"""amoCRM and Google Contacts both ways: 25,000 people meet an empty account, then ten change at one end.

Prints seconds and the requests at each end. Usage: python -m tests.bench.bench_two_way [PEOPLE]
"""

from __future__ import annotations

import sys

from tests.bench.common import Served, in_a_process, prepare

prepare()

from django.db.models import Sum  # noqa: E402

from connectors import services  # noqa: E402
from connectors.core.types import CONTACTS, Change, Op, ReadMode, ReadQuery  # noqa: E402
from connectors.models import Connection  # noqa: E402
from syncjobs import routes  # noqa: E402
from syncjobs.models import Run  # noqa: E402

CHANGED = 10


def ran(label: str, *options: str) -> None:
    last = Run.objects.order_by("-id").values_list("id", flat=True).first() or 0
    counters, megabytes = in_a_process("sync_route", "amocrm", "google", "--both", "--json", *options)
    seconds = counters.pop("duration_ms") / 1000
    told = ", ".join(f"{count} {name}" for name, count in counters.items() if count and name != "run")
    by_end = Run.objects.filter(pk__gt=last).values("connection__key").annotate(asked=Sum("requests")).order_by()
    asked = ", ".join(f"{row['connection__key']} {row['asked']} requests" for row in by_end)
    print(f"  {label:24} {seconds:8.2f} s  {told}; {asked}; peak memory {megabytes} MB", flush=True)


def change_some(connection: Connection) -> None:
    """A person at amoCRM gives ten people another last name."""
    connector = services.open_connector(connection)
    page = next(iter(connector.read(ReadQuery(CONTACTS, ReadMode.FULL))))
    changes = [
        Change(i, Op.UPDATE, {"last_name": f"Changed {i}"}, external_id=record.id)
        for i, record in enumerate(page.records[:CHANGED])
    ]
    assert all(outcome.ok for outcome in connector.write(CONTACTS, changes))
    connector.close()


def main(people: int) -> None:
    Connection.objects.all().delete()
    print(f"{people} people in amoCRM, none in Google; limits off, so this is our own time and the stand-ins':")
    with Served("amocrm", limits=False, people=people) as amo, Served("google", limits=False) as google:
        ends = [
            services.create_connection(served.slug, served.slug, served.config(served.slug) | {"rps": 0})
            for served in (amo, google)
        ]
        routes.between(*ends, two_way=True)
        ran("first run")
        ran("nothing new")
        change_some(ends[0])
        ran(f"{CHANGED} changed")
        ran("nothing new")
        ran("in full, nothing new", "--full")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 25_000)
