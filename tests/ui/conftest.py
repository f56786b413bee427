"""A real Chromium over the live server, people to log in as, and a system that answers on a loopback port."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from connectors import services
from connectors.core import registry
from connectors.core.testing import SandboxServer
from connectors.models import Connection
from contacts.models import Contact, ContactPoint
from crmsync.roles import give_role

PASSWORD = "correct horse battery staple"
# A system whose one secret signs in, so that a wrong one can be typed into the form.
SLUG = sorted(
    slug
    for slug, connector in registry.all_connectors().items()
    if registry.sandbox_class(slug) and any(field.signs_in for field in connector.spec.secrets())
)[0]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The machine's own browser; nothing is downloaded."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # The driver keeps an event loop in this thread, in which Django would refuse to ask the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """Somebody at the browser: a page, and what the page did that it should not."""

    page: Any
    base: str
    shots: Path
    console: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def open(self, path: str) -> Any:
        answer = self.page.goto(self.base + path)
        assert answer.status == 200, path
        return self.page

    def shoot(self, name: str) -> None:
        self.page.screenshot(path=self.shots / f"{name}.png")

    def watch(self) -> None:
        local = (self.base, "data:", "blob:")
        self.page.on("request", lambda r: None if r.url.startswith(local) else self.elsewhere.append(r.url))
        self.page.on("console", lambda m: self.console.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.console.append(str(e)))


@pytest.fixture
def visit(chromium: Any, live_server: Any, tmp_path: Path) -> Iterator[Callable[..., Visitor]]:
    """visit(user, width=…, locale=…, color_scheme=…) → Visitor; afterwards nobody may have seen an error."""
    visitors: list[Visitor] = []

    def make(user: Any = None, *, width: int = 1440, **options: Any) -> Visitor:
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        context.set_default_timeout(8000)
        if user is not None:
            client = Client()
            client.force_login(user)
            session = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
            context.add_cookies([session])
        visitor = Visitor(context.new_page(), live_server.url, tmp_path)
        visitor.watch()
        visitors.append(visitor)
        return visitor

    yield make
    for visitor in visitors:
        visitor.page.context.close()
        assert visitor.console == []
        assert visitor.elsewhere == []


@pytest.fixture
def person(db: None, django_user_model: Any) -> Callable[[str], Any]:
    def make(role: str) -> Any:
        user = django_user_model.objects.create_user(role, f"{role}@example.com", PASSWORD, is_staff=True)
        give_role(user, role)
        return user

    return make


@pytest.fixture
def served(settings: Any) -> Iterator[SandboxServer]:
    settings.ALLOW_PRIVATE_HOSTS = ["127.0.0.1"]
    sandbox = registry.sandbox_class(SLUG)
    assert sandbox is not None
    with SandboxServer(sandbox(enforce_limits=False)) as server:
        yield server


@pytest.fixture
def connection(db: None, served: SandboxServer) -> Connection:
    return services.create_connection(SLUG, SLUG, served.sandbox.config(served.url))


@pytest.fixture
def make_people(db: None) -> Callable[[int], list[Contact]]:
    def make(count: int) -> list[Contact]:
        people = [
            Contact(first_name=f"Ann{n}", last_name="Bell", email=f"ann{n}@example.com", name_hash=n)
            for n in range(count)
        ]
        Contact.objects.bulk_create(people)
        ContactPoint.objects.bulk_create(
            [ContactPoint(contact=c, kind="email", value=c.email, raw=c.email, is_primary=True) for c in people]
        )
        return people

    return make
