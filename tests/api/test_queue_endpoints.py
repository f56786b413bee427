"""The seed's ten endpoints: their answers to the letter, and their refusals."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from connectors.models import Connection
from contacts.models import Contact
from syncjobs.models import ContactSync

MakeContact = Callable[..., Contact]
BASE = "/api/v3/contacts"


def fail(contact: Contact, connection: Connection, **values: Any) -> ContactSync:
    given = {
        "sync_status": "Error",
        "processing_status": "Error",
        "processing_error": "The server has a problem of its own (HTTP 503).",
        "error_kind": "transient",
        "retry_count": 3,
        "last_retry_at": timezone.now() - timedelta(hours=1),
        **values,
    }
    return ContactSync.objects.create(contact=contact, connection=connection, **given)


def test_queue_one(operator: APIClient, connection: Connection, make_contact: MakeContact) -> None:
    contact = make_contact()
    answer = operator.post(f"{BASE}/{contact.pk}/queue-sync", {"crm": connection.key})
    assert answer.status_code == 200
    assert answer.json() == {
        "contact_id": str(contact.pk),
        "crm": connection.key,
        "sync_status": "Queued",
        "processing_status": "Queued",
        "estimated_processing_time": "Within 5 minutes",
    }
    link = ContactSync.objects.get()
    assert (link.sync_status, link.processing_status, link.retry_count, link.next_retry_at) == (
        "Queued", "Queued", 0, None,
    )  # fmt: skip


def test_an_urgent_one_is_started_at_once(
    operator: APIClient, connection: Connection, make_contact: MakeContact, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr("syncjobs.services.async_task", lambda name, *args, **kwargs: started.append(name))
    contact = make_contact()
    answer = operator.post(f"{BASE}/{contact.pk}/queue-sync", {"crm": connection.key, "priority": "high"})
    assert answer.json()["estimated_processing_time"] == "Within 1 minute"
    assert started == ["syncjobs.tasks.push_now"]


@pytest.mark.parametrize("path", ["queue-sync", "retry-sync"])
def test_an_unknown_contact_is_not_found(operator: APIClient, connection: Connection, path: str) -> None:
    answer = operator.post(f"{BASE}/{uuid.uuid4()}/{path}", {"crm": connection.key})
    assert (answer.status_code, answer.json()["error"]) == (404, "Contact not found")
    assert operator.post(f"{BASE}/not-a-uuid/{path}", {"crm": connection.key}).status_code == 404


def test_without_an_address_nothing_is_queued(
    operator: APIClient, connection: Connection, make_contact: MakeContact
) -> None:
    contact = make_contact(email=None)
    answer = operator.post(f"{BASE}/{contact.pk}/queue-sync", {"crm": connection.key})
    assert (answer.status_code, answer.json()["error"]) == (400, "Contact does not have email address")
    assert not ContactSync.objects.exists()


ENDPOINTS = [
    ("post", "{id}/queue-sync", {}),
    ("post", "bulk-queue-sync", {"contact_ids": ["{id}"]}),
    ("post", "queue-all-sync", {}),
    ("get", "sync-stats", {}),
    ("get", "sync-failures", {}),
    ("post", "{id}/retry-sync", {}),
    ("post", "retry-all-failures", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
@pytest.mark.parametrize("crm", ["pipedrive", "", "\x00", 7, None, ["a"], {"a": 1}, True, "x" * 100])
def test_an_unknown_key_is_refused_with_the_known_ones(
    operator: APIClient, connection: Connection, make_contact: MakeContact, method: str, path: str, body: Any, crm: Any
) -> None:
    contact = make_contact()
    given = {**body, "crm": crm}
    if "contact_ids" in given:
        given["contact_ids"] = [str(contact.pk)]
    url = f"{BASE}/{path.format(id=contact.pk)}"
    if method == "get":
        answer = operator.get(url, {} if crm is None else {"crm": str(crm)})
    else:
        answer = operator.post(url, given)
    assert answer.status_code == 400
    said = answer.json()
    assert said["code"]
    if crm == "pipedrive":
        assert connection.key in said["known"]
        assert connection.key in said["error"]
    else:
        assert "crm" in said["error"].lower() or "crm" in str(said.get("fields"))


@pytest.mark.parametrize(("method", "path", "body"), [*ENDPOINTS, ("get", "{id}/sync-status", {})])
def test_strangers_and_viewers(
    client_of: Callable[[str | None], APIClient],
    connection: Connection,
    make_contact: MakeContact,
    method: str,
    path: str,
    body: Any,
) -> None:
    contact = make_contact()
    url = f"{BASE}/{path.format(id=contact.pk)}"
    given = {"crm": connection.key, **({"contact_ids": [str(contact.pk)]} if "contact_ids" in body else {})}
    assert getattr(APIClient(), method)(url, given).status_code == 401
    assert getattr(client_of(None), method)(url, given).status_code == 403
    expected = 200 if method == "get" else 403
    assert getattr(client_of("viewer"), method)(url, given).status_code == expected


def test_queue_many(operator: APIClient, connection: Connection, make_contact: MakeContact) -> None:
    good = [make_contact() for _ in range(3)]
    mute, gone, absent = make_contact(email=None), make_contact(deleted_at=timezone.now()), uuid.uuid4()
    ids = [str(c.pk) for c in (*good, good[0], mute, gone)] + [str(absent)]
    with CaptureQueriesContext(database) as queries:
        answer = operator.post(f"{BASE}/bulk-queue-sync", {"contact_ids": ids, "crm": connection.key})
    assert answer.status_code == 200
    said = answer.json()
    assert (said["queued"], said["skipped"]) == (3, 3)
    assert {e["contact_id"]: e["reason"] for e in said["errors"]} == {
        str(mute.pk): "No email address",
        str(gone.pk): "Contact not found",
        str(absent): "Contact not found",
    }
    assert len([q for q in queries if "contact" in q["sql"]]) == 2


@pytest.mark.parametrize("ids", [[], ["x"], "x", None, [1], [str(uuid.uuid4())] * 101, [["a"]], ["\x00"]])
def test_queue_many_refuses_bad_ids(operator: APIClient, connection: Connection, ids: Any) -> None:
    answer = operator.post(f"{BASE}/bulk-queue-sync", {"contact_ids": ids, "crm": connection.key})
    assert answer.status_code == 400
    assert "contact_ids" in answer.json()["error"]


def test_queue_all(operator: APIClient, connection: Connection, make_contact: MakeContact) -> None:
    for domain in ("a", "a", "b"):
        make_contact(domain_id=domain)
    make_contact(email=None, domain_id="a")
    filters = {"has_email": True, "not_already_synced": True, "domain_id": "a"}
    with CaptureQueriesContext(database) as queries:
        answer = operator.post(f"{BASE}/queue-all-sync", {"crm": connection.key, "filters": filters})
    assert answer.status_code == 200
    assert answer.json()["queued_count"] == 2
    done = datetime.fromisoformat(answer.json()["estimated_completion"])
    assert answer.json()["estimated_completion"].endswith("Z")
    assert datetime.now(UTC) - timedelta(seconds=5) < done < datetime.now(UTC) + timedelta(minutes=10)
    assert len([q for q in queries if q["sql"].lstrip().startswith("INSERT INTO syncjobs_contactsync")]) == 1
    assert operator.post(f"{BASE}/queue-all-sync", {"crm": connection.key}).json()["queued_count"] == 3


@pytest.mark.parametrize(
    "filters",
    [[], "x", {"has_email": "maybe"}, {"domain_id": "x" * 65}, {"domain_id": {"a": 1}}, {"domain_id": "\x00"}],
)
def test_queue_all_refuses_bad_filters(operator: APIClient, connection: Connection, filters: Any) -> None:
    answer = operator.post(f"{BASE}/queue-all-sync", {"crm": connection.key, "filters": filters})
    assert answer.status_code == 400
    assert "filters" in answer.json()["error"]


def test_sync_status(operator: APIClient, connection: Connection, make_contact: MakeContact) -> None:
    contact = make_contact()
    nothing = {"sync_status": None, "processing_status": None, "contact_id": None}
    before = operator.get(f"{BASE}/{contact.pk}/sync-status").json()
    assert before.pop("contact_id") == str(contact.pk)
    assert before.pop("email") == contact.email
    assert before[connection.key] == nothing
    assert all(value == nothing for value in before.values())
    assert len(before) >= 2

    ContactSync.objects.create(
        contact=contact, connection=connection, sync_status="Complete", processing_status="Complete",
        external_id="77", external_ref="seen@example.com", synced_at=datetime(2025, 11, 18, 10, tzinfo=UTC),
    )  # fmt: skip
    after = operator.get(f"{BASE}/{contact.pk}/sync-status").json()
    assert after[connection.key] == {
        "sync_status": "Complete",
        "processing_status": "Complete",
        "contact_id": "seen@example.com",
        "synced_at": "2025-11-18T10:00:00.000Z",
    }


def test_a_queued_pair_says_when(operator: APIClient, connection: Connection, make_contact: MakeContact) -> None:
    contact = make_contact()
    operator.post(f"{BASE}/{contact.pk}/queue-sync", {"crm": connection.key})
    pair = operator.get(f"{BASE}/{contact.pk}/sync-status").json()[connection.key]
    assert pair == {
        "sync_status": "Queued",
        "processing_status": "Queued",
        "contact_id": None,
        "estimated_processing": "Within 5 minutes",
    }


def test_sync_stats(operator: APIClient, connection: Connection, make_contact: MakeContact) -> None:
    now = timezone.now()
    for synced_at in (now, now - timedelta(hours=2), now - timedelta(days=3)):
        ContactSync.objects.create(
            contact=make_contact(), connection=connection, sync_status="Complete", processing_status="Complete",
            synced_at=synced_at,
        )  # fmt: skip
    fail(make_contact(), connection)
    operator.post(f"{BASE}/{make_contact().pk}/queue-sync", {"crm": connection.key})
    make_contact()
    with CaptureQueriesContext(database) as queries:
        answer = operator.get(f"{BASE}/sync-stats", {"crm": connection.key})
    assert answer.json() == {
        "crm": connection.key,
        "total_contacts": 5,
        "synced": 3,
        "queued": 1,
        "processing": 0,
        "errors": 1,
        "success_rate": 0.6,
        "last_24h": {"synced": 2, "errors": 1},
    }
    assert not any("FROM syncjobs_contactsync" in q["sql"] for q in queries)


def test_sync_failures(operator: APIClient, connection: Connection, make_contact: MakeContact) -> None:
    for minute in range(4):
        fail(make_contact(), connection, last_retry_at=datetime(2025, 11, 18, 10, minute, tzinfo=UTC))
    newest = make_contact()
    fail(newest, connection, last_retry_at=datetime(2025, 11, 18, 11, tzinfo=UTC), retry_count=5)
    answer = operator.get(f"{BASE}/sync-failures", {"crm": connection.key, "limit": 2}).json()
    assert (answer["crm"], answer["total"], len(answer["failures"])) == (connection.key, 5, 2)
    assert answer["failures"][0] == {
        "contact_id": str(newest.pk),
        "email": newest.email,
        "error": "The server has a problem of its own (HTTP 503).",
        "retry_count": 5,
        "last_retry_at": "2025-11-18T11:00:00.000Z",
        "next_retry_at": None,
        "can_retry": False,
    }
    assert answer["failures"][1]["can_retry"] is True


@pytest.mark.parametrize("kind", ["data", "bug"])
def test_what_trying_again_cannot_mend(
    operator: APIClient, connection: Connection, make_contact: MakeContact, kind: str
) -> None:
    fail(make_contact(), connection, error_kind=kind, retry_count=1)
    answer = operator.get(f"{BASE}/sync-failures", {"crm": connection.key}).json()
    assert answer["failures"][0]["can_retry"] is False


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1001", "1.5", "99999999999999999999"])
def test_a_bad_limit_is_refused(operator: APIClient, connection: Connection, limit: str) -> None:
    answer = operator.get(f"{BASE}/sync-failures", {"crm": connection.key, "limit": limit})
    assert answer.status_code == 400
    assert "limit" in answer.json()["error"]


def test_retry_one(operator: APIClient, connection: Connection, make_contact: MakeContact) -> None:
    contact = make_contact()
    fail(contact, connection)
    answer = operator.post(f"{BASE}/{contact.pk}/retry-sync", {"crm": connection.key, "reset_retry_count": False})
    assert answer.status_code == 200
    said = answer.json()
    assert (said["contact_id"], said["crm"], said["retry_count"]) == (str(contact.pk), connection.key, 4)
    assert said["message"] == "Retry scheduled"
    assert datetime.fromisoformat(said["next_retry_at"]) > datetime.now(UTC)
    link = ContactSync.objects.get()
    assert (link.sync_status, link.processing_status) == ("Queued", "Queued")

    again = operator.post(f"{BASE}/{contact.pk}/retry-sync", {"crm": connection.key})
    assert (again.status_code, again.json()["error"]) == (400, "Contact not in error state")


def test_retry_one_from_scratch(operator: APIClient, connection: Connection, make_contact: MakeContact) -> None:
    contact = make_contact()
    fail(contact, connection)
    answer = operator.post(f"{BASE}/{contact.pk}/retry-sync", {"crm": connection.key, "reset_retry_count": True}).json()
    assert (answer["retry_count"], answer["next_retry_at"]) == (0, None)
    assert ContactSync.objects.get().due_at <= timezone.now()


def test_retry_all(operator: APIClient, connection: Connection, make_contact: MakeContact) -> None:
    for _ in range(5):
        fail(make_contact(), connection)
    with CaptureQueriesContext(database) as queries:
        answer = operator.post(f"{BASE}/retry-all-failures", {"crm": connection.key, "reset_retry_count": True})
    assert answer.json() == {
        "crm": connection.key,
        "retried_count": 5,
        "message": "All failures reset and queued for retry",
    }
    assert len([q for q in queries if "UPDATE syncjobs_contactsync" in q["sql"]]) == 1
    assert set(ContactSync.objects.values_list("sync_status", "retry_count")) == {("Queued", 0)}


def test_a_disabled_connection_takes_nothing(
    operator: APIClient, connection: Connection, make_contact: MakeContact
) -> None:
    Connection.objects.update(enabled=False)
    answer = operator.post(f"{BASE}/{make_contact().pk}/queue-sync", {"crm": connection.key})
    assert (answer.status_code, answer.json()["code"]) == (400, "crm_disabled")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"null", b'{"crm": "a\\u0000b"}', b"\xff", b'{"crm":1e999}']
)
def test_malformed_bodies(operator: APIClient, connection: Connection, make_contact: MakeContact, body: bytes) -> None:
    for path in (f"{make_contact().pk}/queue-sync", "bulk-queue-sync", "queue-all-sync", "retry-all-failures"):
        answer = operator.post(f"{BASE}/{path}", body, content_type="application/json")
        assert answer.status_code == 400
        assert answer.json()["error"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_with_and_without_a_trailing_slash(operator: APIClient, connection: Connection, slash: str) -> None:
    assert operator.get(f"{BASE}/sync-stats{slash}", {"crm": connection.key}).status_code == 200
