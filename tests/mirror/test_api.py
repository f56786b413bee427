"""The seed's paths: start, status, configuration, and webhooks from registration to the row that follows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection as database
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from syncjobs import inbox, inbox_processing, mirror_tasks, webhook_tokens
from syncjobs.compat import seed_003
from syncjobs.mirror import runs, schedule
from syncjobs.models import InboundEvent, MirrorEntity, Run, RunStatus
from tests.mirror.conftest import Mirrored

SITE = "https://hub.example.com"


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[tuple[Any, ...]]:
    """The tasks that were asked for; none runs by itself."""
    settings.SITE_URL, settings.SECURE_SSL_REDIRECT = SITE, False
    tasks: list[tuple[Any, ...]] = []
    for module in ("inbox", "mirror.schedule"):
        monkeypatch.setattr(f"syncjobs.{module}.async_task", lambda *args, **kwargs: tasks.append(args))
    webhook_tokens.forget()
    return tasks


def test_a_run_is_started_once(portal: Mirrored, operator: APIClient, asked: list[Any]) -> None:
    portal.sandbox.person_adds("deals", TITLE="Roof")
    answer = operator.post("/api/v1/sync/start/deal", {"sync_type": "full"}, format="json")
    assert answer.status_code == 202
    told = answer.json()
    assert (told["entity_type"], told["sync_type"], told["status"]) == ("deal", "full", "running")
    again = operator.post("/api/v1/sync/start/deal", {"sync_type": "full"}, format="json")
    assert (again.status_code, again.json()["code"], again.json()["run"]) == (409, "already_running", told["run"])
    other = operator.post("/api/v1/sync/start/lead", {"sync_type": "incremental"}, format="json")
    assert other.status_code == 202
    _name, *args = asked[0]
    mirror_tasks.mirror_now(*args)
    run = Run.objects.get(pk=told["run"])
    assert (run.status, run.created) == (RunStatus.DONE, 1)
    assert [row["title"] for row in portal.rows("deal").values()] == ["Roof"]
    assert operator.post("/api/v1/sync/start/deal", {"sync_type": "incremental"}, format="json").status_code == 202


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [("invoice", {"sync_type": "full"}, "unknown_entity"), ("deal", {"sync_type": "some"}, "invalid")],
)
def test_what_cannot_be_started_is_refused(
    portal: Mirrored,
    operator: APIClient,
    path: str,
    body: dict[str, str],
    code: str,
) -> None:
    answer = operator.post(f"/api/v1/sync/start/{path}", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_status_tells_of_every_entity(portal: Mirrored, operator: APIClient) -> None:
    portal.run()
    told = operator.get("/api/v1/sync/status").json()
    by_type = {entity["entity_type"]: entity for entity in told["entities"]}
    assert set(by_type) == {"deal", "contact", "lead", "company"}
    assert by_type["contact"]["last_run"]["status"] == "done"
    assert (by_type["deal"]["last_run"], by_type["deal"]["running"], told["running"]) == (None, False, False)


def test_configuration_takes_effect_at_the_next_tick(
    portal: Mirrored,
    operator: APIClient,
    asked: list[Any],
) -> None:
    now = timezone.now()
    assert schedule.start_due(now) == 0
    body = {"entity_type": "deal", "enabled": True, "sync_interval_minutes": 15, "webhook_enabled": True}
    assert operator.put("/api/v1/sync/config", body, format="json").json() == body
    shown = operator.get("/api/v1/sync/config").json()["entities"]
    assert next(e for e in shown if e["entity_type"] == "deal") == body
    assert (schedule.start_due(now), schedule.start_due(now)) == (1, 0)
    assert schedule.start_due(now + timedelta(minutes=14)) == 0
    assert schedule.start_due(now + timedelta(minutes=15)) == 1
    operator.put("/api/v1/sync/config", {"entity_type": "deal", "enabled": False}, format="json")
    assert schedule.start_due(now + timedelta(minutes=60)) == 0
    bad = {"entity_type": "deal", "sync_interval_minutes": 0}
    assert operator.put("/api/v1/sync/config", bad, format="json").status_code == 400


def test_what_is_under_way_is_not_asked_for_again(portal: Mirrored, asked: list[Any]) -> None:
    deals = portal.entity("deals")
    schedule.configure(deals, {"enabled": True})
    schedule.start(deals, full=False, trigger="test")
    assert runs.live(deals) is not None
    assert schedule.start_due(timezone.now()) == 0


def test_an_incoming_webhook_is_told_what_to_click(portal: Mirrored, operator: APIClient) -> None:
    answer = operator.post(f"/api/v1/webhooks/register?handler_base_url={SITE}")
    assert answer.status_code == 409
    assert "Outgoing webhook" in answer.json()["error"]
    assert operator.delete(f"/api/v1/webhooks/unregister?handler_base_url={SITE}").status_code in (200, 409)


@pytest.fixture
def token(portal: Mirrored) -> str:
    """Of an outgoing webhook that a person made in the portal, and entered here."""
    made = portal.sandbox.events.person_makes(f"{SITE}{PATH}", CODES)
    portal.connection.secrets = {**portal.connection.secrets, "application_token": made}
    portal.connection.save()
    webhook_tokens.forget()
    inbox._asked.clear()
    return made


PATH = "/api/v1/webhooks/bitrix"
CODES = [
    f"ONCRM{kind}{verb}" for kind in ("DEAL", "CONTACT", "LEAD", "COMPANY") for verb in ("ADD", "UPDATE", "DELETE")
]


def test_events_of_an_outgoing_webhook_are_followed(portal: Mirrored, token: str) -> None:
    deals = portal.entity("deals")
    schedule.configure(deals, {"webhook_enabled": True})
    kept, gone = (portal.sandbox.person_adds("deals", TITLE=title) for title in ("Roof", "Wall"))
    portal.run("deals")
    portal.sandbox.events.waiting.clear()
    for title in ("Roof 2", "Roof 3", "Roof 4"):
        portal.sandbox.person_updates(kept, "deals", TITLE=title)
    portal.sandbox.person_deletes(gone, "deals")
    added = portal.sandbox.person_adds("deals", TITLE="Floor")
    client, statuses = Client(), []

    def send(url: str, body: bytes, kind: str) -> int:
        assert urlsplit(url).path == PATH
        statuses.append(client.generic("POST", PATH, body, content_type=kind).status_code)
        return statuses[-1]

    portal.sandbox.events.send = send
    portal.sandbox.events.waiting.reverse()
    assert portal.sandbox.events.deliver() == 5
    assert statuses == [200] * 5
    portal.sandbox.seen.clear()
    inbox_processing.process(portal.connection)
    rows = portal.rows("deal")
    assert (rows[kept]["title"], rows[added]["title"], rows[gone]["title"]) == ("Roof 4", "Floor", "Wall")
    assert [n for n, row in rows.items() if row["_deleted_at"] is not None] == [gone]
    assert len(portal.sandbox.seen) <= 2
    assert set(InboundEvent.objects.values_list("status", flat=True)) == {"done"}


def test_events_with_another_token_are_refused(portal: Mirrored, token: str) -> None:
    body = b"event=ONCRMDEALADD&data%5BFIELDS%5D%5BID%5D=1&auth%5Bapplication_token%5D=wrong"
    answer = Client().generic("POST", PATH, body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code in (401, 403)
    assert not InboundEvent.objects.exists()


def test_events_wait_while_a_run_is_on(portal: Mirrored, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deals = portal.entity("deals")
    schedule.configure(deals, {"webhook_enabled": True})
    number = portal.sandbox.person_adds("deals", TITLE="Roof")
    portal.run("deals")
    body = f"event=ONCRMDEALUPDATE&data[FIELDS][ID]={number}&auth[application_token]={token}".encode()
    Client().generic("POST", PATH, body, content_type="application/x-www-form-urlencoded")
    from django.db import connections

    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [runs._LEASE + deals.pk])
        inbox_processing.process(portal.connection)
    finally:
        other.close()
    event = InboundEvent.objects.get()
    assert (event.status, event.attempts) == ("new", 0)
    assert event.due_at > timezone.now()


def test_setup_mirrors_the_portal_of_the_environment(portal: Mirrored) -> None:
    assert len(seed_003.prepare()) == 1
    assert MirrorEntity.objects.filter(enabled=True, webhook_enabled=True).count() == 4
    assert seed_003.prepare() == []


@pytest.mark.parametrize("entity", ["deal", "contact", "lead", "company"])
def test_runs_are_a_view_too(portal: Mirrored, operator: APIClient, entity: str) -> None:
    run = schedule.start(schedule.entity(portal.connection, entity), full=True, trigger="test")
    with database.cursor() as cursor:
        cursor.execute("SELECT connection, entity_type, sync_type, status FROM sync_logs WHERE id = %s", [run.pk])
        assert cursor.fetchone() == ("bitrix24", entity, "full", "running")
    told = operator.get("/api/v1/sync/status").json()["entities"]
    assert [one["entity_type"] for one in told if one["running"]] == [entity]


def test_another_connectors_entities_need_no_new_code(db: None, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.amocrm.sandbox import AmoSandbox
    from tests.mirror.conftest import connected

    amo = connected("amocrm", AmoSandbox(clock, enforce_limits=False, people=600), monkeypatch)
    for entity, table in (("leads", "lead"), ("contacts", "contact"), ("companies", "company")):
        first = amo.run(entity)
        assert (first.status, first.failed) == ("done", 0), first.message
        assert first.created == (600 if entity == "contacts" else 0)
        again = amo.run(entity, full=True)
        assert (again.updated, again.created, again.unchanged) == (0, 0, first.created)
        assert len(amo.rows(table)) == first.created
