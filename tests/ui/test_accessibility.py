"""What a screen reader and a keyboard need: axe finds nothing serious on any page, in either colour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from connectors.models import Connection
from contacts import duplicates, services
from contacts.models import Duplicate
from contacts.records import ContactRecord, Point
from syncjobs import enqueue, runs
from syncjobs.models import Alert, AlertKind, InboundEvent, Plan, ReviewItem, Route, RunItem, RunKind, RunStatus

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
SERIOUS = ("serious", "critical")
LOOK = "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)"


@pytest.fixture
def paths(connection: Connection, make_people: Callable[[int], Any]) -> dict[str, str]:
    """The addresses of all pages, with something on each."""
    contact = make_people(3)[0]
    enqueue.enqueue_ids(connection, [contact.pk])
    run = runs.start(connection, RunKind.PUSH, trigger="test", total=3)
    runs.finish(run, RunStatus.DONE)
    RunItem.objects.create(run=run, contact_id=contact.pk, action="create", changes={"EMAIL": [None, "a@example.com"]})
    event = InboundEvent.objects.create(connection=connection, event_type="added", body=b"{}")
    about = {"external_id": "7", "contact_id": contact.pk, "field": "first_name", "ours": "Ann", "theirs": "Anna"}
    review = ReviewItem.objects.create(connection=connection, kind="conflict", **about)
    Alert.objects.create(connection=connection, kind=AlertKind.FAILURES, facts={"failed": 30, "tried": 40})
    second = Connection.objects.create(key="second", connector=connection.connector)
    route = Route.objects.create(source=connection, destination=second)
    steps = [{"connection": "second", "action": "update", "external_id": "7", "reason": "", "changes": {"a": [1, 2]}}]
    legs = [{"reverse": False, "runs": [], "records": {"7001": steps, "7002": []}}]
    plan = Plan.objects.create(route=route, direction="both", legs=legs)
    for name in ("Cy", ""):
        emails = (Point("cy@example.com", "cy@example.com", primary=True),)
        services.create(ContactRecord(first_name=name, last_name="Elm", emails=emails), source="test")
    duplicates.find()
    jobs, people = "/admin/syncjobs", "/admin/contacts"
    return {
        "dashboard": "/admin/",
        "contacts": f"{people}/contact/",
        "contact": f"{people}/contact/{contact.pk}/change/",
        "new contact": f"{people}/contact/add/",
        "import": f"{people}/contact/import/",
        "duplicates": f"{people}/duplicate/",
        "duplicate": f"{people}/duplicate/{Duplicate.objects.get().pk}/change/",
        "connections": "/admin/connectors/connection/",
        "connection": f"/admin/connectors/connection/{connection.pk}/change/",
        "new connection": "/admin/connectors/connection/add/",
        "routes": f"{jobs}/route/",
        "route": f"{jobs}/route/{route.pk}/change/",
        "field mapping": f"/admin/connectors/connection/{connection.pk}/mapping/",
        "plans": f"{jobs}/plan/",
        "plan": f"{jobs}/plan/{plan.pk}/change/",
        "mirror": f"{jobs}/mirrorentity/",
        "runs": f"{jobs}/run/",
        "run": f"{jobs}/run/{run.pk}/change/",
        "outcomes": f"{jobs}/runitem/?run__id__exact={run.pk}",
        "links": f"{jobs}/contactsync/",
        "questions": f"{jobs}/reviewitem/",
        "question": f"{jobs}/reviewitem/{review.pk}/change/",
        "alerts": f"{jobs}/alert/",
        "inbox": f"{jobs}/inboundevent/",
        "event": f"{jobs}/inboundevent/{event.pk}/change/",
    }


def serious(page: Any) -> list[str]:
    """The rules that the page breaks seriously, each with the elements that do."""
    page.evaluate(AXE)
    found = [violation for violation in page.evaluate(LOOK) if violation["impact"] in SERIOUS]
    return [f"{v['id']}: {node['html'][:160]}" for v in found for node in v["nodes"]]


@pytest.mark.parametrize("look", [{}, {"color_scheme": "dark"}], ids=["light", "dark"])
def test_nothing_serious_is_found(
    visit: Callable[..., Any], person: Callable[[str], Any], paths: dict[str, str], look: dict[str, Any]
) -> None:
    visitor = visit(person("administrator"), **look)
    found = {name: serious(visitor.open(path)) for name, path in paths.items()}
    assert {name: told for name, told in found.items() if told} == {}


def test_the_way_in_is_open_to_everybody(visit: Callable[..., Any], db: None) -> None:
    assert serious(visit().open("/admin/login/")) == []
