"""A question's page: both values side by side, a button for every answer, and nobody's by accident."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from connectors import services
from connectors.core import registry
from connectors.models import Connection
from syncjobs.models import ReviewItem
from tests.ui.conftest import SLUG

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection() -> Connection:
    sandbox = registry.sandbox_class(SLUG)()  # type: ignore[misc]
    return services.create_connection(SLUG, SLUG, sandbox.config("https://sandbox.example.com"))


def page(client: Client, item: ReviewItem) -> str:
    answer = client.get(reverse("admin:syncjobs_reviewitem_change", args=[item.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def answers(text: str) -> list[Any]:
    return [json.loads(html.unescape(found)) for found in re.findall(r'name="choice" value="([^"]*)"', text)]


@pytest.fixture
def browser(person: Callable[[str], Any]) -> Client:
    client = Client()
    client.force_login(person("operator"))
    return client


def asked(connection: Connection, kind: str, **values: Any) -> ReviewItem:
    return ReviewItem.objects.create(connection=connection, kind=kind, **values)


def test_both_values_stand_side_by_side(browser: Client, connection: Connection) -> None:
    item = asked(connection, "conflict", external_id="7", field="company", ours="Acorn", theirs="Oak & Elm")
    text = page(browser, item)
    assert "Acorn" in text
    assert "Oak &amp; Elm" in text
    assert answers(text) == [{"take": "ours"}, {"take": "theirs"}]


def test_every_candidate_is_shown_with_what_tells_them_apart(browser: Client, connection: Connection) -> None:
    one, other = "01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000002"
    ours = {one: {"name": "Ann Bell", "phones": ["+79161234567"]}, other: {"name": "Anna Bell"}}
    item = asked(connection, "ambiguous", external_id="7", ours=ours, theirs={"title": "Dr"}, candidates=[one, other])
    text = page(browser, item)
    assert all(told in text for told in ("Ann Bell", "Anna Bell", "+79161234567", "Dr"))
    assert answers(text) == [{"contact": one}, {"contact": other}, {"new": True}]


@pytest.mark.parametrize(("external_id", "name"), [("7", "delete"), ("", "allow")])
def test_deletions_take_yes_or_no(browser: Client, connection: Connection, external_id: str, name: str) -> None:
    text = page(browser, asked(connection, "deletions", external_id=external_id))
    assert answers(text) == [{name: True}, {name: False}]


def test_a_button_decides_and_then_there_are_none(browser: Client, connection: Connection) -> None:
    item = asked(connection, "conflict", external_id="7", field="company", ours="Acorn", theirs="Oak")
    address = reverse("admin:review_decide", args=[item.pk])
    browser.post(address, {"choice": json.dumps({"take": "theirs"})})
    item.refresh_from_db()
    assert item.decision == {"take": "theirs"}
    assert answers(page(browser, item)) == []
    assert browser.get(address).status_code == 405


@pytest.mark.parametrize("choice", ["", "[]", '{"take": "mine"}', "{"])
def test_a_forged_answer_decides_nothing(browser: Client, connection: Connection, choice: str) -> None:
    item = asked(connection, "conflict", external_id="7", field="company")
    assert browser.post(reverse("admin:review_decide", args=[item.pk]), {"choice": choice}).status_code == 302
    item.refresh_from_db()
    assert item.decided_at is None


def test_viewers_see_no_buttons_and_decide_nothing(person: Callable[[str], Any], connection: Connection) -> None:
    client = Client()
    client.force_login(person("viewer"))
    item = asked(connection, "conflict", external_id="7", field="company", ours="Acorn", theirs="Oak")
    assert answers(page(client, item)) == []
    choice = {"choice": json.dumps({"take": "ours"})}
    assert client.post(reverse("admin:review_decide", args=[item.pk]), choice).status_code == 403


def test_the_form_of_a_route_offers_what_runs_carry_out(person: Callable[[str], Any]) -> None:
    client = Client()
    client.force_login(person("administrator"))
    text = client.get(reverse("admin:syncjobs_route_add")).content.decode()
    for name, value in (("on_delete", "unlink"), ("on_delete", "delete"), ("on_delete", "ask"), ("policy", "ask")):
        assert re.search(rf'<select name="{name}".*?<option value="{value}"', text, re.S), (name, value)
