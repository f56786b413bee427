"""The demonstration's sign-in: what a person does in a browser to give the hub access, done over HTTP."""

from __future__ import annotations

import time
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests
from django.contrib.auth import get_user_model

from connectors import oauth
from connectors.core.errors import ApiError, ErrorKind
from connectors.models import Connection

TIMEOUT = 10.0
# The web server starts at the same moment as the demonstration.
PATIENCE_SECONDS = 20.0


class Unreachable(Exception):
    """A page did not answer, or not as one that gives access does."""


def give_access(connection: Connection) -> None:
    """From the start over the system's own page to the callback, whereafter the tokens are stored.

    A process that dies on the way leaves a connection without access, which the next start connects.
    Raises Unreachable, and the ApiError and StateInvalid of a refusal.
    """
    administrator = get_user_model().objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    page = oauth.start(connection, user_id=administrator.pk if administrator else 0)
    with requests.Session() as browser:
        browser.trust_env = False
        try:
            shown = browser.get(page, timeout=TIMEOUT)
            allowed = browser.get(urljoin(page, _allow(shown.text)), timeout=TIMEOUT, allow_redirects=False)
            answer = allowed.headers["location"]
        except (requests.RequestException, KeyError) as e:
            raise Unreachable(f"The page that gives access did not answer as one: {type(e).__name__}.") from e
        _bring_back(browser, answer)


def _allow(html: str) -> str:
    """Where the page's link that gives access leads. Raises KeyError when there is none."""
    links = _Links()
    links.feed(html)
    return links.by_id["allow"]


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.by_id: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        if tag == "a":
            self.by_id[held.get("id") or ""] = held.get("href") or ""


def _bring_back(browser: requests.Session, address: str) -> None:
    """Calls the hub's callback; where its address is not to be reached from here, takes the answer in its place."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            taken = browser.get(address, timeout=4 * TIMEOUT, allow_redirects=False)
        except requests.ConnectionError:
            if time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            oauth.finish(dict(parse_qsl(urlsplit(address).query)), user_id=None)
            return
        except requests.RequestException as e:
            raise Unreachable(f"The hub did not answer in time: {type(e).__name__}.") from e
        if taken.status_code != requests.codes.ok:
            raise ApiError(ErrorKind.CONFIG, _refusal(taken), status=taken.status_code)
        return


def _refusal(reply: requests.Response) -> str:
    try:
        return str(reply.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"The hub refused the answer (HTTP {reply.status_code})."
