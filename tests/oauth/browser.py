"""What a person does in a browser to give access, on the pages of a sandbox."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from connectors.core.sandbox import SandboxRequest


def allow(sandbox: Any, authorize_url: str, answer: str = "allow") -> str:
    """Follows the link `answer` of the page; the query that comes back to the hub."""
    shown = sandbox.handle(SandboxRequest.make("GET", authorize_url, {}, b""))
    assert shown.status == 200, shown.body
    links = _Links()
    links.feed(shown.body.decode())
    followed = urljoin(authorize_url, links.by_id[answer])
    reply = sandbox.handle(SandboxRequest.make("GET", followed, {}, b""))
    return urlsplit(reply.headers["location"]).query


def callback_of(sandbox: Any) -> str:
    """The path at the hub to which the sandbox's page leads back."""
    return urlsplit(sandbox.authority.redirect_uri).path


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.by_id: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        self.by_id[held.get("id") or ""] = held.get("href") or ""
