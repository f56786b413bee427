"""The audit trail: every way of changing a setting leaves who, when, before and after, and no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from connectors.models import Connection, FieldRule
from contacts import duplicates
from contacts.models import Duplicate
from crmsync.models import ApiToken, AuditEntry
from crmsync.roles import give_role
from syncjobs import decisions
from syncjobs.models import ReviewItem, Route
from tests.factories import ContactFactory

pytestmark = pytest.mark.django_db


def latest(**asked: Any) -> AuditEntry:
    return AuditEntry.objects.filter(**asked).latest("id")


def secret_of(connection: Connection) -> str:
    return next(field.name for field in connection.spec.secrets() if connection.secrets.get(field.name))


def test_a_changed_secret_is_told_without_itself(program: APIClient, connection: Connection) -> None:
    name = secret_of(connection)
    old = connection.secrets[name]
    answer = program.patch(f"/api/v3/connections/{connection.key}", {"settings": {name: "fresh-and-secret"}})
    assert answer.status_code == 200, answer.json()
    entry = latest(object_type="connectors.connection")
    assert (entry.actor, entry.via, entry.action) == ("robot", "api", "changed")
    assert entry.before == {"secrets": {name: "***"}}
    assert entry.after == {"secrets": {name: "*** (changed)"}}
    everything = json.dumps(list(AuditEntry.objects.values("before", "after", "object_name")))
    assert "fresh-and-secret" not in everything
    assert old not in everything


def test_what_stays_as_it_is_is_not_told(connection: Connection) -> None:
    before = AuditEntry.objects.count()
    Connection.objects.get(pk=connection.pk).save()
    assert AuditEntry.objects.count() == before


def test_an_api_token_is_named(make_user: Any, connection: Connection) -> None:
    user = make_user("boss", "administrator")
    token, plain = ApiToken.objects.issue(user, "nightly import")
    made = latest(object_type="crmsync.apitoken")
    assert plain not in json.dumps(made.after)
    assert token.sha256 not in json.dumps(made.after)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {plain}")
    assert client.patch(f"/api/v3/connections/{connection.key}", {"enabled": False}).status_code == 200
    entry = latest(object_type="connectors.connection")
    assert (entry.actor, entry.via, entry.token) == ("boss", "token", "nightly import")
    assert (entry.before, entry.after) == ({"enabled": True}, {"enabled": False})
    assert len(entry.request_id) == 32


def test_a_command_is_named(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr("sys.argv", ["./manage.py", "createsuperuser"])
    call_command("createsuperuser", interactive=False, username="root", email="root@example.com", verbosity=0)
    entry = latest(object_type="auth.user")
    assert (entry.actor, entry.via, entry.action, entry.object_name) == (
        "createsuperuser",
        "command",
        "created",
        "root",
    )


def test_a_role_given_in_the_admin_is_told_with_the_groups_before_and_after(browser: Client, make_user: Any) -> None:
    ann = make_user("ann", "viewer")
    groups = [Group.objects.get(name=name).pk for name in ("viewer", "operator")]
    form = {
        "username": "ann", "email": ann.email, "first_name": "", "last_name": "", "is_active": "on", "groups": groups,
        "is_staff": "on", "date_joined_0": "2026-01-01", "date_joined_1": "10:00:00",
        "last_login_0": "", "last_login_1": "",
    }  # fmt: skip
    answer = browser.post(reverse("admin:auth_user_change", args=[ann.pk]), form)
    assert answer.status_code == 302, answer.context["errors"]
    entry = latest(object_type="auth.user", object_id=str(ann.pk), after__has_key="groups")
    assert (entry.actor, entry.via) == ("boss", "page")
    assert (entry.before, entry.after) == ({"groups": ["viewer"]}, {"groups": ["operator", "viewer"]})


def test_a_role_is_told_from_either_end(make_user: Any) -> None:
    ann = make_user("ann")
    Group.objects.get(name="viewer").user_set.add(ann)
    entry = latest(object_type="auth.user", object_id=str(ann.pk))
    assert (entry.before, entry.after) == ({"groups": []}, {"groups": ["viewer"]})
    give_role(ann, "operator")
    ann.groups.clear()
    entry = latest(object_type="auth.user", object_id=str(ann.pk))
    assert (entry.before, entry.after) == ({"groups": ["operator", "viewer"]}, {"groups": []})


def test_a_new_password_is_only_said_to_be_new(make_user: Any) -> None:
    ann = make_user("ann")
    ann.set_password("something else entirely")
    ann.save()
    entry = latest(object_type="auth.user")
    assert (entry.before, entry.after) == ({"password": "***"}, {"password": "*** (changed)"})


def test_logging_in_changes_no_setting(make_user: Any, client: Client) -> None:
    make_user("ann", "viewer")
    before = AuditEntry.objects.count()
    assert client.login(username="ann", password="correct horse battery staple")
    assert AuditEntry.objects.count() == before


def test_rules_and_routes_come_and_go_in_the_trail(program: APIClient, connection: Connection) -> None:
    rule = {"ours": "job_title", "theirs": "TITLE", "direction": "push"}
    made = program.post(f"/api/v3/connections/{connection.key}/rules", rule)
    assert made.status_code == 201, made.json()
    assert latest(object_type="connectors.fieldrule").after["theirs"] == "TITLE"
    FieldRule.objects.get(pk=made.json()["id"]).delete()
    entry = latest(object_type="connectors.fieldrule")
    assert (entry.action, entry.after, entry.before["theirs"]) == ("deleted", None, "TITLE")
    other = Connection.objects.create(key="other", connector=connection.connector)
    route = Route.objects.create(source=connection, destination=other)
    route.policy = "source"
    route.save()
    entry = latest(object_type="syncjobs.route")
    assert (entry.before, entry.after) == ({"policy": "newest"}, {"policy": "source"})


def test_decisions_are_told_without_the_values_in_question(connection: Connection) -> None:
    item = ReviewItem.objects.create(
        connection=connection, kind="conflict", external_id="7", field="last_name", ours="Bell", theirs="Horn"
    )
    decisions.decide(item, {"take": "ours"}, "ann")
    entry = latest(action="decided")
    assert entry.after == {"question": "conflict", "field": "last_name", "decision": {"take": "ours"}}
    first, second = sorted([ContactFactory().pk, ContactFactory().pk])
    duplicates.keep_apart(Duplicate.objects.create(first_id=first, second_id=second, by="phone"), "ann")
    assert latest(action="decided").after["verdict"] == "apart"


@pytest.mark.parametrize("tamper", [lambda e: e.update(actor="somebody else"), lambda e: e.all().delete()])
def test_the_trail_can_only_grow(make_user: Any, tamper: Any) -> None:
    make_user("ann")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        tamper(AuditEntry.objects)


def test_administrators_read_it_by_person_object_and_time(program: APIClient, browser: Client, make_user: Any) -> None:
    ann = make_user("ann", "operator")
    asked = {"object_type": "auth.user", "object_id": str(ann.pk)}
    found = program.get("/api/v1/audit", asked).json()["results"]
    assert [entry["action"] for entry in found] == ["changed", "created"]
    assert program.get("/api/v1/audit", {**asked, "actor": "nobody"}).json()["results"] == []
    assert program.get("/api/v1/audit", {**asked, "until": "2020-01-01T00:00:00Z"}).json()["results"] == []
    page = browser.get(reverse("admin:crmsync_auditentry_changelist"), {"object_id": str(ann.pk)})
    assert "operator" in page.content.decode()
    assert len(page.context["cl"].result_list) >= 2
