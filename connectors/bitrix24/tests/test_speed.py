"""What a full read costs: requests, memory and our own time, from a portal in another process."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import urllib.request
from collections.abc import Iterator

import orjson
import pytest

from connectors.bitrix24.connector import Bitrix24
from connectors.bitrix24.sandbox import BitrixSandbox
from connectors.core.clock import ManualClock
from connectors.core.testing import sandbox_context
from connectors.core.types import ReadMode, ReadQuery

SERVE = """
import sys
from connectors.bitrix24.sandbox import BitrixSandbox
from connectors.core.testing import SandboxServer
with SandboxServer(BitrixSandbox(enforce_limits=False, people=int(sys.argv[1]))) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def portal(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a portal of as many contacts as the case asks for."""
    command = [sys.executable, "-c", SERVE, str(request.param)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        assert process.stdin is not None
        process.stdin.close()


def connect(sandbox: BitrixSandbox, base_url: str = "") -> Bitrix24:
    return Bitrix24(sandbox_context(Bitrix24, sandbox, base_url, config={"rps": 0}))


@pytest.mark.parametrize(("people", "requests"), [(0, 1), (1, 1), (49, 1), (50, 2), (51, 2), (2500, 2), (10_000, 5)])
def test_a_full_read_takes_one_request_for_2500_records(people: int, requests: int) -> None:
    sandbox = BitrixSandbox(ManualClock(), enforce_limits=False, people=people)
    records = [int(r.id) for page in connect(sandbox).read(ReadQuery()) for r in page.records]
    assert sorted(records) == list(range(1, people + 1))
    assert len(sandbox.seen) == requests


@pytest.mark.slow
@pytest.mark.parametrize("portal", [100_000], indirect=True)
def test_100_000_contacts_with_all_fields(portal: str) -> None:
    sandbox = BitrixSandbox(ManualClock())
    connector = connect(sandbox, portal)
    seen = bytearray(100_001)
    tracemalloc.start()
    for page in connector.read(ReadQuery()):
        for record in page.records:
            seen[int(record.id)] += 1
            assert len(record.raw) > 50
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen.count(1) == 100_000
    assert most < 150 * 1024 * 1024
    connector.close()
    with urllib.request.urlopen(f"{portal}/__sandbox__/stats") as answer:
        # One for the first page and the newest id, then 2,500 records each.
        assert orjson.loads(answer.read()) == {"requests": 41, "by_status": {"200": 41}}


def test_few_changes_among_many_take_one_request() -> None:
    sandbox = BitrixSandbox(ManualClock(), enforce_limits=False, people=100_000)
    connector = connect(sandbox)
    since = sandbox.clock.now()
    sandbox.clock.sleep(600)
    numbers = [str(n) for n in range(5, 100_000, 10_000)]
    for number in numbers:
        sandbox.person_updates(number, NAME="Renamed")
    pages = list(connector.read(ReadQuery(mode=ReadMode.CHANGES, since=since)))
    assert [r.id for page in pages for r in page.records] == numbers
    assert len(sandbox.seen) == 1
    cursor = pages[-1].cursor
    sandbox.person_adds(NAME="Imported", changed="2020-01-01T00:00:00+03:00")
    later = list(connector.read(ReadQuery(mode=ReadMode.CHANGES, cursor=cursor)))
    assert "100001" in {r.id for page in later for r in page.records}
    assert len(sandbox.seen) == 2
