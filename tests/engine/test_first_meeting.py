"""Two full address books meet: half of the people are in both, spelled differently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.core.clock import ManualClock
from connectors.core.types import CONTACTS, Change, MatchKey, Op
from contacts.models import Contact
from syncjobs.models import ContactSync, ReviewItem
from tests.engine.pair import End, Pair

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
PEOPLE = 2000


@pytest.fixture
def pair(clock: ManualClock, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Pair:
    settings.PHONE_REGION = "RU"
    return Pair(clock, monkeypatch, "amocrm", "google")


def number(i: int) -> str:
    return f"916{i:07d}"


def written(i: int) -> str:
    """A phone as people write it, in one of several ways."""
    n = number(i)
    ways = (f"8 ({n[:3]}) {n[3:6]}-{n[6:8]}-{n[8:]}", f"+7{n}", f"7{n}", f"8-{n[:3]}-{n[3:6]}-{n[6:]}")
    return ways[i % len(ways)]


def in_one(count: int) -> Iterator[dict[str, Any]]:
    for i in range(count):
        yield {"first_name": f"Пётр{i}", "last_name": f"Орлов{i}", "phone": f"+7{number(i)}"}


def in_other(count: int) -> Iterator[dict[str, Any]]:
    """Half of them are in the first one, too: with capitals, without ё, with a patronymic, with the names swapped."""
    for i in range(count // 2, count // 2 + count):
        spellings = ((f"ПЕТР{i}", f"ОРЛОВ{i}"), (f"Орлов{i}", f"Петр{i}"), (f"Петр{i} Ильич", f"Орлов{i}"))
        first, last = spellings[i % len(spellings)]
        yield {"first_name": first, "last_name": last, "phone": written(i)}


def fill(end: End, people: Iterator[dict[str, Any]]) -> None:
    def changes() -> Iterator[Change]:
        for ref, person in enumerate(people):
            values = end.values(**person)
            yield Change(ref, Op.CREATE, values, key=MatchKey("phone", person["phone"]), all_values=values)

    failed = [outcome.error for outcome in end.connector.write(CONTACTS, changes()) if not outcome.ok]
    assert failed == []


def met(pair: Pair, people: int) -> None:
    fill(pair.one, in_one(people))
    fill(pair.other, in_other(people))
    shared = {"phone": f"+7{number(9_000_000)}"}
    fill(pair.one, iter([{"first_name": "Анна", **shared}, {"first_name": "Инна", **shared}]))
    fill(pair.other, iter([{"last_name": "", **shared}]))
    namesakes = {"first_name": "Анна", "last_name": "Белова", "phone": f"+7{number(9_000_001)}"}
    fill(pair.one, iter([namesakes, namesakes]))
    fill(pair.other, iter([namesakes]))
    for end in (pair.one, pair.other):
        end.sandbox.seen.clear()


def test_each_side_has_everybody_once_after_the_first_run(pair: Pair) -> None:
    met(pair, PEOPLE)
    union = PEOPLE + PEOPLE // 2
    done = pair.run()
    assert done.stopped is None
    # Whom several people fit is asked about, and neither sent nor doubled until it is answered.
    assert ReviewItem.objects.filter(kind="ambiguous").count() == 2
    assert Contact.objects.count() == union + 4
    assert (pair.one.count(), pair.other.count()) == (union + 4, union + 2)
    assert ContactSync.objects.filter(sync_status="Skipped").count() == 4
    lists = [seen for seen in pair.other.sandbox.seen if seen.path.endswith("/connections")]
    # The pull's pages, and the newest thousand for their own fields, and for what a process that died may have made.
    assert len(lists) <= PEOPLE // 1000 + 3
    asked = [seen for seen in pair.one.sandbox.seen if seen.method == "GET" and seen.path.endswith("/contacts")]
    assert len(asked) <= PEOPLE // 250 + 2
    before = (pair.one.writes(), pair.other.writes())
    again = pair.run()
    assert (pair.one.writes(), pair.other.writes()) == before
    counters = again.counters()
    assert (counters["created"], counters["updated"], counters["failed"]) == (0, 0, 0)
