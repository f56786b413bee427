"""Tokens of an OAuth2 account: spent once, stored before use, and explained when they are dead."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from connectors.core.auth import INTERRUPTED, BearerSigner, Grant, MemoryTokenStore, OAuth2, Tokens
from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind


class Endpoint(OAuth2):
    """A token endpoint whose refresh tokens work once."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.good, self.spent = clock, "r0", 0
        self.fails: list[ApiError] = []

    def authorize_url(self, state: str) -> str:
        return state

    def check_callback(self, params: object) -> str:
        return ""

    def exchange_code(self, code: str) -> Tokens:
        return self.pair()

    def refresh(self, tokens: Tokens) -> Tokens:
        if self.fails:
            raise self.fails.pop(0)
        if tokens.refresh != self.good:
            raise ApiError(ErrorKind.AUTH, "revoked", status=401)
        self.spent += 1
        self.good = f"r{self.spent}"
        return self.pair()

    def pair(self) -> Tokens:
        return Tokens(f"a{self.spent}", self.good, self.clock.now() + timedelta(hours=24))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def endpoint(clock: ManualClock) -> Endpoint:
    return Endpoint(clock)


@pytest.fixture
def store(clock: ManualClock, endpoint: Endpoint) -> MemoryTokenStore:
    return MemoryTokenStore(clock, Grant(endpoint.pair()))


def signed(signer: BearerSigner) -> str:
    headers: dict[str, str] = {}
    signer.sign(headers)
    return headers["Authorization"]


def test_a_token_is_renewed_a_little_before_its_end(
    clock: ManualClock, endpoint: Endpoint, store: MemoryTokenStore
) -> None:
    signer = BearerSigner(store, endpoint)
    assert signed(signer) == "Bearer a0"
    clock.sleep(24 * 3600 - 290)
    assert signed(signer) == "Bearer a1"
    assert store.current().access == "a1"


def test_of_many_threads_one_renews(endpoint: Endpoint, store: MemoryTokenStore) -> None:
    signer = BearerSigner(store, endpoint)
    together = threading.Barrier(8)

    def work() -> None:
        signed(signer)
        together.wait()
        assert signer.refresh()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert endpoint.spent == 1
    assert signed(signer) == "Bearer a1"


def test_a_refused_token_is_remembered_and_not_tried_again(endpoint: Endpoint, store: MemoryTokenStore) -> None:
    endpoint.good = "another"
    for _ in range(3):
        with pytest.raises(ApiError, match="revoked") as raised:
            store.renew(store.grant.tokens or Tokens(""), endpoint.refresh)
        assert raised.value.kind is ErrorKind.AUTH
    assert endpoint.spent == 0
    with pytest.raises(ApiError, match="revoked"):
        store.current()


def test_a_renewal_that_died_between_spending_and_storing_says_reconnect(
    endpoint: Endpoint, store: MemoryTokenStore
) -> None:
    stale = store.current()

    def dies(tokens: Tokens) -> Tokens:
        endpoint.refresh(tokens)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.renew(stale, dies)
    assert store.grant.renewing_since is not None
    for _ in range(2):
        with pytest.raises(ApiError, match="Reconnect") as raised:
            store.renew(stale, endpoint.refresh)
        assert raised.value.message == INTERRUPTED
    assert endpoint.spent == 1


@pytest.mark.parametrize("kind", [ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED, ErrorKind.UNKNOWN])
def test_what_may_work_later_breaks_nothing(endpoint: Endpoint, store: MemoryTokenStore, kind: ErrorKind) -> None:
    endpoint.fails.append(ApiError(kind, "later"))
    stale = store.current()
    with pytest.raises(ApiError) as raised:
        store.renew(stale, endpoint.refresh)
    assert not raised.value.recovery.parks_connection
    assert store.renew(stale, endpoint.refresh).access == "a1"


def test_early_renewal_that_fails_leaves_the_good_token_in_use(
    clock: ManualClock, endpoint: Endpoint, store: MemoryTokenStore
) -> None:
    signer = BearerSigner(store, endpoint)
    clock.sleep(24 * 3600 - 60)
    endpoint.fails.append(ApiError(ErrorKind.TRANSIENT, "later"))
    assert signed(signer) == "Bearer a0"
    assert signed(signer) == "Bearer a1"


def test_tokens_do_not_show_themselves(store: MemoryTokenStore) -> None:
    assert "a0" not in repr(store.grant)
    assert "r0" not in repr(store.grant)
