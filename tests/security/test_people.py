"""A person is erased with every trace, does not come back, and can be handed all that is known of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from contacts import joining
from contacts import services as contacts
from contacts.models import Contact, Duplicate, Merge
from contacts.records import ContactRecord, Point
from crmsync.models import AuditEntry
from syncjobs.models import ContactSync, InboundEvent, ReviewItem, Run, RunItem, Stray, StrayKey, SyncSnapshot
from syncjobs.people import erasing, finding
from syncjobs.pull import pull
from tests.engine.conftest import Destination, destination  # noqa: F401 - a fixture
from tests.engine.conftest import clock as clock

pytestmark = pytest.mark.django_db
EMAIL, PHONE = "zinaida@example.com", "+79161234567"
# Whatever tells the person: each must be gone from every table.
TELLING = ["zinaida", "9161234567", "Quibell"]


def ann(**values: Any) -> ContactRecord:
    told = {"first_name": "Zinaida", "last_name": "Quibell", **values}
    return ContactRecord(emails=(Point(EMAIL, EMAIL, "", True),), phones=(Point(PHONE, PHONE, "", True),), **told)


@pytest.fixture
def known(destination: Destination) -> Contact:  # noqa: F811
    """A person with something in every table, and Bob beside them, who stays."""
    connection = destination.connection
    contact_id = contacts.create(ann(), source="import").id
    contacts.replace_record(contact_id, ann(company="Quibell and Sons"), source="admin:boss")
    bob = contacts.create(ContactRecord(first_name="Bob", emails=(Point("bob@example.com", "", "", True),)), source="x")
    destination.queue_all()
    destination.settle()
    contact = Contact.objects.get(pk=contact_id)
    external_id = destination.link(contact).external_id
    other = contacts.create(ann(first_name="Zinaida S."), source="import").id
    joining.join(contact_id, other, by="boss")
    pair = sorted([contact_id, bob.id])
    Duplicate.objects.create(first_id=pair[0], second_id=pair[1], by="phone")
    run = Run.objects.latest("id")
    RunItem.objects.create(run=run, action="skip", message=f"{EMAIL} has a twin.")
    RunItem.objects.create(run=run, contact_id=contact_id, action="update", changes={"company": ["", "Quibell"]})
    about = {"connection": connection, "kind": "conflict"}
    ReviewItem.objects.create(**about, contact_id=contact_id, field="first_name", ours="Zinaida", theirs="Zina")
    bodies = {
        "named": b'{"contact": {"email": "ZINAIDA@example.com"}}',
        "encoded": b"contacts[update][0][email]=zinaida%40example.com",
        "phone": b'{"phone": "8 (916) 123-45-67"}',
        "bob": b'{"email": "bob@example.com"}',
    }
    for n, (name, body) in enumerate(bodies.items()):
        status = {"event_type": name, "status": "done", "digest": bytes([n])}
        InboundEvent.objects.create(connection=connection, body=body, **status)
    InboundEvent.objects.create(
        connection=connection, event_type="by id", status="done", body=b"q", digest=b"q",
        entities=[["contacts", "update", external_id]],
    )  # fmt: skip
    Stray.objects.create(
        connection=connection, external_id="s1", name="quibell zinaida", values={"email": EMAIL}, seen_hash=b"1"
    )
    StrayKey.objects.create(connection_id=connection.pk, key=f"email:{EMAIL}", external_id="s1")
    LogEntry.objects.create(
        user_id=_somebody(), content_type=ContentType.objects.get_for_model(Contact), object_id=str(contact_id),
        object_repr="Quibell Zinaida", action_flag=CHANGE, change_message="Zinaida",
    )  # fmt: skip
    return Contact.objects.get(pk=contact_id)


def _somebody() -> int:
    from django.contrib.auth.models import User

    return User.objects.create_user("clerk").pk


def everything() -> dict[str, str]:
    """Every row of every table as text; webhook bodies as they were sent."""
    held = {}
    with database.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            held[table] = cursor.fetchone()[0] or ""
    for event in InboundEvent.objects.all():
        held["syncjobs_inboundevent"] += bytes(event.body).decode()
    return held


def leftovers() -> list[tuple[str, str]]:
    found = everything()
    return [(table, word) for table, text in found.items() for word in TELLING if word.lower() in text.lower()]


def test_nothing_that_tells_the_person_is_left_in_any_table(known: Contact, destination: Destination) -> None:  # noqa: F811
    held = {table for table, _word in leftovers()}
    assert {"contacts_contact", "contacts_contactpoint", "contacts_contactchange", "contacts_merge"} <= held
    assert {"syncjobs_runitem", "syncjobs_reviewitem", "syncjobs_inboundevent", "syncjobs_stray"} <= held
    assert {"syncjobs_straykey", "django_admin_log"} <= held
    report = erasing.erase(finding.find(EMAIL), by="test")
    assert leftovers() == []
    assert all(report["hub"][kind] for kind in ("points", "history", "merges", "outcomes", "questions", "webhooks"))
    told = json.dumps(report).lower()
    assert not any(word.lower() in told for word in TELLING)
    assert AuditEntry.objects.get(action="erased").after == report
    assert (Merge.objects.count(), Duplicate.objects.count(), SyncSnapshot.objects.count()) == (0, 0, 1)
    assert "bob@example.com" in everything()["syncjobs_inboundevent"]
    assert Contact.objects.alive().get().email == "bob@example.com"


def test_everywhere_deletes_the_record_or_says_who_must(known: Contact, destination: Destination) -> None:  # noqa: F811
    external_id = destination.link(known).external_id
    Stray.objects.all().delete()
    StrayKey.objects.all().delete()
    report = erasing.erase(finding.of_contact(known.pk), by="test", everywhere=True)
    (told,) = report["records"]
    assert (told["connection"], told["record"]) == (destination.connection.key, external_id)
    if destination.connection.spec.entities["contacts"].delete:
        assert (told["outcome"], report["by_hand"]) == ("deleted", [])
        assert EMAIL not in destination.emails()
    else:
        assert told["outcome"] == "by_hand"
        assert "by hand" in report["by_hand"][0]


def test_without_everywhere_the_systems_keep_theirs_and_can_be_asked_later(
    known: Contact,
    destination: Destination,  # noqa: F811
) -> None:
    before = destination.people()
    report = erasing.erase(finding.of_contact(known.pk), by="test")
    assert {told["outcome"] for told in report["records"]} == {"left"}
    assert destination.people() == before
    again = erasing.erase(finding.of_contact(known.pk), by="test", everywhere=True)
    assert {told["outcome"] for told in again["records"]} <= {"deleted", "by_hand"}


def test_a_full_pull_does_not_bring_the_person_back(known: Contact, destination: Destination) -> None:  # noqa: F811
    if not destination.connection.spec.entities["contacts"].read:
        pytest.skip("this system is only written to")
    Stray.objects.all().delete()
    StrayKey.objects.all().delete()
    erasing.erase(finding.of_contact(known.pk), by="test")
    for _ in range(2):
        pull(destination.connection, trigger="test", full=True, explicit=True)
        assert leftovers() == []
        assert Contact.objects.alive().count() == 1


def test_a_contact_that_is_being_sent_is_not_erased(known: Contact, destination: Destination) -> None:  # noqa: F811
    link = destination.link(known)
    ContactSync.objects.filter(pk=link.pk).update(sync_status="Processing", processing_status="Processing")
    with pytest.raises(erasing.Refused, match="being sent"):
        erasing.erase(finding.of_contact(known.pk), by="test")
    assert Contact.objects.get(pk=known.pk).deleted_at is None


def test_a_system_that_fails_is_told_and_the_hub_is_erased(
    known: Contact,
    destination: Destination,  # noqa: F811
) -> None:
    if not destination.connection.spec.entities["contacts"].delete:
        pytest.skip("nothing can be deleted there")
    destination.connection.secrets = {}
    destination.connection.config = {}
    destination.connection.save()
    report = erasing.erase(finding.of_contact(known.pk), by="test", everywhere=True)
    assert {told["outcome"] for told in report["records"]} == {"failed"}
    assert report["by_hand"]
    assert leftovers() == []


def test_the_export_has_all_of_it_and_nobody_else(known: Contact, destination: Destination) -> None:  # noqa: F811
    out = io.StringIO()
    call_command("export_person", EMAIL, stdout=out)
    told = json.loads(out.getvalue())
    (link,) = [system for system in told["systems"] if system["status"] != "unlinked"]
    assert link["connection"] == destination.connection.key
    assert link["record"]
    main = next(contact for contact in told["contacts"] if contact["id"] == str(known.pk))
    assert main["provenance"]["first_name"]["by"] == "import"
    assert main["changes"][0]["changes"]["company"] == ["", "Quibell and Sons"]
    assert {point["value"] for point in main["points"]} == {EMAIL, PHONE}
    assert len(told["webhooks"]) == 4
    assert all(told[part] for part in ("outcomes", "questions", "duplicates", "merges", "log"))
    assert "bob@example.com" not in out.getvalue()
    assert AuditEntry.objects.filter(action="exported", object_id=str(known.pk)).exists()


@pytest.fixture
def lone(db: None) -> Contact:
    return Contact.objects.get(pk=contacts.create(ann(), source="import").id)


def test_the_command_asks_first_and_names_those_who_share_an_email(lone: Contact) -> None:
    with pytest.raises(CommandError, match="--yes"):
        call_command("erase_person", EMAIL)
    contacts.create(ann(first_name="Somebody"), source="import")
    with pytest.raises(CommandError, match=str(lone.pk)):
        call_command("erase_person", EMAIL, "--yes")
    out = io.StringIO()
    call_command("erase_person", str(lone.pk), "--yes", stdout=out)
    assert json.loads(out.getvalue())["contact"] == str(lone.pk)
    for nobody in ("not an e-mail", "nobody@example.com", str(Merge.objects.count())):
        with pytest.raises(CommandError):
            call_command("erase_person", nobody, "--yes")


def test_administrators_erase_and_export_by_api(
    lone: Contact, program: APIClient, make_user: Callable[..., Any]
) -> None:
    base = f"/api/v3/contacts/{lone.pk}"
    operator = APIClient()
    operator.force_authenticate(make_user("op", "operator"))
    assert operator.get(f"{base}/export").status_code == 403
    assert operator.post(f"{base}/erase", {}).status_code == 403
    told = program.get(f"{base}/export").json()
    assert told["contacts"][0]["email"] == EMAIL
    report = program.post(f"{base}/erase", {"everywhere": True}).json()
    assert (report["contact"], report["records"]) == (str(lone.pk), [])
    assert program.get(base).status_code == 404
    assert AuditEntry.objects.get(action="erased").actor == "robot"


def test_administrators_erase_and_export_in_the_admin(lone: Contact, browser: Client) -> None:
    page = browser.get(reverse("admin:contacts_contact_change", args=[lone.pk])).content.decode()
    erase, export = (reverse(f"admin:person_{verb}", args=[lone.pk]) for verb in ("erase", "export"))
    assert erase in page
    assert export in page
    answer = browser.post(export)
    assert json.loads(answer.content)["contacts"][0]["first_name"] == "Zinaida"
    assert "attachment" in answer["Content-Disposition"]
    assert "cannot be undone" in browser.get(erase).content.decode()
    assert "was erased" in browser.post(erase).content.decode()
    assert leftovers() == []
