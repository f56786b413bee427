"""Without a mouse: every step is reached by Tab and taken by Enter or Space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from connectors.models import Connection
from contacts.models import Contact
from syncjobs.models import ContactSync, ReviewItem
from tests.ui.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FAR = 150
FOCUSED = "el => el === document.activeElement || el.contains(document.activeElement)"
SEEN = """() => { const box = document.activeElement.getBoundingClientRect();
                 return box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < window.innerHeight }"""


def reach(page: Any, target: Any) -> None:
    """Presses Tab until the target has the focus; it is then to be seen."""
    for _ in range(FAR):
        if target.evaluate(FOCUSED):
            assert page.evaluate(SEEN), "what has the focus is not to be seen"
            return
        page.keyboard.press("Tab")
    pytest.fail("Tab does not lead there")


def test_logging_in_and_queueing_a_contact(
    visit: Callable[..., Any], person: Callable[[str], Any], connection: Connection, make_people: Any
) -> None:
    person("operator")
    (contact,) = make_people(1)
    visitor = visit()
    page = visitor.open("/admin/")
    reach(page, page.locator("input[name=username]"))
    page.keyboard.type("operator@example.com")
    reach(page, page.locator("input[name=password]"))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(f"#status-{connection.key}")).to_be_visible()
    link = page.locator("#nav-sidebar-apps").get_by_role("link", name="Contacts")
    reach(page, link)
    page.keyboard.press("Enter")
    expect(page.locator("#result_list")).to_be_visible()
    row = page.locator("#result_list").get_by_role("link", name=str(contact))
    reach(page, row)
    page.keyboard.press("Enter")
    button = page.locator(f"#link-{connection.key}").get_by_role("button", name="Queue")
    reach(page, button)
    page.keyboard.press("Enter")
    expect(page.get_by_text("The contact is queued for")).to_be_visible()
    assert ContactSync.objects.get().sync_status == "Queued"


def test_ticking_rows_and_running_an_action(
    visit: Callable[..., Any], person: Callable[[str], Any], connection: Connection, make_people: Any
) -> None:
    make_people(3)
    page = visit(person("operator")).open("/admin/contacts/contact/")
    box = page.locator("#result_list input.action-select").first
    reach(page, box)
    page.keyboard.press("Space")
    chooser = page.locator("select[name=action]")
    reach(page, chooser)
    # As the browser does for what is typed while the list has the focus.
    chooser.select_option(f"queue_{connection.key}")
    reach(page, page.get_by_role("button", name="Run", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 contacts are queued")).to_be_visible()


def test_deciding_a_conflict(
    visit: Callable[..., Any], person: Callable[[str], Any], connection: Connection, make_people: Any
) -> None:
    contact: Contact = make_people(1)[0]
    about = {"external_id": "7", "contact_id": contact.pk, "field": "first_name", "ours": "Ann", "theirs": "Anna"}
    item = ReviewItem.objects.create(connection=connection, kind="conflict", **about)
    page = visit(person("operator"), width=390).open(f"/admin/syncjobs/reviewitem/{item.pk}/change/")
    buttons = page.get_by_role("button", name="This value counts")
    expect(buttons).to_have_count(2)
    reach(page, buttons.nth(1))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Decided. The next run carries it out.")).to_be_visible()
    item.refresh_from_db()
    assert ((item.decision or {})["take"], item.decided_by) == ("theirs", "operator")
