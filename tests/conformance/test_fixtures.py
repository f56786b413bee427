"""The documented answers: the client reads them as it should, and the sandbox gives answers of the same shape.

A fixture holds `request` and `answer`; before the request, `before` is sent to a sandbox made with `options`. `error`
is what the client makes of the answer. Without a `request` it is an answer that the sandbox does not give. `reads` says
what a verb makes of the answer when it comes in place of the sandbox's own, together with those of the fixtures named
in `with`: the `records` of a read's first page from its `cursor`, or the `outcomes` of writing `changes`. `at` is the
address to which the verb sends it, where there are several.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from connectors.core import registry
from connectors.core.errors import ApiError
from connectors.core.http import Call
from connectors.core.sandbox import Fault, SandboxReply
from connectors.core.types import Change, MatchKey, MultiValue, Op, Outcome, ReadQuery
from tests.conformance.bench import Bench

# What these hold is the account's own choice.
FREE = ("properties", "attributes", "context")


@pytest.fixture(autouse=True)
def speaks_http(request: pytest.FixtureRequest) -> None:
    if "bench" in request.fixturenames and not request.getfixturevalue("bench").sandbox.speaks_http:
        pytest.skip("speaks no HTTP: there are no answers to document")


def fixtures(slug: str) -> dict[str, Any]:
    paths = sorted((registry.folder(slug) / "fixtures").glob("*.json"))
    return {Path(path).stem: orjson.loads(path.read_bytes()) for path in paths}


def test_there_are_fixtures_for_good_and_for_refused_answers(bench: Bench, slug: str) -> None:
    known = fixtures(slug)
    assert known
    assert any("error" in fixture for fixture in known.values())
    assert all(fixture["about"] for fixture in known.values())


def test_refused_answers_are_read_as_they_are_meant(bench: Bench, slug: str) -> None:
    wrong = {
        name: complaint
        for name, fixture in fixtures(slug).items()
        if "error" in fixture and (complaint := _misread(bench, fixture)) is not None
    }
    assert wrong == {}


def test_good_answers_are_read_as_they_are_meant(bench: Bench, slug: str) -> None:
    known = fixtures(slug)
    read = {name: fixture for name, fixture in known.items() if "reads" in fixture}
    verbs = {verb for fixture in read.values() for verb in ("records", "outcomes") if verb in fixture["reads"]}
    declared = {"records": bench.capabilities.read, "outcomes": bench.capabilities.write}
    assert verbs == {verb for verb, can in declared.items() if can}
    assert {name: _understood(bench, fixture, known) for name, fixture in read.items()} == {
        name: fixture["reads"].get("records") or fixture["reads"]["outcomes"] for name, fixture in read.items()
    }


def _understood(bench: Bench, fixture: dict[str, Any], known: dict[str, Any]) -> list[Any]:
    bench.start(enforce_limits=False)
    bench.prepare()
    reads = fixture["reads"]
    for documented in (fixture, *(known[name] for name in reads.get("with", ()))):
        request, answer = documented["request"], documented["answer"]
        method, path = reads.get("at") or (request["method"], urlsplit(request["path"]).path)
        headers, path = answer.get("headers", {}), f"{re.escape(path)}$"
        bench.sandbox.faults.append(Fault("status", method, path, 99, 0, answer["status"], headers, answer["body"]))
    if "records" in reads:
        query = ReadQuery(cursor=reads.get("cursor"), fields=reads["fields"], limit=reads.get("limit"))
        page = next(iter(bench.connector.read(query)))
        return [{"id": r.id, **{name: plain(r.values.get(name)) for name in reads["fields"]}} for r in page.records]
    outcomes, _pulled, raised = bench.write(_change(ref, given) for ref, given in enumerate(reads["changes"]))
    assert raised is None
    return [_shown(outcomes[ref]) for ref in sorted(outcomes)]


def _change(ref: int, given: dict[str, Any]) -> Change:
    key = MatchKey(*given["key"]) if "key" in given else None
    known = {name: given[name] for name in ("external_id", "version", "before") if name in given}
    values = given["values"]
    return Change(ref, Op(given["op"]), values, key=key, idempotency_key=f"k{ref}", all_values=values, **known)


def _shown(outcome: Outcome) -> dict[str, Any]:
    if outcome.error is not None:
        return {"result": outcome.result.value, "kind": outcome.error.kind.value, "field": outcome.error.field}
    return {"result": outcome.result.value, "id": outcome.external_id}


def plain(value: Any) -> Any:
    """A value of a record as JSON holds it."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, MultiValue):
        return value.value
    return value.isoformat() if isinstance(value, date) else value


def _misread(bench: Bench, fixture: dict[str, Any]) -> str | None:
    answer, expected = fixture["answer"], fixture["error"]
    bench.start(enforce_limits=False)
    bench.connector = bench.connect(max_tries=1)
    bench.sandbox.faults.append(
        Fault("status", status=answer["status"], headers=answer.get("headers", {}), body=answer["body"], times=99)
    )
    try:
        bench.connector.client.send(Call("GET", "/anything"))  # type: ignore[attr-defined]
    except ApiError as e:
        facts = {"kind": e.kind.value, "retry_after": e.retry_after, "existing_id": e.existing_id, "field": e.field}
        for name, value in expected.items():
            if name == "says" and value not in e.message:
                return f"says {e.message!r}"
            if name != "says" and facts[name] != value:
                return f"{name} is {facts[name]!r}"
        return "quotes an address" if "@" in e.message + e.detail else None
    return "taken for a good answer"


def test_the_sandbox_answers_in_the_documented_shape(bench: Bench, slug: str) -> None:
    wrong = {
        name: complaint
        for name, fixture in fixtures(slug).items()
        if "request" in fixture and (complaint := _misshapen(bench, fixture)) is not None
    }
    assert wrong == {}


def _misshapen(bench: Bench, fixture: dict[str, Any]) -> str | None:
    bench.start(**{"enforce_limits": False, **fixture.get("options", {})})
    answers: list[SandboxReply] = []
    handle = bench.sandbox.handle
    bench.sandbox.handle = lambda request: answers.append(handle(request)) or answers[-1]  # type: ignore[method-assign]
    # Without the client's own pacing, so that the sandbox's limits can be met.
    bench.connector = bench.connect(max_tries=1, config={"rps": 0})
    for request in fixture.get("before", ()):
        for _ in range(request.get("times", 1)):
            _ask(bench, request)
    if not fixture.get("signed", True):
        bench.connector.client._sign = None  # type: ignore[attr-defined]
    answers.clear()
    _ask(bench, fixture["request"])
    documented, ours = fixture["answer"], answers[0]
    if ours.status != documented["status"]:
        return f"answers {ours.status}: {ours.body}"
    body = orjson.loads(ours.encoded()) if ours.body is not None else None
    absent = [name for name in documented.get("headers", {}) if name not in ours.headers]
    return f"headers {absent} are missing" if absent else difference(documented["body"], body)


def _ask(bench: Bench, request: dict[str, Any]) -> None:
    if "sleep" in request:
        bench.sandbox.clock.sleep(request["sleep"])
        return
    try:
        bench.connector.client.send(  # type: ignore[attr-defined]
            Call(request["method"], request["path"], json=request.get("json"), expects_json=False)
        )
    except ApiError as e:
        if e.status is None:
            raise


def difference(documented: Any, ours: Any, at: str = "") -> str | None:
    """Where our answer is not like the documented one, None when it is: no members of our own, and the same types."""
    if documented is None or ours is None:
        return None
    if isinstance(documented, dict) and isinstance(ours, dict):
        strange = set() if at.rpartition(".")[2] in FREE else set(ours) - set(documented)
        if strange or (ours and not set(ours) & set(documented)):
            return f"{at}: has {sorted(strange)}, documented are {sorted(documented)}"
        return next(
            filter(None, (difference(documented[k], ours[k], f"{at}.{k}") for k in documented if k in ours)), None
        )
    if isinstance(documented, list) and isinstance(ours, list):
        return difference(documented[0], ours[0], f"{at}[]") if documented and ours else None
    return None if type(documented) is type(ours) else f"{at}: {type(ours).__name__} for {type(documented).__name__}"


@pytest.mark.parametrize(
    ("documented", "ours"),
    [
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": "1"}),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
        ({"a": {"x": 1}}, {"a": {"y": 1}}),
    ],
)
def test_differences_are_seen(documented: Any, ours: Any) -> None:
    assert difference(documented, ours) is not None
