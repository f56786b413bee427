"""Reading a system that answers with a page, half an answer, an error of its own, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.core.base import Connector
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.sandbox import Fault
from connectors.core.types import CONTACTS, MatchKey, Page, ReadQuery
from tests.conformance.bench import Bench

PEOPLE = 25
PAGE = 4
KINDS = ["drop", "half", "html", "refuse", "status"]


@pytest.fixture(autouse=True)
def filled(bench: Bench) -> None:
    if not bench.sandbox.speaks_http:
        pytest.skip("speaks no HTTP: its driver has errors of its own")
    bench.prepare()
    bench.fill(range(PEOPLE))


def needs(bench: Bench, capability: str) -> None:
    if not getattr(bench.capabilities, capability):
        pytest.skip(f"declares no {capability}")


def everybody(bench: Bench) -> set[str]:
    return {str(person["id"]) for person in bench.stored()}


def until_it_ends(read: Iterator[Page]) -> tuple[list[Page], ApiError | None]:
    """The pages that came, and the error that ended the read."""
    pages: list[Page] = []
    try:
        for page in read:
            pages.append(page)
    except ApiError as e:
        return pages, e
    return pages, None


@pytest.mark.parametrize("skip", [0, 1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_a_read_goes_on_after_one_of_them(bench: Bench, kind: str, skip: int) -> None:
    needs(bench, "read")
    bench.connector = bench.connect()
    bench.sandbox.faults.append(Fault(kind, status=503, skip=skip))
    found = [record.id for record in bench.read_all(ReadQuery(limit=PAGE))]
    assert sorted(found) == sorted(everybody(bench))


@pytest.mark.parametrize("skip", [0, 2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_a_read_that_cannot_go_on_says_so_and_is_taken_up_where_it_ended(bench: Bench, kind: str, skip: int) -> None:
    needs(bench, "read")
    bench.connector = bench.connect()
    fault = Fault(kind, status=503, skip=skip, times=100_000)
    bench.sandbox.faults.append(fault)
    pages, error = until_it_ends(bench.connector.read(ReadQuery(limit=PAGE)))
    if fault.times == 100_000:
        pytest.skip(f"reads so few records in {skip} requests")
    assert error is not None
    assert error.kind is ErrorKind.TRANSIENT
    assert not any(page.last or page.deleted_ids for page in pages)
    bench.sandbox.faults.clear()
    bench.sandbox.clock.sleep(60)
    bench.connector = bench.connect()
    rest = bench.read_all(ReadQuery(limit=PAGE, cursor=pages[-1].cursor if pages else None))
    assert {record.id for page in pages for record in page.records} | {record.id for record in rest} == everybody(bench)


def _find(bench: Bench, connector: Connector) -> Any:
    needs(bench, "find_keys")
    name = bench.capabilities.upsert_key or bench.capabilities.find_keys[0]
    return connector.find(CONTACTS, [MatchKey(name, str(bench.sample(1)[bench.key_field]))])


VERBS: dict[str, Callable[[Bench, Connector], Any]] = {
    "check": lambda bench, connector: connector.check(),
    "find": _find,
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_concluded_from_what_is_no_answer(bench: Bench, kind: str, verb: str) -> None:
    connector = bench.connect()
    bench.sandbox.faults.append(Fault(kind, status=503, times=100_000))
    with pytest.raises(ApiError) as raised:
        VERBS[verb](bench, connector)
    error = raised.value
    assert error.kind is ErrorKind.TRANSIENT
    said = f"{error.message} {error.detail} {error!r}"
    assert not [name for name, secret in connector.context.secrets.items() if secret and secret.reveal() in said]
    assert "@" not in said


@pytest.mark.parametrize("headers", [{"Retry-After": "7"}, {}])
def test_a_429_is_waited_out_by_a_read(bench: Bench, headers: dict[str, str]) -> None:
    needs(bench, "read")
    bench.connector = bench.connect()
    bench.sandbox.faults.append(Fault("status", status=429, headers=headers, times=2))
    before = bench.sandbox.clock.monotonic()
    found = [record.id for record in bench.read_all(ReadQuery(limit=PAGE))]
    assert sorted(found) == sorted(everybody(bench))
    assert bench.sandbox.clock.monotonic() - before >= (7 if headers else 0.5)
