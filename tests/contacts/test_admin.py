"""The admin: list, edit through the services, delete, import page."""

import io
import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from contacts.models import Contact
from tests.factories import ContactFactory

LIST = reverse("admin:contacts_contact_changelist")
IMPORT = reverse("admin:contacts_contact_import")
pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client):
    client.force_login(User.objects.create_superuser("root", password="x"))
    return client


def form_of(points, **values):
    data = {
        **{name: "" for name in ("first_name", "last_name", "middle_name", "company", "job_title", "birth_date")},
        **{"domain_id": "", "page_id": "", "attributes": "{}"},
        **values,
        "points-TOTAL_FORMS": len(points),
        "points-INITIAL_FORMS": sum("id" in point for point in points),
    }
    for index, point in enumerate(points):
        data |= {f"points-{index}-{key}": value for key, value in point.items()}
    return data


def test_the_list_searches_and_counts_nothing(browser, django_assert_max_num_queries):
    ContactFactory(first_name="Zoe")
    ContactFactory.create_batch(3)
    with django_assert_max_num_queries(8) as captured:
        page = browser.get(LIST, {"q": "zoe"})
    assert page.status_code == 200
    assert [contact.first_name for contact in page.context["cl"].result_list] == ["Zoe"]
    assert not [query for query in captured.captured_queries if "COUNT(" in query["sql"]]


def test_adding_and_editing_go_through_the_services(browser):
    points = [{"kind": "email", "value": " ANNA@x.org", "label": ""}, {"kind": "phone", "value": "8 916 123-45-67"}]
    answer = browser.post(reverse("admin:contacts_contact_add"), form_of(points, first_name=" Анна  Мария "))
    assert answer.status_code == 302
    contact = Contact.objects.get()
    assert (contact.first_name, contact.email, contact.phone) == ("Анна Мария", "anna@x.org", "+79161234567")
    assert contact.provenance["emails"]["by"] == "admin:root"

    kept = [
        {"id": point.pk, "contact": contact.pk, "kind": point.kind, "value": point.value, "is_primary": "on"}
        for point in contact.points.all()
    ]
    added = {"kind": "email", "value": "new@x.org", "is_primary": "on"}
    url = reverse("admin:contacts_contact_change", args=[contact.pk])
    answer = browser.post(url, form_of([*kept, added], first_name="Анна Мария", last_name="Белл"))
    assert answer.status_code == 302, answer.context["errors"]
    contact.refresh_from_db()
    assert (contact.last_name, contact.email, contact.version) == ("Белл", "new@x.org", 2)
    assert contact.points.get(value="+79161234567").raw == "8 916 123-45-67"
    assert "admin:root" in browser.get(url).content.decode()


def test_a_bad_email_is_refused_on_the_form(browser):
    answer = browser.post(reverse("admin:contacts_contact_add"), form_of([{"kind": "email", "value": "nobody"}]))
    assert answer.status_code == 200
    assert "is not an e-mail address" in answer.content.decode()
    assert not Contact.objects.exists()


def test_deleting_a_selection_leaves_tombstones(browser):
    contacts = ContactFactory.create_batch(3)
    data = {"action": "delete_selected", "_selected_action": [contact.pk for contact in contacts[:2]]}
    assert browser.post(LIST, data).status_code == 200
    browser.post(LIST, data | {"post": "yes"})
    assert Contact.objects.count() == 3
    assert [contact.pk for contact in Contact.objects.alive()] == [contacts[2].pk]


def test_import_previews_maps_and_stores(browser):
    file = io.BytesIO("Имя;Почта;Отдел\nАнна;anna@x.org;Продажи\nИван;иван;\n".encode("cp1251"))
    file.name = "people.csv"
    preview = browser.post(IMPORT, {"file": file})
    assert preview.context["refused_count"] == 1
    assert [column["target"] for column in preview.context["columns"]] == ["first_name", "email", "-"]
    assert not Contact.objects.exists()
    token = re.search(r'name="token" value="([^"]+)"', preview.content.decode())[1]
    data = {"token": token, "header": ["Имя", "Почта", "Отдел"], "target": ["first_name", "email", "company"]}
    again = browser.post(IMPORT, data)
    assert again.context["rows"][0][6] == "Продажи"
    done = browser.post(IMPORT, data | {"confirm": "1"})
    assert (done.context["counters"].created, done.context["counters"].refused) == (1, 1)
    assert Contact.objects.get().company == "Продажи"
    assert "has expired" in browser.post(IMPORT, data | {"confirm": "1"}).content.decode()


def test_import_refuses_what_is_no_text_and_strangers(browser, client):
    file = io.BytesIO(b"PK\x03\x04" + bytes(range(256)) * 20)
    file.name = "people.xlsx"
    assert "is not a text file" in browser.post(IMPORT, {"file": file}).content.decode()
    client.logout()
    assert client.get(IMPORT).status_code == 302
