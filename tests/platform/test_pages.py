"""The pages people see: admin, API documentation, browsable API."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from crmsync.models import ApiToken
from tests.platform.conftest import PASSWORD

pytestmark = pytest.mark.django_db
OURS = ["user", "group", "schedule", "success", "failure", "ormq", "apitoken"]


@pytest.fixture
def administrator(make_user: Any) -> Client:
    make_user("ann", is_staff=True, is_superuser=True)
    client = Client()
    assert client.login(username="ann", password=PASSWORD)
    return client


def model_named(name: str) -> Any:
    return next(model for model in admin.site._registry if model._meta.model_name == name)


@pytest.mark.parametrize("name", OURS)
def test_every_list_opens(administrator: Client, name: str) -> None:
    options = model_named(name)._meta
    answer = administrator.get(reverse(f"admin:{options.app_label}_{options.model_name}_changelist"))
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["user", "group", "apitoken"])
def test_every_form_opens(administrator: Client, name: str) -> None:
    options = model_named(name)._meta
    answer = administrator.get(reverse(f"admin:{options.app_label}_{options.model_name}_add"))
    assert answer.status_code == 200


def test_a_token_made_in_the_admin_is_shown_once_and_works(administrator: Client) -> None:
    form = {"name": "nightly import", "expires_at_0": "", "expires_at_1": ""}
    answer = administrator.post(reverse("admin:crmsync_apitoken_add"), form, follow=True)
    (message,) = [str(one) for one in answer.context["messages"] if "never shown again" in str(one)]
    plain = message.rsplit(" ", 1)[1]
    assert Client().get("/api/v1/auth/me", headers={"authorization": f"Bearer {plain}"}).status_code == 200
    token = ApiToken.objects.get()
    again = administrator.get(reverse("admin:crmsync_apitoken_change", args=[token.pk]))
    assert again.status_code == 200
    assert plain not in again.content.decode()


def test_an_operator_sees_only_his_own_tokens(administrator: Client, make_user: Any) -> None:
    operator = make_user("bob", "operator", is_staff=True)
    ApiToken.objects.issue(make_user("cid", "operator"), "of somebody else")
    ApiToken.objects.issue(operator, "of his own")
    client = Client()
    client.force_login(operator)
    page = client.get(reverse("admin:crmsync_apitoken_changelist")).content.decode()
    assert "of his own" in page
    assert "of somebody else" not in page
    assert "of somebody else" in administrator.get(reverse("admin:crmsync_apitoken_changelist")).content.decode()


def test_the_schema_and_its_page_and_the_browsable_api_open(administrator: Client) -> None:
    page = administrator.get("/api/docs")
    assert page.status_code == 200
    assert "http://" not in page.content.decode().replace("http://www.w3.org", "")
    assert "https://" not in page.content.decode()
    schema = administrator.get("/api/schema", headers={"accept": "application/json"}).json()
    assert schema["openapi"] == "3.1.0"
    assert {"/api/v1/auth/login", "/health"} <= set(schema["paths"])
    browsable = administrator.get("/api/v1/auth/me", headers={"accept": "text/html"})
    assert browsable["Content-Type"].startswith("text/html")


def test_the_front_door_leads_to_the_admin() -> None:
    for door in ("/", "/admin"):
        assert Client().get(door)["Location"] == "/admin/"
