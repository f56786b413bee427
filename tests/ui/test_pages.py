"""The same pages without a browser: how many statements they cost, what they refuse, and their Russian."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connectors import remote_fields
from connectors.core.types import FieldSpec
from connectors.models import Connection, ConnectionState, FieldRule, OAuthGrant
from contacts.models import Contact
from crmsync.models import Heartbeat
from syncjobs import enqueue, runs
from syncjobs.models import ContactSync, Plan, Route, Run, RunItem, RunKind, RunStatus
from syncjobs.states import SyncStatus

pytestmark = pytest.mark.django_db
CONTACTS = reverse("admin:contacts_contact_changelist")
ENGLISH = (
    "action add back cancel change close company connection contact contacts created dashboard delete error failed "
    "field filters finished general history home import job last link name next outcome phone previous queue queued "
    "record result retry run runs save search select status stop synced time today updated user users view with"
)


@pytest.fixture
def browser(person: Callable[[str], Any]) -> Client:
    client = Client()
    client.force_login(person("administrator"))
    return client


def statements(client: Client, path: str) -> list[str]:
    client.get(path)  # what is asked once per process is asked now
    with CaptureQueriesContext(
        database,
    ) as captured:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def fill(connection: Connection, people: list[Contact]) -> None:
    enqueue.enqueue_ids(connection, [contact.pk for contact in people])
    run = runs.start(connection, RunKind.PUSH, trigger="schedule", total=len(people))
    runs.finish(run, RunStatus.DONE)
    RunItem.objects.bulk_create([RunItem(run=run, contact_id=c.pk, action=RunItem.Action.CREATE) for c in people])


@pytest.mark.parametrize(
    "page",
    ["index", "contacts_contact_changelist", "syncjobs_contactsync_changelist", "syncjobs_run_changelist",
     "syncjobs_runitem_changelist", "connectors_connection_changelist", "syncjobs_alert_changelist"],
)  # fmt: skip
def test_fifty_rows_cost_as_many_statements_as_five(
    browser: Client, connection: Connection, make_people: Any, page: str, settings: Any
) -> None:
    settings.CACHES = settings.CACHES | {"process": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    path = reverse(f"admin:{page}")
    people = make_people(50)
    fill(connection, people[:5])
    Contact.objects.filter(pk__in=[c.pk for c in people[5:]]).update(deleted_at="2026-01-01T00:00Z")
    few = statements(browser, path)
    Contact.objects.update(deleted_at=None)
    fill(connection, people[5:])
    assert len(statements(browser, path)) == len(few)


def test_the_dashboard_costs_the_same_for_two_connections(browser: Client, connection: Connection) -> None:
    one = statements(browser, reverse("admin:dashboard_status"))
    Connection.objects.create(key="second", connector=connection.connector)
    assert len(statements(browser, reverse("admin:dashboard_status"))) == len(one)


def test_more_rules_and_records_cost_no_more_statements(
    browser: Client, connection: Connection, make_people: Any
) -> None:
    plan = planned(connection)
    mapping, shown = reverse("admin:mapping", args=[connection.pk]), f"/admin/syncjobs/plan/{plan.pk}/change/"
    few = [len(statements(browser, page)) for page in (mapping, shown)]
    FieldRule.objects.bulk_create(
        FieldRule(connection=connection, ours=f"attributes.a{n}", theirs=f"F{n}") for n in range(30)
    )
    records = plan.legs[0]["records"]
    Plan.objects.update(legs=[{**plan.legs[0], "records": {str(n): records["n-update"] for n in range(120)}}])
    assert [len(statements(browser, page)) for page in (mapping, shown)] == few


def test_all_that_match_are_queued_by_one_statement(browser: Client, connection: Connection, make_people: Any) -> None:
    people = make_people(120)
    form = {"action": f"queue_{connection.key}", "select_across": "1", "_selected_action": str(people[0].pk)}
    with CaptureQueriesContext(database) as captured:
        browser.post(CONTACTS, form)
    writes = [
        q["sql"] for q in captured.captured_queries if "syncjobs_contactsync" in q["sql"] and "INSERT" in q["sql"]
    ]
    assert len(writes) == 1
    assert ContactSync.objects.filter(sync_status=SyncStatus.QUEUED).count() == 120


def test_a_viewer_may_post_nothing(person: Callable[[str], Any], connection: Connection, make_people: Any) -> None:
    (contact,) = make_people(1)
    run = runs.start(connection, RunKind.PUSH, trigger="test")
    client = Client()
    client.force_login(person("viewer"))
    for name, arguments in {
        "connection_test": [connection.pk],
        "connection_push": [connection.pk],
        "connection_pull": [connection.pk],
        "run_cancel": [run.pk],
        "run_undo": [run.pk],
        "contact_queue": [contact.pk, connection.pk],
        "contacts_contact_import": [],
        "connectors_connection_change": [connection.pk],
        "contacts_contact_change": [contact.pk],
    }.items():
        assert client.post(reverse(f"admin:{name}", args=arguments)).status_code == 403, name
    client.post(CONTACTS, {"action": f"queue_{connection.key}", "_selected_action": str(contact.pk)})
    assert not ContactSync.objects.exists()


def test_a_pull_is_started_from_the_connections_page(
    browser: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("syncjobs.services.async_task", lambda *args, **kwargs: asked.append(args))
    page = reverse("admin:connectors_connection_change", args=[connection.pk])
    pull = reverse("admin:connection_pull", args=[connection.pk])
    assert pull in browser.get(page).content.decode()
    assert "The pull has been started." in browser.post(pull, follow=True).content.decode()
    assert asked == [("syncjobs.tasks.pull_now", connection.pk)]
    Connection.objects.update(enabled=False)
    assert "is disabled" in browser.post(pull, follow=True).content.decode()
    assert len(asked) == 1


def test_a_run_is_undone_from_its_page(browser: Client, connection: Connection) -> None:
    run = runs.start(connection, RunKind.PUSH, trigger="test")
    page = reverse("admin:syncjobs_run_change", args=[run.pk])
    assert reverse("admin:run_undo", args=[run.pk]) not in browser.get(page).content.decode()
    type(run).objects.filter(pk=run.pk).update(created=1)
    runs.finish(run, RunStatus.DONE)
    address = reverse("admin:run_undo", args=[run.pk])
    assert address in browser.get(page).content.decode()
    answer = browser.post(address, {"dry_run": "1"})
    made = type(run).objects.latest("id")
    assert (made.dry_run, made.trigger.endswith(f"undo {run.pk}")) == (True, True)
    assert answer["Location"] == reverse("admin:syncjobs_run_change", args=[made.pk])


def test_a_connection_that_waits_for_somebody_is_named_above_all(browser: Client, connection: Connection) -> None:
    Connection.objects.update(state=ConnectionState.NEEDS_ATTENTION, state_message="The record is gone (HTTP 410).")
    page = browser.get(reverse("admin:index")).content.decode()
    assert page.index("needs attention") < page.index(f"status-{connection.key}")
    assert "The record is gone (HTTP 410)." in page
    assert reverse("admin:connectors_connection_change", args=[connection.pk]) in page


def test_the_badge_says_sandbox_only_while_nothing_else_is_connected(browser: Client, connection: Connection) -> None:
    Connection.objects.update(is_sandbox=True)
    assert browser.get(CONTACTS).context["environment"][0] == "sandbox"


def test_a_hub_with_something_real_has_no_badge(browser: Client, connection: Connection) -> None:
    assert browser.get(CONTACTS).context["environment"] is None


def test_five_megabytes_are_imported_through_the_page(browser: Client) -> None:
    filler = "x" * 480
    rows = [f"Ann{n},Bell,ann{n}@example.com,{filler}\n" for n in range(10_000)]
    content = "first_name,last_name,email,notes\n" + "".join(rows)
    assert len(content) > 5_000_000
    upload = io.BytesIO(content.encode())
    upload.name = "people.csv"
    path = reverse("admin:contacts_contact_import")
    preview = browser.post(path, {"file": upload})
    token = preview.context["upload"].token()
    answer = browser.post(path, {"token": token, "confirm": "1"})
    assert answer.context["counters"].created == 10_000
    assert Contact.objects.count() == 10_000


def seen(page: str) -> str:
    """What a reader sees of a page: no markup, no scripts, no names of icons."""
    body = page[page.index("<body") :]
    for block in (r"<(script|style|template)\b.*?</\1>", r'<span class="[^"]*material-symbols.*?</span>', r"<[^>]+>"):
        body = re.sub(block, " ", body, flags=re.S)
    return html.unescape(body)


@pytest.mark.parametrize(
    "page",
    ["index", "contacts_contact_changelist", "contacts_contact_add", "contacts_contact_import",
     "connectors_connection_changelist", "connectors_connection_add", "syncjobs_run_changelist",
     "syncjobs_contactsync_changelist", "syncjobs_runitem_changelist", "crmsync_apitoken_changelist",
     "syncjobs_inboundevent_changelist", "crmsync_apitoken_add", "auth_user_changelist",
     "django_q_schedule_changelist", "django_q_ormq_changelist", "syncjobs_route_changelist", "syncjobs_route_add",
     "syncjobs_plan_changelist"],
)  # fmt: skip
def test_no_english_is_left_on_a_russian_page(
    browser: Client, connection: Connection, make_people: Any, page: str
) -> None:
    fill(connection, make_people(2))
    planned(connection)
    assert leftovers(browser, reverse(f"admin:{page}")) == []


def test_no_english_is_left_on_a_page_of_one_thing(browser: Client, connection: Connection, make_people: Any) -> None:
    (contact,) = make_people(1)
    fill(connection, [contact])
    Connection.objects.update(state=ConnectionState.NEEDS_ATTENTION, state_message="The record is gone (HTTP 410).")
    run = RunItem.objects.get().run_id
    plan = planned(connection)
    remote_fields.store(connection, "contacts", [FieldSpec("LOST", "Lost", read_only=True), FieldSpec("KEPT", "Kept")])
    assert leftovers(browser, reverse("admin:mapping", args=[connection.pk])) == []
    for name, pk in {
        "connectors_connection": connection.pk,
        "contacts_contact": contact.pk,
        "syncjobs_run": run,
        "syncjobs_plan": plan.pk,
        "syncjobs_route": plan.route_id,
        "syncjobs_contactsync": ContactSync.objects.get().pk,
    }.items():
        assert leftovers(browser, reverse(f"admin:{name}_change", args=[pk])) == [], name


def planned(connection: Connection) -> Plan:
    """A plan of a route with a record for every action."""
    other = Connection.objects.create(key="other", connector=connection.connector)
    route = Route.objects.create(source=connection, destination=other, interval_minutes=120, full_times="08:00")
    step = {"connection": "other", "external_id": "7", "reason": "", "changes": {"company": ["", "Oak"]}}
    records = {f"n-{action}": [{**step, "action": action}] for action in RunItem.Action.values} | {"none": []}
    legs = [{"reverse": False, "runs": [], "records": records}]
    return Plan.objects.create(route=route, direction="both", legs=legs, skipped={"9": "It names no record."})


def leftovers(client: Client, path: str) -> list[str]:
    answer = client.get(path, headers={"accept-language": "ru"})
    assert answer.status_code == 200
    # Names of fields are the same in every language: "last_name → LASTNAME".
    text = re.sub(r"\S+ → \S+", " ", seen(answer.content.decode()).lower())
    words = set(re.findall(r"[\w-]+", text))
    return sorted(words & set(ENGLISH.split()))


def test_a_card_says_how_old_the_queue_is_and_when_access_ends(
    browser: Client, connection: Connection, make_people: Any
) -> None:
    fill(connection, make_people(1))
    ContactSync.objects.update(due_at=timezone.now() - timedelta(minutes=125))
    OAuthGrant.objects.create(connection=connection, expires_at=timezone.now() + timedelta(hours=5, minutes=1))
    start = timezone.now() - timedelta(seconds=100)
    Run.objects.update(requests=100, started_at=start, finished_at=start + timedelta(seconds=100))
    page = browser.get(reverse("admin:index")).content.decode()
    assert "The oldest in the queue has waited 2\xa0hours" in page
    assert "Access is renewed within 5\xa0hours" in page
    assert "Rate limit used in the last run:" in page


def test_a_worker_that_is_gone_is_named_above_all(browser: Client, connection: Connection) -> None:
    assert "has never run" in browser.get(reverse("admin:index")).content.decode()
    caches["process"].clear()
    Heartbeat.beat("worker")
    assert "background worker has" not in browser.get(reverse("admin:index")).content.decode()
    caches["process"].clear()
    Heartbeat.objects.update(seen_at=timezone.now() - timedelta(minutes=7))
    assert "not been seen for 7 minutes" in browser.get(reverse("admin:index")).content.decode()
