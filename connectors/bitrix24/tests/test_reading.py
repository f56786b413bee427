"""Full reads and reads of changes: what the portal holds, whatever happens meanwhile (sheets 4 to 6, 11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest

from connectors.bitrix24.connector import Bitrix24
from connectors.bitrix24.sandbox import BitrixSandbox
from connectors.bitrix24.sandbox_refusals import refused
from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.sandbox import Fault, SandboxReply
from connectors.core.types import Page, ReadMode, ReadQuery

Connect = Callable[..., Bitrix24]


def portal(people: int, **options: Any) -> BitrixSandbox:
    return BitrixSandbox(ManualClock(), enforce_limits=False, people=people, **options)


def ids(pages: Iterator[Page]) -> list[int]:
    return [int(record.id) for page in pages for record in page.records]


def test_raw_is_what_the_portal_shows_field_by_field(connect: Connect) -> None:
    sandbox = portal(60)
    sandbox.person_updates("7", UF_CRM_STRING="  кавычки ' \" и $result[p0] ", PHONE=[{"VALUE": "+1 (202) 555-0100"}])
    shown = {row["ID"]: row for row in sandbox.records().every()}
    read = {r.id: r.raw for page in connect(sandbox).read(ReadQuery()) for r in page.records}
    assert read == orjson.loads(orjson.dumps(shown))


def test_records_that_appear_vanish_and_change_during_the_read(connect: Connect) -> None:
    sandbox = portal(9000)
    pages = connect(sandbox).read(ReadQuery(limit=500))
    met = {int(r.id) for r in next(pages).records}
    for number in (1, 51, 3000, 8999):
        sandbox.person_deletes(str(number))
    sandbox.person_updates("4000", NAME="Renamed")
    new = [int(sandbox.person_adds(NAME="New")) for _ in range(130)]
    rest = ids(pages)
    assert len(rest) == len(set(rest))
    assert met.isdisjoint(rest)
    # What was asked for before may still be met or not; everything else is met once.
    assert set(range(1, 9001)) - {1, 51, 3000, 8999} <= met | set(rest)
    assert set(new) <= set(rest)


@pytest.mark.parametrize("gaps", [2, 7])
def test_ids_with_gaps(connect: Connect, gaps: int) -> None:
    sandbox = portal(12_000)
    for number in range(1, 12_001):
        if number % gaps:
            sandbox.records().ids = [n for n in sandbox.records().ids if n != number]
    assert sorted(ids(connect(sandbox).read(ReadQuery()))) == list(range(gaps, 12_001, gaps))
    assert len(sandbox.seen) <= 1 + 12_000 // gaps // 2500 + 2 * 3


def test_going_on_from_any_page_misses_and_repeats_nothing(connect: Connect) -> None:
    sandbox = portal(8000)
    everything = list(connect(sandbox).read(ReadQuery(limit=700)))
    assert [page.last for page in everything] == [False] * (len(everything) - 1) + [True]
    for place in range(0, len(everything) - 1, 3):
        before = ids(iter(everything[: place + 1]))
        cursor = orjson.loads(orjson.dumps(everything[place].cursor))
        after = ids(connect(sandbox).read(ReadQuery(cursor=cursor, limit=700)))
        assert sorted(before + after) == list(range(1, 8001))


def test_a_command_that_fails_in_mid_chain_is_asked_for_again(connect: Connect, monkeypatch: Any) -> None:
    sandbox = portal(3000)
    run, failures = sandbox.portal.run, iter([True] * 3)

    def failing(method: str, asked: dict[str, Any], **options: Any) -> Any:
        if str(asked.get("filter", {}).get(">ID")) == "250" and next(failures, False):
            raise refused(500, "INTERNAL_SERVER_ERROR", "Internal server error")
        return run(method, asked, **options)

    monkeypatch.setattr(sandbox.portal, "run", failing)
    assert sorted(ids(connect(sandbox).read(ReadQuery()))) == list(range(1, 3001))


@pytest.mark.parametrize("kind", ["html", "half", "drop", "refuse", "status"])
def test_broken_answers_are_asked_for_again(connect: Connect, kind: str) -> None:
    sandbox = portal(6000)
    sandbox.faults.append(Fault(kind, status=502, skip=1, times=9))
    assert sorted(ids(connect(sandbox).read(ReadQuery()))) == list(range(1, 6001))


def test_heavy_batches_become_smaller(connect: Connect, monkeypatch: Any) -> None:
    sandbox = portal(3000)
    handle = sandbox.handle

    def cut_off(request: Any) -> SandboxReply:
        heavy = request.body.count(b"crm.contact.list") > 20
        return SandboxReply(504, b"<html>Gateway timeout</html>") if heavy else handle(request)

    monkeypatch.setattr(sandbox, "handle", cut_off)
    assert sorted(ids(connect(sandbox).read(ReadQuery()))) == list(range(1, 3001))


def test_a_lost_right_ends_the_read_and_says_so(connect: Connect) -> None:
    sandbox = portal(6000)
    sandbox.faults.append(Fault("status", status=403, body={"error": "insufficient_scope"}, skip=2, times=99))
    with pytest.raises(ApiError) as raised:
        ids(connect(sandbox).read(ReadQuery()))
    assert raised.value.kind is ErrorKind.CONFIG


def test_a_list_that_ignores_its_filter_is_not_taken(connect: Connect, monkeypatch: Any) -> None:
    sandbox = portal(200)
    run = sandbox.portal.run

    def page_one(method: str, asked: dict[str, Any], **options: Any) -> Any:
        return run(method, {**asked, "filter": {}} if method.endswith(".list") else asked, **options)

    monkeypatch.setattr(sandbox.portal, "run", page_one)
    with pytest.raises(ApiError):
        ids(connect(sandbox).read(ReadQuery()))


def test_changes_go_on_from_the_portal_s_own_clock(connect: Connect) -> None:
    sandbox = portal(300)
    sandbox.clock.sleep(3600)
    since = sandbox.clock.now()
    sandbox.person_updates("5", NAME="One")
    first = list(connect(sandbox).read(ReadQuery(mode=ReadMode.CHANGES, since=since)))
    assert ids(iter(first)) == [5]
    sandbox.clock.sleep(3600)
    for number in range(1, 201):
        sandbox.person_updates(str(number), NAME="Two")
    sandbox.person_deletes("9")
    cursor = orjson.loads(orjson.dumps(first[-1].cursor))
    found = list(connect(sandbox).read(ReadQuery(mode=ReadMode.CHANGES, cursor=cursor, limit=60)))
    assert ids(iter(found)) == [n for n in range(1, 201) if n != 9]
    sandbox.clock.sleep(3600)
    (quiet,) = connect(sandbox).read(ReadQuery(mode=ReadMode.CHANGES, since=sandbox.clock.now()))
    assert ids(connect(sandbox).read(ReadQuery(mode=ReadMode.CHANGES, cursor=quiet.cursor))) == []


def test_what_shows_late_is_read_by_the_overlap(connect: Connect) -> None:
    sandbox = portal(10)
    pages = list(connect(sandbox).read(ReadQuery(mode=ReadMode.CHANGES, since=sandbox.clock.now())))
    late = (sandbox.clock.now() - timedelta(minutes=1)).isoformat(timespec="seconds")
    sandbox.person_updates("3", NAME="Late")
    sandbox.records().kept[3]["DATE_MODIFY"] = late
    assert ids(connect(sandbox).read(ReadQuery(mode=ReadMode.CHANGES, cursor=pages[-1].cursor))) == [3]


def test_imported_records_with_an_old_date_are_changes_too(connect: Connect) -> None:
    sandbox = portal(10)
    pages = list(connect(sandbox).read(ReadQuery(mode=ReadMode.CHANGES, since=sandbox.clock.now())))
    new = [int(sandbox.person_adds(NAME="Old", changed="2019-01-01T00:00:00+03:00")) for _ in range(120)]
    found = ids(connect(sandbox).read(ReadQuery(mode=ReadMode.CHANGES, cursor=pages[-1].cursor)))
    assert sorted(found) == new


def test_many_ids_in_one_request(connect: Connect) -> None:
    sandbox = portal(2600)
    asked = [str(n) for n in range(1, 2501)]
    (page,) = connect(sandbox).read(ReadQuery(mode=ReadMode.IDS, ids=[*asked[:-2], "99999", "x1"]))
    assert len(page.records) == 2498
    assert list(page.deleted_ids) == ["99999", "x1"]
    assert len(sandbox.seen) == 1
