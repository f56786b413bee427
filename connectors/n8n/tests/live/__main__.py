"""Pushes made-up contacts into a real n8n with the product's own commands, and looks at what its workflow received.

Usage: python -m connectors.n8n.tests.live [CONTACTS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from connectors.core.base import Context
from connectors.core.errors import ApiError
from connectors.core.types import CONTACTS, Change, MatchKey, Op, Result, Secret
from connectors.n8n.connector import N8n as Connector
from connectors.n8n.refusals import BAD_CREDENTIALS, FAILS_WITH_IT, INACTIVE
from connectors.n8n.tests.live import received
from connectors.n8n.tests.live.forgetful import Forgetful
from connectors.n8n.tests.live.hub import Hub
from connectors.n8n.tests.live.installed import N8n, cache, install

HEADER, TOKEN = "X-Crmsync-Token", "made up for this test"
CREDENTIAL = {
    "id": "crmsyncHeader0001",
    "name": "crmsync header",
    "type": "httpHeaderAuth",
    "data": {"name": HEADER, "value": TOKEN},
}
# Few enough for the workflow of a busy machine to answer one in seconds, and several of them for each push.
BATCH = 100
LOST = 2
# Over the 1 MiB that this n8n takes, until it is halved.
LARGE, LARGE_TEXT = 12, "x" * 150_000


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    say(f"n8n in {cache()} (installed on first use, which takes minutes)")
    program = install()
    with tempfile.TemporaryDirectory(prefix="crmsync-n8n-", ignore_cleanup_errors=True) as scratch:
        home = Path(scratch)
        # The embedded database may have to run under another account than ours.
        home.chmod(0o711)
        (home / "n8n").mkdir()
        n8n = N8n(program, home / "n8n", CREDENTIAL)
        try:
            look_at_unpublished(n8n)
            n8n.publish()
            n8n.start("Did you mean to make a POST")
            look_at_published(n8n)
            push_with_lost_answers(n8n, home, count)
            send_large(n8n, count)
            send_one_over_which_it_stumbles(n8n, count + LARGE)
        finally:
            n8n.stop()
    say("all as it should be")


def look_at_unpublished(n8n: N8n) -> None:
    n8n.start("is not registered")
    refused("an unpublished workflow", INACTIVE, lambda: connector(n8n.url).check())
    n8n.stop()


def look_at_published(n8n: N8n) -> None:
    health = connector(n8n.url).check()
    expect("the test of the connection", health.message, "The n8n webhook is there and takes contacts.")
    strange = connector(n8n.url, "another value")
    refused("a wrong header", BAD_CREDENTIALS % 403, lambda: list(strange.write(CONTACTS, [contact(0)])))
    expect("executions after both", received.statuses(n8n.database), [])


def push_with_lost_answers(n8n: N8n, home: Path, count: int) -> None:
    """The product itself: import, queue, push through a proxy that loses answers, change, push again."""
    with Forgetful(n8n.port) as proxy:
        hub = Hub(
            home / "hub",
            N8N_WEBHOOK_URL=f"http://127.0.0.1:{proxy.port}/webhook/crmsync",
            N8N_AUTH_HEADER=HEADER,
            N8N_AUTH_VALUE=TOKEN,
            N8N_BATCH_SIZE=str(BATCH),
            SYNC_BATCH_SIZE=str(count),
        )
        hub.command("setup")
        hub.import_people([person(number) for number in range(count)])
        proxy.losing = LOST
        started = time.monotonic()
        counters = hub.push()
        say(f"{count} contacts in {time.monotonic() - started:.1f} s: {counters}")
        expect("created", counters["created"], count)
        expect("answers lost on the way", proxy.lost, LOST)
        expect("requests whose delivery came twice", len(proxy.deliveries) - len(set(proxy.deliveries)), LOST)
        look_at_contacts(n8n, count, changed=0)
        expect("a second push", hub.push()["unchanged"], count)
        hub.import_people([{**person(0), "first_name": "Renamed"}])
        expect("a push of one change", hub.push()["updated"], 1)
        look_at_contacts(n8n, count, changed=1)


def look_at_contacts(n8n: N8n, count: int, changed: int) -> None:
    stored = received.contacts(n8n.database)
    wanted = [person(number)["email"] for number in range(count)]
    expect("contacts stored", len(stored), count)
    expect("ids of ours among them", len({c["crmsync_id"] for c in stored}), count)
    expect("addresses that differ", set(wanted) ^ {c["email"] for c in stored}, set())
    expect("renamed ones", sum(c["firstName"] == "Renamed" for c in stored), changed)
    worked = received.worked_on(n8n.database)
    sent = [c["delivery_id"] for body in received.bodies(n8n.database) for c in body]
    expect("contacts worked on", (len(worked), len(set(worked))), (count + changed, count + changed))
    expect("repeats dropped", len(sent) - len(worked), LOST * BATCH)
    expect("executions that failed", received.statuses(n8n.database).count("error"), 0)


def send_large(n8n: N8n, count: int) -> None:
    """A body over N8N_PAYLOAD_SIZE_MAX, packed small: halved until it is let in."""
    large = connector(n8n.url, batch_bytes=16 * 1024 * 1024)
    outcomes = list(large.write(CONTACTS, [contact(number, LARGE_TEXT) for number in range(LARGE)]))
    expect("large ones", {outcome.result for outcome in outcomes}, {Result.CREATED})
    expect("contacts stored with them", len(received.contacts(n8n.database)), count + LARGE)
    (outcome,) = large.write(CONTACTS, [contact(LARGE, LARGE_TEXT * 10)])
    expect("one that is too large by itself", outcome.error.kind if outcome.error else "", "data")


def send_one_over_which_it_stumbles(n8n: N8n, stored: int) -> None:
    """A value that the data table does not take: n8n answers with an empty 200."""
    good, bad = contact(100), Change(101, Op.UPSERT, {"email": {"no": "text"}}, key=MatchKey("id", "stumbling"))
    outcomes = {outcome.ref: outcome for outcome in connector(n8n.url).write(CONTACTS, [good, bad])}
    expect("one beside it", outcomes[100].result, Result.CREATED)
    error = outcomes[101].error
    expect("the one over which a node stumbles", error.message if error else "", FAILS_WITH_IT)
    expect("contacts stored with it", len(received.contacts(n8n.database)), stored + 1)


def connector(url: str, token: str = TOKEN, **settings: int) -> Connector:
    config = {"auth_header": HEADER, **settings}
    secrets = {"webhook_url": Secret(f"{url}/webhook/crmsync"), "auth_value": Secret(token)}
    return Connector(Context(config, secrets, allow_private_hosts=["127.0.0.1"]))


def contact(number: int, text: str = "") -> Change:
    values = {"email": f"large{number}@example.com", "about": text}
    return Change(number, Op.UPSERT, values, key=MatchKey("id", f"large-{number}"), all_values=values)


def person(number: int) -> dict[str, str]:
    return {
        "first_name": f"Ann {number}",
        "last_name": "Bell",
        "email": f"person{number}@example.com",
        "phone": f"+1202555{number:04d}",
        "company": "Acorn",
    }


def refused(what: str, sentence: str, work: Callable[[], object]) -> None:
    told = "nothing"
    try:
        work()
    except ApiError as e:
        told = e.message
    expect(what, told, sentence)


def expect(what: str, found: object, wanted: object) -> None:
    """Says it, and ends the test where it is not so."""
    if found != wanted:
        sys.exit(f"{what}: {str(found)[:500]}, but should be {str(wanted)[:500]}")
    say(f"{what}: as expected" if len(str(found)) > 60 else f"{what}: {found}")


def say(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    main()
