"""The mirror's admin pages, in both languages."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from connectors.core.types import CONTACTS
from connectors.models import Connection
from syncjobs.mirror import schedule
from syncjobs.models import MirrorEntity, Run
from tests.mirror.conftest import Mirrored


@pytest.fixture
def admin(client: Client, admin_user: Any, settings: Any) -> Client:
    settings.SECURE_SSL_REDIRECT = False
    client.force_login(admin_user)
    return client


@pytest.mark.parametrize("language", ["en", "ru"])
def test_pages_show_entities_columns_and_history(portal: Mirrored, admin: Client, language: str) -> None:
    portal.run()
    portal.sandbox.portal.definitions.add(CONTACTS, "UF_CRM_NEW", "string", label="Favourite colour")
    portal.run()
    admin.cookies["django_language"] = language
    listed = admin.get("/admin/syncjobs/mirrorentity/").content.decode()
    assert "bitrix24.contact" in listed
    one = admin.get(f"/admin/syncjobs/mirrorentity/{portal.entity().pk}/change/").content.decode()
    assert "uf_crm_new" in one
    assert "Favourite colour" in one
    history = admin.get("/admin/syncjobs/schemachange/").content.decode()
    assert "uf_crm_new" in history
    assert ("добавлен столбец" if language == "ru" else "column added") in history
    runs = admin.get(f"/admin/syncjobs/run/?entity=contacts&connection__id__exact={portal.connection.pk}")
    assert runs.status_code == 200


def test_a_run_is_asked_for(portal: Mirrored, admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[Any] = []
    monkeypatch.setattr("syncjobs.mirror.schedule.async_task", lambda *args, **kwargs: tasks.append(args))
    asked = {"action": "run_full", "_selected_action": [portal.entity("deals").pk]}
    for _ in range(2):
        admin.post("/admin/syncjobs/mirrorentity/", asked)
    assert [args[2] for args in tasks] == [True]
    assert Run.objects.filter(entity="deals").count() == 1


def test_an_interval_is_changed(portal: Mirrored, admin: Client) -> None:
    mirror = portal.entity("deals")
    data = {"enabled": "on", "interval_minutes": "7", "full_hours": "12", "columns-TOTAL_FORMS": "0"}
    data |= {"columns-INITIAL_FORMS": "0"}
    admin.post(f"/admin/syncjobs/mirrorentity/{mirror.pk}/change/", data)
    mirror = MirrorEntity.objects.get(pk=mirror.pk)
    assert (mirror.enabled, mirror.interval_minutes, mirror.full_hours) == (True, 7, 12)


def test_a_connection_is_mirrored_from_the_page(
    portal: Mirrored, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr("syncjobs.mirror.schedule.ask_for", lambda pk, **options: asked.append(pk))
    MirrorEntity.objects.all().delete()
    connection = Connection.objects.get()
    address = reverse("admin:mirror_begin", args=[connection.pk])
    assert address in admin.get(reverse("admin:syncjobs_mirrorentity_changelist")).content.decode()
    told = admin.post(address, follow=True).content.decode()
    assert "is mirrored into the schema" in told
    assert address not in told
    made = MirrorEntity.objects.filter(enabled=True)
    assert sorted(made.values_list("pk", flat=True)) == sorted(asked)
    assert set(made.values_list("entity", flat=True)) == set(schedule.readable(connection))
