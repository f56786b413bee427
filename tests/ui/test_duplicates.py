"""Duplicates in the admin and over the API: side by side, merged, kept apart, undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from contacts import duplicates, services
from contacts.models import Contact, Duplicate, Merge
from contacts.records import ContactRecord, Point

pytestmark = pytest.mark.django_db
LIST = reverse("admin:contacts_duplicate_changelist")
API = "/api/v3/contacts"


@pytest.fixture
def pair() -> Duplicate:
    for name in ("Ann", ""):
        emails = (Point("ann@example.com", "ann@example.com", primary=True),)
        services.create(ContactRecord(first_name=name, last_name="Bell", company=name, emails=emails), source="test")
    assert duplicates.find() == 1
    return Duplicate.objects.get()


@pytest.fixture
def operator(person: Callable[[str], Any]) -> Client:
    client = Client()
    client.force_login(person("operator"))
    return client


@pytest.fixture
def api(person: Callable[[str], Any]) -> APIClient:
    client = APIClient()
    client.force_authenticate(person("operator"))
    return client


def test_both_stand_side_by_side_and_a_merge_can_be_undone(operator: Client, pair: Duplicate) -> None:
    assert str(pair.first) in operator.get(LIST).content.decode()
    page = operator.get(reverse("admin:contacts_duplicate_change", args=[pair.pk])).content.decode()
    assert "Is this one person?" in page
    assert page.count('name="keep"') == 2
    merged = operator.post(
        reverse("admin:duplicate_merge", args=[pair.pk]), {"keep": str(pair.second_id), "take": ["company", "nonsense"]}
    )
    merge = Merge.objects.get()
    assert merged["Location"] == reverse("admin:contacts_merge_change", args=[merge.pk])
    assert Contact.objects.alive().get().company == "Ann"
    assert "Undo this merge" in operator.get(merged["Location"]).content.decode()
    told = operator.post(reverse("admin:merge_part", args=[merge.pk]), follow=True).content.decode()
    assert "The two are apart again." in told
    assert Contact.objects.alive().count() == 2
    assert "undone already" in operator.post(reverse("admin:merge_part", args=[merge.pk]), follow=True).content.decode()


def test_two_people_are_noted_and_asked_about_no_more(operator: Client, pair: Duplicate) -> None:
    operator.post(reverse("admin:duplicate_apart", args=[pair.pk]))
    pair.refresh_from_db()
    assert (pair.verdict, pair.decided_by) == ("apart", "operator")
    assert str(pair.first) not in operator.get(LIST).content.decode()
    assert str(pair.first) in operator.get(LIST + "?verdict=apart").content.decode()
    assert duplicates.find() == 0


def test_whoever_stays_must_be_one_of_the_two(operator: Client, pair: Duplicate) -> None:
    answer = operator.post(reverse("admin:duplicate_merge", args=[pair.pk]), {"keep": "nobody"}, follow=True)
    assert "Choose which of the two contacts stays." in answer.content.decode()
    assert not Merge.objects.exists()


def test_viewers_decide_nothing(person: Callable[[str], Any], pair: Duplicate) -> None:
    client = Client()
    client.force_login(person("viewer"))
    page = client.get(reverse("admin:contacts_duplicate_change", args=[pair.pk])).content.decode()
    assert 'name="keep"' not in page
    for name in ("duplicate_merge", "duplicate_apart"):
        assert client.post(reverse(f"admin:{name}", args=[pair.pk])).status_code == 403
    assert client.post(reverse("admin:duplicates_look")).status_code == 403


def test_the_worker_is_asked_to_look(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("syncjobs.admin.duplicates.async_task", lambda name, **rest: asked.append(name))
    operator.post(reverse("admin:duplicates_look"))
    assert asked == ["contacts.duplicates.find"]


def test_programs_list_merge_and_undo(api: APIClient, pair: Duplicate) -> None:
    (told,) = api.get(f"{API}/duplicates").json()["results"]
    assert (told["by"], told["first"]["email"]) == ("email", "ann@example.com")
    address = f"{API}/duplicates/{pair.pk}/merge"
    refused = api.post(address, {"keep": "00000000-0000-0000-0000-000000000000"}, format="json")
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["keep"])
    merge = api.post(address, {"keep": str(pair.first_id), "take": ["company"]}, format="json").json()
    assert (merge["kept_id"], merge["gone_id"]) == (str(pair.first_id), str(pair.second_id))
    again = api.post(address, {"keep": str(pair.first_id)}, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "already_decided")
    undone = api.post(f"{API}/merges/{merge['id']}/undo").json()
    assert (undone["left"], undone["merge"]["parted_by"]) == ([], "operator")
    assert api.post(f"{API}/merges/{merge['id']}/undo").status_code == 409


def test_programs_keep_apart(api: APIClient, pair: Duplicate) -> None:
    assert api.post(f"{API}/duplicates/{pair.pk}/apart").json()["verdict"] == "apart"
    assert api.post(f"{API}/duplicates/{pair.pk}/apart").status_code == 409
    assert api.get(f"{API}/duplicates").json()["results"] == []
    assert len(api.get(f"{API}/duplicates?verdict=apart").json()["results"]) == 1
