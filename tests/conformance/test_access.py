"""Access that ends and is renewed: once, however many ask at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from connectors.core.auth import Grant, MemoryTokenStore
from connectors.core.base import Connector
from tests.conformance.bench import Bench
from tests.oauth.browser import allow

CALLERS = 8
STATE = "a-state-that-nobody-guesses"
# Longer than any access token lives, shorter than any refresh token.
TWO_DAYS = 2 * 86_400


def tokens_asked(bench: Bench) -> int:
    return [seen.path for seen in bench.sandbox.seen].count(bench.sandbox.sign_in_paths[-1])


def at_once(calls: list[Callable[[], Any]]) -> None:
    """Raises the first error of any."""
    barrier, errors = threading.Barrier(len(calls)), []

    def run(call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            call()
        except Exception as e:  # noqa: BLE001 - raised below
            errors.append(e)

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def connect(bench: Bench, given: dict[str, Any], store: MemoryTokenStore | None = None) -> Connector:
    """Signs in as the settings say, and in no other way."""
    config = dict.fromkeys(bench.sandbox.config(bench.sandbox.base_url), "") | given
    return bench.connect(config=config, tokens=store)


@pytest.mark.parametrize("told", [True, False], ids=["its end is known", "a 401 tells"])
def test_access_that_a_person_gave_is_renewed_once_for_all_callers(bench: Bench, told: bool) -> None:
    given = bench.sandbox.oauth_config(bench.sandbox.base_url)
    if given is None:
        pytest.skip("no person gives access: its credentials do not end")
    store = MemoryTokenStore(bench.sandbox.clock)
    first = connect(bench, given, store)
    assert first.oauth is not None
    answer = parse_qs(allow(bench.sandbox, first.oauth.authorize_url(STATE)))
    params = {name: values[0] for name, values in answer.items()}
    tokens = first.oauth.exchange_code(first.oauth.check_callback(params), STATE)
    store.save(Grant(tokens if told else replace(tokens, expires_at=None)))
    bench.sandbox.clock.sleep(TWO_DAYS)
    before = tokens_asked(bench)
    # As in one process, and as in two.
    callers = [first, connect(bench, given, store)]
    at_once([connector.check for connector in callers for _ in range(CALLERS // 2)])
    assert tokens_asked(bench) - before == 1
    assert store.current().access != tokens.access


def test_a_client_s_own_token_is_fetched_once_for_all_callers(bench: Bench) -> None:
    given = bench.sandbox.client_config(bench.sandbox.base_url)
    if given is None:
        pytest.skip("fetches no tokens by itself")
    connector = connect(bench, given)
    for fetched in (1, 2):
        at_once([connector.check] * CALLERS)
        assert tokens_asked(bench) == fetched
        bench.sandbox.clock.sleep(TWO_DAYS)


def test_credentials_do_not_show_themselves(bench: Bench) -> None:
    context = bench.connector.context
    shown = f"{context!r} {context.secrets} {bench.connector!r} {vars(bench.connector)!r}"
    assert [name for name, secret in context.secrets.items() if secret and secret.reveal() in shown] == []
