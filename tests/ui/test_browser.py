"""What people do in the admin, done in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from connectors.core.clock import ManualClock
from connectors.core.testing import SandboxServer
from connectors.models import Connection, ConnectionState
from contacts.models import Contact
from syncjobs import runs
from syncjobs.models import ContactSync, Plan, Route, Run, RunKind, RunStatus
from syncjobs.states import ERROR, SyncStatus
from tests.engine.pair import Pair
from tests.ui.conftest import PASSWORD, SLUG

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CONTACTS = "/admin/contacts/contact/"
PLANNED = {
    "7001": [
        {
            "connection": "other",
            "action": "update",
            "external_id": "x7001",
            "reason": "",
            "changes": {"company": ["", "W" * 90]},
        }
    ]
}
Visit = Callable[..., Any]
Person = Callable[[str], Any]


def run_action(page: Any, name: str) -> None:
    page.locator("select[name=action]").select_option(name)
    page.get_by_role("button", name="Run", exact=True).click()


def statuses() -> list[str]:
    return list(ContactSync.objects.values_list("sync_status", flat=True))


def test_logging_in_and_queueing_the_ticked_rows(
    visit: Visit, person: Person, connection: Connection, make_people: Any
) -> None:
    person("operator")
    make_people(8)
    page = visit().open("/admin/")
    page.fill("input[name=username]", "operator@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    expect(page.locator(f"#status-{connection.key}")).to_be_visible()
    page.get_by_role("link", name="Contacts").first.click()
    for row in range(3):
        page.locator("#result_list input.action-select").nth(row).check()
    run_action(page, f"queue_{connection.key}")
    expect(page.get_by_text("3 contacts are queued")).to_be_visible()
    expect(page.locator("#result_list").get_by_text("Queued", exact=True)).to_have_count(3)
    assert statuses() == [SyncStatus.QUEUED] * 3


def test_queueing_all_that_match_on_every_page(
    visit: Visit, person: Person, connection: Connection, make_people: Any
) -> None:
    make_people(300)
    page = visit(person("operator")).open(CONTACTS)
    page.locator("#action-toggle").check()
    page.get_by_role("link", name="Select all that match, on every page").click()
    run_action(page, f"queue_{connection.key}")
    expect(page.get_by_text("300 contacts are queued")).to_be_visible()
    assert statuses() == [SyncStatus.QUEUED] * 300


def test_a_failed_contact_is_explained_retried_and_sent(
    visit: Visit, person: Person, connection: Connection, make_people: Any
) -> None:
    (contact,) = make_people(1)
    ContactSync.objects.create(
        contact=contact, connection=connection, sync_status=ERROR.sync, processing_status=ERROR.processing,
        processing_error="The record is gone (HTTP 410).", error_kind="data", retry_count=2,
    )  # fmt: skip
    visitor = visit(person("administrator"))
    page = visitor.open(f"{CONTACTS}{contact.pk}/change/")
    links = page.locator("#links")
    expect(links).to_contain_text("The record is gone (HTTP 410).")
    links.get_by_role("button", name="Retry").click()
    expect(page.locator("#links")).to_contain_text("Queued")
    visitor.open(f"/admin/connectors/connection/{connection.pk}/change/")
    page.get_by_role("button", name="Push now").click()
    expect(page.get_by_text("The push has been started.")).to_be_visible()
    visitor.open(CONTACTS)
    expect(page.locator("#result_list").get_by_text("Complete", exact=True)).to_have_count(1)


def test_credentials_are_tested_and_never_shown(
    visit: Visit, person: Person, connection: Connection, served: SandboxServer
) -> None:
    visitor = visit(person("administrator"))
    page = visitor.open(f"/admin/connectors/connection/{connection.pk}/change/")
    (secret,) = [str(value) for value in connection.secrets.values()]
    assert secret not in page.content()
    page.get_by_role("button", name="Test credentials").click()
    expect(page.get_by_text("Successfully authenticated")).to_be_visible()
    field = page.locator(f"[name=setting_{connection.spec.secrets()[0].name}]")
    field.fill("a-key-that-is-wrong")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    page.get_by_role("button", name="Test credentials").click()
    # Said by the message and, from now on, by the page itself.
    expect(page.get_by_text("authentication failed (HTTP 401)").first).to_be_visible()
    assert "a-key-that-is-wrong" not in page.content()
    connection.refresh_from_db()
    assert connection.state == ConnectionState.NEEDS_ATTENTION
    visitor.open("/admin/")
    expect(page.locator("#attention")).to_contain_text("needs attention")


def test_a_system_is_connected(visit: Visit, person: Person, served: SandboxServer) -> None:
    visitor = visit(person("administrator"))
    page = visitor.open("/admin/")
    page.get_by_role("link", name="Connect a system").click()
    page.locator(f"#content-main a[href='?connector={SLUG}']").click()
    given = served.sandbox.config(served.url)
    page.get_by_text("Advanced", exact=True).click()
    for name, value in given.items():
        page.locator(f"[name=setting_{name}]").fill(str(value))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    made = Connection.objects.get(key=SLUG)
    assert made.settings_and_secrets().items() >= given.items()
    assert made.rules.exists()


def test_a_viewer_looks_and_does_nothing(
    visit: Visit, person: Person, connection: Connection, make_people: Any
) -> None:
    (contact,) = make_people(1)
    run = runs.start(connection, RunKind.PUSH, trigger="test", total=1)
    visitor = visit(person("viewer"))
    page = visitor.open(CONTACTS)
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("select[name=action]")).to_have_count(0)
    expect(page.get_by_role("link", name="Users")).to_have_count(0)
    for path in (
        f"{CONTACTS}{contact.pk}/change/",
        f"/admin/connectors/connection/{connection.pk}/change/",
        f"/admin/syncjobs/run/{run.pk}/change/",
    ):
        visitor.open(path)
        for name in ("Queue", "Test credentials", "Push now", "Stop", "Save"):
            expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)


def test_a_run_moves_before_ones_eyes_and_the_page_stops_asking(
    visit: Visit, person: Person, connection: Connection
) -> None:
    run = runs.start(connection, RunKind.PUSH, trigger="test", total=40)
    page = visit(person("viewer")).open(f"/admin/syncjobs/run/{run.pk}/change/")
    expect(page.locator("#run-progress")).to_contain_text("0 of 40")
    Run.objects.filter(pk=run.pk).update(created=10, started_at=timezone.now() - timedelta(seconds=10))
    expect(page.locator("#run-progress")).to_contain_text("10 of 40")
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "25")
    expect(page.locator("#run-progress")).to_contain_text("Finished in about")
    Run.objects.filter(pk=run.pk).update(created=40)
    runs.finish(run, RunStatus.DONE)
    expect(page.locator("#counter-created b")).to_have_text("40")
    expect(page.locator("#run-progress[hx-get]")).to_have_count(0)


def test_the_search_of_every_page_finds_contacts(visit: Visit, person: Person, make_people: Any) -> None:
    contact: Contact = make_people(12)[7]
    page = visit(person("viewer")).open("/admin/")
    page.keyboard.press("Control+k")
    page.locator("#search-input-command").press_sequentially("ann7")
    found = page.locator("#command-results a").filter(has_text="Bell Ann7")
    expect(found).to_have_attribute("href", f"{CONTACTS}{contact.pk}/change/")


@pytest.mark.parametrize(
    "look",
    [
        {"width": 1440, "color_scheme": "dark"},
        {"width": 1440, "locale": "ru-RU"},
        {"width": 390, "color_scheme": "dark", "locale": "ru-RU"},
    ],
    ids=["desktop-dark", "desktop-russian", "phone-dark-russian"],
)
def test_every_page_fits_and_works(
    visit: Visit, person: Person, connection: Connection, make_people: Any, look: dict[str, Any]
) -> None:
    contact = make_people(3)[0]
    run = runs.start(connection, RunKind.PUSH, trigger="test", total=3)
    other = Connection.objects.create(key="other", connector=connection.connector)
    route = Route.objects.create(source=connection, destination=other, interval_minutes=2, full_times="08:00, 20:00")
    plan = Plan.objects.create(route=route, direction="both", legs=[{"reverse": False, "runs": [], "records": PLANNED}])
    visitor = visit(person("administrator"), **look)
    paths = {
        "dashboard": "/admin/",
        "contacts": CONTACTS,
        "contact": f"{CONTACTS}{contact.pk}/change/",
        "import": f"{CONTACTS}import/",
        "connections": "/admin/connectors/connection/",
        "connection": f"/admin/connectors/connection/{connection.pk}/change/",
        "run": f"/admin/syncjobs/run/{run.pk}/change/",
        "runs": "/admin/syncjobs/run/",
        "outcomes": f"/admin/syncjobs/runitem/?run__id__exact={run.pk}",
        "mapping": f"/admin/connectors/connection/{connection.pk}/mapping/",
        "plan": f"/admin/syncjobs/plan/{plan.pk}/change/",
        "route": f"/admin/syncjobs/route/{plan.route_id}/change/",
    }
    for name, path in paths.items():
        page = visitor.open(path)
        visitor.shoot(name)
        assert (visitor.shots / f"{name}.png").stat().st_size > 5_000
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
        assert page.evaluate("document.documentElement.classList.contains('dark')") == ("color_scheme" in look)
        assert page.locator("html").get_attribute("lang") == ("ru" if "locale" in look else "en")


def test_everybody_chooses_a_language(visit: Visit, person: Person) -> None:
    page = visit(person("viewer")).open("/admin/")
    page.locator("#nav-sidebar-inner").get_by_text("viewer@example.com").click()
    page.get_by_role("button", name="Русский").click()
    expect(page.locator("#nav-sidebar-apps").get_by_text("Контакты")).to_be_visible()


def test_a_field_is_mapped_and_tried_on_a_contact(
    visit: Visit, person: Person, connection: Connection, make_people: Any
) -> None:
    make_people(1)
    Contact.objects.update(job_title="Gardener")
    connection.rules.filter(ours="job_title").delete()
    rules = connection.rules.count()
    visitor = visit(person("administrator"))
    page = visitor.open(f"/admin/connectors/connection/{connection.pk}/change/")
    page.get_by_role("link", name="Field mapping").click()
    page.get_by_role("button", name="Read their fields").click()
    expect(page.get_by_text("fields have been read")).to_be_visible()
    page.get_by_role("button", name="Add a rule").click()
    row = page.get_by_role("group", name=f"Rule {rules + 1}", exact=True)
    row.get_by_label("Our field").focus()
    page.keyboard.type("Job ti")
    free = page.locator(f"[name=rules-{rules}-theirs] option[value]").evaluate_all("all => all.map(one => one.value)")
    taken = set(connection.rules.values_list("theirs", flat=True))
    row.get_by_label("Their field").select_option(next(key for key in free if key and key not in taken))
    row.get_by_label("direction").select_option("push")
    page.get_by_label("Name, e-mail or phone").press_sequentially("ann0")
    page.locator("#found").get_by_role("button", name="Ann0").click()
    expect(page.locator("#trial tbody tr")).to_have_count(rules + 1)
    expect(page.locator("#trial tbody tr").last.locator(".crmsync-differs")).to_have_text("Gardener")
    assert connection.rules.count() == rules
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The field rules are saved.")).to_be_visible()
    assert connection.rules.get(ours="job_title").direction == "push"


def test_a_plan_is_made_looked_at_and_applied(visit: Visit, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(ManualClock(), monkeypatch, "google", "hubspot")
    pair.one.create("ann@example.com", first_name="Ann", last_name="Bell")
    pair.one.create("bob@example.com", first_name="Bob", last_name="Reed")
    visitor = visit(person("operator"), width=390)
    page = visitor.open(f"/admin/syncjobs/route/{pair.route.pk}/change/")
    page.get_by_label("How many records").select_option("200")
    page.get_by_role("button", name="Dry run").click()
    plan = page.locator("#plan")
    expect(plan).to_contain_text("Bell Ann")
    assert pair.other.count() == 0
    plan.get_by_role("link", name="create · 2").click()
    expect(page.locator("#plan tbody")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Apply exactly this").click()
    expect(page.get_by_text("The plan is being carried out.")).to_be_visible()
    expect(page.locator("#plan")).to_contain_text("Carried out by")
    expect(page.get_by_role("button", name="Apply exactly this")).to_have_count(0)
    assert pair.other.count() == 2
