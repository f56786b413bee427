"""Every address of the admin, with something behind it to open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.test import Client
from django.urls import URLResolver, reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success

from connectors.models import Connection
from contacts import joining
from contacts.models import Duplicate
from crmsync.models import ApiToken, AuditEntry
from syncjobs import runs
from syncjobs.models import (
    Alert,
    ContactSync,
    InboundEvent,
    MirrorEntity,
    Plan,
    ReviewItem,
    Route,
    RunItem,
    RunKind,
    SchemaChange,
)
from tests.factories import ContactFactory


def names() -> Iterator[tuple[str, str]]:
    """(route, name) of every pattern below /admin/; "" for a redirect without a name."""
    yield from _walk(admin.site.urls[0], "")


def _walk(patterns: Any, before: str) -> Iterator[tuple[str, str]]:
    for entry in patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, route)
        else:
            yield route, entry.name or ""


def rows(connection: Connection, owner: User) -> dict[str, Any]:
    """One row of every model that the admin has pages of, by "app_model"."""
    one, other = sorted((ContactFactory(), ContactFactory()), key=lambda contact: contact.pk)
    gone = ContactFactory()
    second = Connection.objects.create(key="second", connector=connection.connector)
    run = runs.start(connection, RunKind.PUSH, trigger="test")
    mirror = MirrorEntity.objects.create(connection=connection, entity="contacts")
    route = Route.objects.create(source=connection, destination=second)
    times = {"started": timezone.now(), "stopped": timezone.now(), "func": "builtins.print"}
    token, _plain = ApiToken.objects.issue(owner, "of somebody")
    made = [
        one, connection, run, mirror, token, Group.objects.get(name="viewer"), owner,
        Alert.objects.create(connection=connection, kind="stuck"),
        Duplicate.objects.create(first=one, second=other, by="phone"),
        joining.join(one.pk, gone.pk, by="boss"),
        ContactSync.objects.create(contact=one, connection=connection),
        InboundEvent.objects.create(connection=connection, event_type="contact.update", body=b"{}", digest=b"1"),
        ReviewItem.objects.create(connection=connection, kind="conflict", contact_id=one.pk, field="last_name"),
        RunItem.objects.create(run=run, contact_id=one.pk, action="skip"),
        route,
        Plan.objects.create(route=route, direction="both"),
        SchemaChange.objects.create(mirror=mirror, kind=SchemaChange.Kind.values[0]),
        AuditEntry.objects.latest("id"),
        Schedule.objects.create(name="nothing", func="builtins.print"),
        Success.objects.create(id="s" * 32, name="well", success=True, **times),
        Failure.objects.create(id="f" * 32, name="badly", success=False, **times),
        OrmQ.objects.create(key="crmsync", payload="", lock=timezone.now()),
    ]  # fmt: skip
    return {f"{row._meta.app_label}_{row._meta.model_name}": row for row in made}


def address(route: str, name: str, held: dict[str, Any]) -> str:
    """The address of a named pattern, leading to the row of its model."""
    if name == "app_list":
        return reverse("admin:app_list", args=["contacts"])
    if name == "view_on_site":
        return reverse("admin:view_on_site", args=[1, 1])
    if "<slug:slug>" in route:
        return reverse(f"admin:{name}", args=[held["connectors_connection"].connector])
    row = held.get("_".join(route.split("/")[:2]))
    given: list[Any] = []
    if "<uuid:contact_id>" in route:
        given.append(held["contacts_contact"].pk)
    if "<int:pk>" in route:
        given.append(held["connectors_connection"].pk if given else row.pk)  # type: ignore[union-attr]
    if "object_id" in route or "<id>" in route:
        given.append(row.pk)  # type: ignore[union-attr]
    return reverse(f"admin:{name}", args=given)


def outcome(client: Client, method: str, path: str) -> str:
    """ "refused", "no method" or "let in". What the request does is undone."""
    with transaction.atomic():
        answer = getattr(client, method.lower())(path)
        transaction.set_rollback(True)
    if answer.status_code == 405:
        return "no method"
    # To the front page goes whoever asks for a row that is not theirs to see.
    away = answer.status_code == 302 and (
        answer["Location"].startswith("/admin/login/") or answer["Location"] == "/admin/"
    )
    return "refused" if away or answer.status_code == 403 else "let in"
