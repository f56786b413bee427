"""Guessing passwords is slow at both doors, and tells nobody who has an account here."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from typing import Any

import pytest
from django.test import Client

from tests.security.conftest import PASSWORD

LOGIN = "/admin/login/"


class Guesser:
    """A program at the login page of a running server, with cookies and the page's own token."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def guess(self, name: str, password: str) -> tuple[int, str, str]:
        """(status, Retry-After, the page without its token and the name that was typed)."""
        page = self.opener.open(self.base + LOGIN).read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token is not None
        form = urllib.parse.urlencode({"username": name, "password": password, "csrfmiddlewaretoken": token[1]})
        try:
            answer = self.opener.open(self.base + LOGIN, form.encode())
        except urllib.error.HTTPError as error:
            answer = error
        shown = re.sub(r'value="\w{64}"', "", answer.read().decode()).replace(name, "")
        return answer.status, answer.headers.get("Retry-After", ""), shown


@pytest.mark.django_db(transaction=True)
def test_real_requests_are_braked_alike_for_those_who_exist_and_those_who_do_not(
    live_server: Any, make_user: Callable[..., Any]
) -> None:
    make_user("ann", "viewer")
    make_user("gone", "viewer", is_active=False)
    make_user("program", "viewer", is_staff=False)
    names = ("ann", "gone", "program", "nobody", "ann@example.com")
    told = {name: [Guesser(live_server.url).guess(name, "wrong") for _ in range(11)] for name in names}
    for name in names:
        assert [status for status, _after, _page in told[name]] == [200] * 10 + [429], name
        assert 1 <= int(told[name][-1][1]) <= 60
        assert f"try again in {told[name][-1][1]} seconds" in told[name][-1][2]
    assert len({told[name][0][2] for name in names}) == 1
    without_wait = {re.sub(r"in \d+ seconds", "", told[name][-1][2]) for name in names}
    assert len(without_wait) == 1


@pytest.mark.django_db
def test_the_right_password_does_not_open_a_braked_door(client: Client, make_user: Callable[..., Any]) -> None:
    make_user("ann", "viewer")
    for _ in range(10):
        client.post(LOGIN, {"username": "ann", "password": "wrong"})
    assert client.post(LOGIN, {"username": "ann", "password": PASSWORD}).status_code == 429
    assert "_auth_user_id" not in client.session
    assert client.post(LOGIN, {"username": "ann", "password": PASSWORD}, REMOTE_ADDR="10.0.0.9").status_code == 302


@pytest.mark.django_db
def test_one_address_may_not_try_many_names(client: Client) -> None:
    answers = [client.post(LOGIN, {"username": f"user{n}", "password": "wrong"}).status_code for n in range(61)]
    assert answers == [200] * 60 + [429]
    assert (
        client.post("/api/v1/auth/login", {"email": "x@example.com", "password": "w"}, "application/json").status_code
        == 429
    )


@pytest.mark.django_db
def test_a_forged_header_is_not_an_address(client: Client) -> None:
    tries = [
        client.post(LOGIN, {"username": "ann", "password": "wrong"}, headers={"x-forwarded-for": f"10.0.0.{n}"})
        for n in range(11)
    ]
    assert tries[-1].status_code == 429


@pytest.mark.django_db
def test_the_wait_is_told_in_russian(client: Client) -> None:
    for _ in range(11):
        answer = client.post(LOGIN, {"username": "ann", "password": "wrong"}, headers={"accept-language": "ru"})
    assert "Слишком много попыток" in answer.content.decode()
