"""What the HTTP client repeats, waits for, refuses and gives up on."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest

from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.replies import Reply, retry_after
from connectors.core.sandbox import Fault, SandboxReply, SandboxRequest
from connectors.core.types import RateLimit
from tests.core.echo import Echo, client_of

TEN_A_SECOND = RateLimit(10, 1.0)


def test_a_server_error_is_tried_again_and_counted() -> None:
    echo = Echo()
    echo.faults.append(Fault("status", status=503, times=3))
    client, totals = client_of(echo)
    assert client.get("/things/7").json == {"id": "7"}
    assert (totals.requests, totals.retries) == (4, 3)
    assert echo.clock.monotonic() > 0.5


def test_tries_come_to_an_end() -> None:
    echo = Echo()
    echo.faults.append(Fault("status", status=503, times=99))
    client, totals = client_of(echo)
    with pytest.raises(ApiError) as raised:
        client.get("/things/7")
    assert raised.value.kind is ErrorKind.TRANSIENT
    assert totals.requests == 4


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({}, 1),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:20 GMT", "Date": "Thu, 01 Jan 2026 00:00:15 GMT"}, 5),
        ({"Retry-After": "soon"}, 1),
    ],
)
def test_a_429_is_waited_for_as_told(headers: dict[str, str], seconds: float) -> None:
    echo = Echo()
    echo.faults.append(Fault("status", status=429, headers=headers))
    client, totals = client_of(echo, TEN_A_SECOND)
    assert client.get("/things/7").ok
    assert seconds <= echo.clock.monotonic() <= seconds + 0.3
    assert totals.rate_limit_hits == 1


def test_being_told_to_wait_spends_no_try() -> None:
    echo = Echo()
    echo.faults += [Fault("status", status=429, times=6), Fault("status", status=500, times=3)]
    client, _totals = client_of(echo, TEN_A_SECOND)
    assert client.get("/things/7").ok


def test_a_wait_that_outlasts_the_run_is_handed_on_and_holds_everybody_back() -> None:
    echo = Echo()
    echo.faults.append(Fault("status", status=429, headers={"Retry-After": "5000"}))
    client, totals = client_of(echo, TEN_A_SECOND)
    for _ in range(2):
        with pytest.raises(ApiError) as raised:
            client.get("/things/7")
        assert raised.value.kind is ErrorKind.RATE_LIMITED
        assert 4990 < (raised.value.retry_after or 0) <= 5001
    assert totals.requests == 1


def test_nobody_is_kept_waiting_where_nothing_is_tried_twice() -> None:
    echo = Echo()
    echo.faults.append(Fault("status", status=429, headers={"Retry-After": "10"}))
    client, totals = client_of(echo, TEN_A_SECOND, max_tries=1)
    for _ in range(2):  # the second time the limiter itself would have us wait
        with pytest.raises(ApiError) as raised:
            client.get("/things/7")
        assert raised.value.kind is ErrorKind.RATE_LIMITED
    assert totals.requests == 1
    assert echo.clock.monotonic() == 0


@pytest.mark.parametrize("kind", ["drop", "half", "html", "refuse"])
def test_a_lost_answer_is_asked_for_again_when_that_does_no_harm(kind: str) -> None:
    echo = Echo()
    echo.faults.append(Fault(kind))
    client, _totals = client_of(echo)
    assert client.post("/things", {}).ok


@pytest.mark.parametrize("kind", ["drop", "half", "html"])
def test_a_request_that_must_not_repeat_ends_as_unknown(kind: str) -> None:
    echo = Echo()
    echo.faults.append(Fault(kind))
    client, totals = client_of(echo)
    with pytest.raises(ApiError) as raised:
        client.post("/things", {}, repeatable=False)
    assert raised.value.kind is ErrorKind.UNKNOWN
    assert totals.requests == 1
    assert echo.created == (0 if kind == "html" else 1)


@pytest.mark.parametrize("status", [423, 425, 429])
def test_a_refusal_that_proves_nothing_was_done_is_tried_again(status: int) -> None:
    echo = Echo()
    echo.faults.append(Fault("status", status=status))
    client, _totals = client_of(echo)
    assert client.post("/things", {}, repeatable=False).ok
    assert echo.created == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ErrorKind.DATA), (401, ErrorKind.AUTH), (403, ErrorKind.CONFIG), (404, ErrorKind.GONE),
        (409, ErrorKind.CONFLICT), (412, ErrorKind.CONFLICT), (302, ErrorKind.CONFIG),
    ],
)  # fmt: skip
def test_what_will_not_change_by_itself_is_not_tried_again(status: int, kind: ErrorKind) -> None:
    echo = Echo()
    echo.faults.append(Fault("status", status=status, headers={"Location": "https://elsewhere.invalid/"}))
    client, totals = client_of(echo)
    with pytest.raises(ApiError) as raised:
        client.get("/things/7")
    assert raised.value.kind is kind
    assert totals.requests == 1


def test_credentials_are_renewed_once_for_many_threads() -> None:
    echo, state = Echo(), {"token": "old", "renewed": 0}

    def only_new(request: SandboxRequest) -> SandboxReply | None:
        return None if request.headers.get("authorization") == "new" else SandboxReply(401, {})

    def refresh() -> bool:
        state["renewed"] = int(state["renewed"]) + 1
        state["token"] = "new"
        return True

    echo.before = only_new  # type: ignore[method-assign]
    client, _totals = client_of(
        echo, sign=lambda headers: headers.update(Authorization=str(state["token"])), refresh=refresh
    )
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(client.get("/things/7").ok)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 8
    assert state["renewed"] == 1


def test_credentials_that_renewing_does_not_help_end_the_call() -> None:
    echo = Echo()
    echo.faults.append(Fault("status", status=401, times=9))
    client, totals = client_of(echo, refresh=lambda: True)
    with pytest.raises(ApiError) as raised:
        client.get("/things/7")
    assert raised.value.kind is ErrorKind.AUTH
    assert totals.requests == 2


def test_cookies_are_not_kept() -> None:
    echo = Echo()
    client, _totals = client_of(echo)
    for _ in range(2):
        client.post("/things", {})
    assert "cookie" not in echo.requests[-1].headers


def test_credentials_go_to_no_other_host() -> None:
    echo = Echo()
    client, _totals = client_of(echo, sign=lambda headers: headers.update({"api-key": "k"}))
    client.get("/things/1")
    client.get("https://elsewhere.invalid/things/1")
    client.get("http://echo.invalid/things/1")
    assert ["api-key" in request.headers for request in echo.requests] == [True, False, False]


def test_metrics_hold_no_ids_and_no_addresses() -> None:
    assert Call("GET", "/contacts/123/notes").template == "/contacts/{id}/notes"
    assert Call("GET", "/contacts/ann%40example.com?x=1").template == "/contacts/{id}"
    assert Call("GET", "/contacts/ann@example.com").template == "/contacts/{id}"


@pytest.mark.parametrize("value", ["-5", "nan", "inf", "1e9", "", "99999999999999999999"])
def test_an_unreadable_retry_after_is_none(value: str) -> None:
    assert retry_after({"retry-after": value}) is None


def test_a_reply_answers_none_for_what_is_not_there() -> None:
    reply = Reply(200, {}, b'{"a": [{"b": 1}]}')
    assert reply.member("a", 0, "b") == 1
    paths: list[tuple[Any, ...]] = [("a", 1), ("a", "b"), ("x",), ("a", 0, "b", "c")]
    assert [reply.member(*path) for path in paths] == [None] * 4
    assert Reply(200, {}, b'{"a": [').json is None


def test_a_request_that_missed_its_slot_takes_another() -> None:
    class Stalling(ManualClock):
        """Sleeps longer than asked, once."""

        stall = 5.0

        def sleep(self, seconds: float) -> None:
            stall, self.stall = self.stall, 0.0
            super().sleep(seconds + stall)

    echo = Echo(Stalling())
    client, _totals = client_of(echo, TEN_A_SECOND)
    sent = []
    for _ in range(4):
        client.get("/things/7")
        sent.append(echo.clock.monotonic())
    assert sent[1] > 5.0  # the second stalled, and did not go out together with the third
    assert all(later - earlier >= 0.1 for earlier, later in itertools.pairwise(sent))
