"""Giving access: PKCE, consent only where it is needed, and what a token endpoint may answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.core.auth import Grant, MemoryTokenStore, Tokens
from connectors.core.clock import ManualClock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.testing import sandbox_context
from connectors.google.connector import GoogleContacts
from connectors.google.sandbox import GoogleSandbox
from connectors.google.sandbox_oauth import SUBJECT
from tests.oauth.browser import allow

STATE = "a-state-that-nobody-guesses"


class SignIn:
    def __init__(self) -> None:
        self.sandbox = GoogleSandbox(ManualClock(), enforce_limits=False)
        self.store = MemoryTokenStore(self.sandbox.clock)
        self.connector = self.connect()

    def connect(self, **config: Any) -> GoogleContacts:
        given = {"access_token": "", **self.sandbox.oauth_config("https://sandbox.example.com"), **config}
        return GoogleContacts(sandbox_context(GoogleContacts, self.sandbox, config=given, tokens=self.store))

    def asked(self) -> dict[str, str]:
        query = urlsplit(self.connector.oauth.authorize_url(STATE)).query
        return {name: values[0] for name, values in parse_qs(query).items()}

    def give(self, answer: str = "allow", state: str = STATE) -> Tokens:
        query = allow(self.sandbox, self.connector.oauth.authorize_url(STATE), answer)
        params = {name: values[0] for name, values in parse_qs(query).items()}
        tokens = self.connector.oauth.exchange_code(self.connector.oauth.check_callback(params), state)
        self.store.put(tokens)
        return tokens


@pytest.fixture
def sign_in() -> SignIn:
    return SignIn()


def refused(kind: ErrorKind, says: str, call: Any, *args: Any, **options: Any) -> None:
    with pytest.raises(ApiError) as raised:
        call(*args, **options)
    assert raised.value.kind is kind
    assert says in raised.value.message


def test_the_page_is_asked_for_lasting_access_with_a_challenge(sign_in: SignIn) -> None:
    asked = sign_in.asked()
    assert (asked["access_type"], asked["prompt"], asked["state"]) == ("offline", "consent", STATE)
    assert asked["code_challenge_method"] == "S256"
    assert "https://www.googleapis.com/auth/contacts" in asked["scope"].split()
    assert sign_in.sandbox.oauth_config("")["client_secret"] not in str(asked)


def test_consent_is_asked_for_only_without_a_refresh_token(sign_in: SignIn) -> None:
    first = sign_in.give()
    assert (first.account, bool(first.refresh)) == (SUBJECT, True)
    assert "prompt" not in sign_in.asked()
    assert sign_in.asked()["login_hint"] == SUBJECT
    again = sign_in.give()
    assert (again.refresh, again.access != first.access) == (first.refresh, True)
    sign_in.store.save(Grant(again, broken="withdrawn"))
    assert sign_in.asked()["prompt"] == "consent"
    assert sign_in.give().refresh != first.refresh


def test_a_code_of_another_page_is_worth_nothing(sign_in: SignIn) -> None:
    refused(ErrorKind.AUTH, "press Connect", sign_in.give, state="another")


def test_access_without_contacts_is_not_stored(sign_in: SignIn) -> None:
    refused(ErrorKind.AUTH, "not ticked", sign_in.give, "untick")
    assert sign_in.store.peek().tokens is None


def test_access_was_denied(sign_in: SignIn) -> None:
    refused(ErrorKind.AUTH, "not given", sign_in.give, "deny")


def test_another_account_than_before_is_refused(sign_in: SignIn) -> None:
    first = sign_in.give()
    sign_in.sandbox.authority.subject = "42"
    refused(ErrorKind.AUTH, "another Google account", sign_in.give)
    assert sign_in.store.peek().tokens == first


def test_access_for_an_hour_only_asks_for_consent_the_next_time(sign_in: SignIn) -> None:
    sign_in.sandbox.authority.consented = True
    page = sign_in.connector.oauth.authorize_url(STATE).replace("prompt=consent", "prompt=none")
    params = {name: values[0] for name, values in parse_qs(allow(sign_in.sandbox, page)).items()}
    refused(ErrorKind.AUTH, "once more", sign_in.connector.oauth.exchange_code, params["code"], STATE)
    assert sign_in.asked()["prompt"] == "consent"


def test_tokens_are_renewed_and_a_withdrawn_one_waits_for_a_person(sign_in: SignIn) -> None:
    first = sign_in.give()
    sign_in.sandbox.authority.expire_access()
    assert sign_in.connect().check().account
    renewed = sign_in.store.current()
    assert (renewed.refresh, renewed.account, sign_in.sandbox.authority.refreshes) == (first.refresh, SUBJECT, 1)
    sign_in.sandbox.authority.expire_access()
    sign_in.sandbox.authority.refresh.clear()
    refused(ErrorKind.AUTH, "Press Reconnect", sign_in.connect().check)
    assert "Press Reconnect" in sign_in.store.peek().broken


def test_settings_that_are_wrong_or_missing_are_told(sign_in: SignIn) -> None:
    sign_in.connector = sign_in.connect(client_secret="wrong")
    refused(ErrorKind.CONFIG, "does not know this client", sign_in.give)
    refused(ErrorKind.CONFIG, "are needed", sign_in.connect(redirect_uri="").oauth.authorize_url, STATE)


@pytest.mark.parametrize(
    ("change", "says"), [("scopes", "does not include contacts"), ("api_enabled", "People API is not enabled")]
)
def test_what_an_administrator_has_to_do_is_told(sign_in: SignIn, change: str, says: str) -> None:
    sign_in.give()
    setattr(sign_in.sandbox, change, set())
    refused(ErrorKind.CONFIG, says, sign_in.connector.check)
