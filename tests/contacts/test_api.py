"""/api/v3/contacts: shapes, search, paging, refusals."""

import json

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient

from contacts.models import Contact
from tests.factories import ContactFactory

URL = "/api/v3/contacts"
pytestmark = pytest.mark.django_db


def client_of(role: str | None) -> APIClient:
    client = APIClient()
    if role:
        user = User.objects.create_user(role)
        user.groups.add(Group.objects.get_or_create(name=role)[0])
        client.force_authenticate(user)
    return client


@pytest.fixture
def api() -> APIClient:
    return client_of("operator")


def test_a_contact_has_the_documented_shape(api):
    made = api.post(URL, {"first_name": " Анна ", "email": "ANNA@Example.com", "phone": "8 916 123-45-67"})
    assert made.status_code == 201
    body = api.get(f"{URL}/{made.json()['id']}/").json()
    assert {key: body[key] for key in ("first_name", "email", "phone", "birth_date", "company", "domain_id")} == {
        "first_name": "Анна",
        "email": "anna@example.com",
        "phone": "+79161234567",
        "birth_date": None,
        "company": "",
        "domain_id": None,
    }
    assert body["emails"] == [{"value": "anna@example.com", "label": "", "primary": True}]
    assert body["created_at"].endswith("Z")
    assert body["updated_at"].endswith("Z")


def test_put_clears_what_is_absent_and_patch_keeps_it(api):
    contact_id = api.post(URL, {"first_name": "Anna", "company": "Acme", "email": "a@x.org"}).json()["id"]
    patched = api.patch(f"{URL}/{contact_id}", {"last_name": "Bell"}).json()
    assert (patched["company"], patched["last_name"], patched["email"]) == ("Acme", "Bell", "a@x.org")
    put = api.put(f"{URL}/{contact_id}", {"first_name": "Anna"}).json()
    assert (put["company"], put["email"], put["emails"]) == ("", None, [])


def test_patching_the_email_shortcut_replaces_the_primary_one_alone(api):
    emails = [{"value": "a@x.org", "primary": True}, {"value": "b@x.org"}]
    contact_id = api.post(URL, {"emails": emails}).json()["id"]
    body = api.patch(f"{URL}/{contact_id}", {"email": "c@x.org"}).json()
    assert [(item["value"], item["primary"]) for item in body["emails"]] == [("c@x.org", True), ("b@x.org", False)]


def test_a_deleted_contact_is_gone_and_its_row_is_a_tombstone(api):
    contact = ContactFactory()
    assert api.delete(f"{URL}/{contact.id}").status_code == 204
    assert api.get(f"{URL}/{contact.id}").status_code == 404
    assert api.delete(f"{URL}/{contact.id}").status_code == 404
    contact.refresh_from_db()
    assert contact.deleted_at is not None
    assert contact.version == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"emails": [{"value": "a@x.org"}, {"value": "b"}]}, "emails.1.value"),
        ({"first_name": 5}, "first_name"),
        ({"first_name": "x" * 256}, "first_name"),
        ({"birth_date": "03/04/1990"}, "birth_date"),
        ({"birth_date": 19900403}, "birth_date"),
        ({"attributes": []}, "attributes"),
        ({"phones": "x"}, "phones"),
        ({"phones": [{"value": "\u200b"}]}, "phones.0.value"),
        ({"first_name": "\0"}, "first_name"),
        ({"first_name": "\ud800"}, "first_name"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(api, body, field):
    answer = api.post(URL, json.dumps(body), content_type="application/json")
    assert answer.status_code == 400
    assert field in answer.json()["fields"]


@pytest.mark.parametrize("path", ["/not-a-uuid", "/00000000-0000-7000-8000-000000000000"])
def test_unknown_ids_are_404(api, path):
    assert api.get(URL + path).status_code == 404


def test_search_takes_words_in_any_order_and_phone_digits(api):
    ivan = ContactFactory(first_name="Иван", last_name="Петров", email="ivan@site.org", phone="+79161234567")
    ContactFactory(first_name="Пётр", last_name="Иванов")

    def found(**query):
        return [item["id"] for item in api.get(URL, query).json()["results"]]

    for search in ("петр иван", "Иван Петров", "ivan@si", "8 916 123", "+7916123", "иван 79161234567"):
        assert found(search=search) == [str(ivan.id)], search
    assert found(search="nobody") == []
    assert found(email=" IVAN@site.org") == found(phone="8 (916) 123 45 67") == [str(ivan.id)]
    for odd in ("'", "\\", "a & b:*", "!", "<->", "%"):
        assert api.get(URL, {"search": odd}).status_code == 200


def test_pages_follow_each_other_without_gaps_in_both_directions(api, django_assert_num_queries):
    expected = [str(contact.id) for contact in sorted(ContactFactory.create_batch(7), key=lambda c: c.id)]
    Contact.objects.update(updated_at="2026-01-01T00:00:00Z")
    seen, url = [], f"{URL}?limit=3"
    pages = []
    while url:
        body = api.get(url).json()
        pages.append(body)
        seen += [item["id"] for item in body["results"]]
        url = body["next"]
    assert seen == expected[::-1]
    assert api.get(pages[2]["previous"]).json()["results"] == pages[1]["results"]
    with django_assert_num_queries(2):
        api.get(f"{URL}?limit=2")
    with django_assert_num_queries(2):
        api.get(f"{URL}?limit=7")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=x", "email=x", "search=%00"])
def test_bad_parameters_are_400(api, query):
    answer = api.get(f"{URL}?{query}")
    assert answer.status_code == 400
    assert query.split("=")[0] in answer.json()["fields"]


def test_bulk_upsert_answers_for_every_item(api):
    ContactFactory(email="old@x.org", first_name="Old")
    items = [
        {"email": "new@x.org"},
        {"email": "OLD@x.org", "first_name": "Older"},
        {"email": "bad"},
        {"email": "new@x.org"},
        5,
        {},
    ]
    results = api.post(f"{URL}/bulk-upsert", {"items": items}).json()["results"]
    statuses = [item["status"] for item in results]
    assert statuses == ["created", "updated", "refused", "unchanged", "refused", "refused"]
    assert results[2]["errors"].keys() == {"email"}
    assert results[0]["id"] == results[3]["id"]
    for body in ({"items": []}, {"items": [{}] * 1001}, [], {"items": 3}):
        assert api.post(f"{URL}/bulk-upsert", body).status_code == 400


def test_strangers_and_viewers_cannot_write():
    assert client_of(None).get(URL).status_code in (401, 403)
    viewer = client_of("viewer")
    assert viewer.get(URL).status_code == 200
    assert viewer.post(URL, {"email": "a@x.org"}).status_code == 403
