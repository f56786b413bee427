"""One table says who may open what; every page, button and endpoint is asked, and a new one must be entered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import reverse
from rest_framework.test import APIClient

from connectors import services
from connectors.core import registry
from connectors.core.testing import SandboxAdapter
from connectors.models import Connection
from crmsync.navigation import _GROUPS
from crmsync.roles import ADMINISTRATOR, OPERATOR, VIEWER
from syncjobs.models import InboundEvent, ReviewItem
from tests.api.operations import address as api_address
from tests.api.operations import operations, send
from tests.security import walking
from tests.security.conftest import SLUG

pytestmark = pytest.mark.django_db

# Who it takes: everybody, whoever may log in, a viewer, an operator, an administrator, nobody at all; - is no method.
E, S, V, O, A, N, NONE = "E", "S", "V", "O", "A", "N", "-"  # noqa: E741
LADDER = [E, S, V, O, A]
ROLES = {S: None, V: VIEWER, O: OPERATOR, A: ADMINISTRATOR}

# GET and POST of each page of a model.
MODELS = {
    # model                   list  add  change delete history
    "auth_group":             "AA    AA    AA    AA    AA",
    "auth_user":              "AA    AA    AA    AA    AA",
    "connectors_connection":  "VV    AA    VA    AA    VV",
    "contacts_contact":       "VV    OO    VO    OO    VV",
    "contacts_duplicate":     "VV    NN    VN    NN    VV",
    "contacts_merge":         "VV    NN    VN    NN    VV",
    "crmsync_apitoken":       "OO    OO    AA    AA    AA",  # of somebody else
    "crmsync_auditentry":     "AA    NN    AN    NN    AA",
    "django_q_failure":       "VV    NN    VA    AA    VV",
    "django_q_ormq":          "VV    NN    VA    AA    VV",
    "django_q_schedule":      "VV    NN    VA    AA    VV",
    "django_q_success":       "VV    NN    VA    AA    VV",
    "syncjobs_alert":         "VV    NN    VN    NN    VV",
    "syncjobs_contactsync":   "VV    NN    VN    NN    VV",
    "syncjobs_inboundevent":  "VV    NN    VN    NN    VV",
    "syncjobs_mirrorentity":  "VV    NN    VO    NN    VV",
    "syncjobs_plan":          "VV    NN    VN    NN    VV",
    "syncjobs_reviewitem":    "VV    NN    VN    NN    VV",
    "syncjobs_route":         "VV    OO    VO    OO    VV",
    "syncjobs_run":           "VV    NN    VN    NN    VV",
    "syncjobs_runitem":       "VV    NN    VN    NN    VV",
    "syncjobs_schemachange":  "VV    NN    VN    NN    VV",
}  # fmt: skip
OTHERS = {
    "app_list": "SS",
    "auth_user_password_change": "AA",
    "autocomplete": "N-",  # asked by a form alone: see below
    "connection_connect": "A-",
    "connection_dry_run": "-A",
    "connection_pull": "-A",
    "connection_push": "-A",
    "connection_retry": "-O",
    "connection_test": "-A",
    "contact_look": "-O",
    "contact_queue": "-O",
    "contacts_contact_import": "OO",
    "contacts_contact_import_contacts": "OO",
    "dashboard_status": "VV",
    "duplicate_apart": "-O",
    "duplicate_merge": "-O",
    "duplicates_look": "-O",
    "event_replay": "-O",
    "index": "SS",
    "instructions": "V-",
    "jsi18n": "S-",
    "login": "EE",
    "logout": "-S",
    "mapping": "VA",
    "mapping_contacts": "O-",
    "mapping_read": "-A",
    "mapping_test": "-O",
    "merge_part": "-O",
    "mirror_begin": "-O",
    "password_change": "SS",
    "password_change_done": "S-",
    "person_erase": "AA",
    "person_export": "-A",
    "plan_apply": "-O",
    "plan_table": "V-",
    "review_decide": "-O",
    "route_dry_run": "-O",
    "run_cancel": "-A",
    "run_outcomes": "V-",
    "run_progress": "VV",
    "run_retry": "-O",
    "run_undo": "-A",
    "search": "SS",
    "subscription_check": "-A",
    "subscription_remove": "-A",
    "subscription_subscribe": "-A",
    "view_on_site": "SS",
}
# Whoever asks for it is nobody afterwards.
LEAVING = "logout"
# What a role may do with ticked rows of a list; the buttons of contacts follow the connections.
ACTIONS = {
    "auth_group": (A, {"delete_selected"}),
    "auth_user": (A, {"delete_selected"}),
    "contacts_contact": (O, {"delete_selected", f"queue_{SLUG}", f"retry_{SLUG}", "queue_second", "retry_second"}),
    "crmsync_apitoken": (O, {"delete_selected"}),
    "django_q_failure": (A, {"delete_selected", "resubmit_task"}),
    "django_q_ormq": (A, {"delete_selected"}),
    "django_q_schedule": (A, {"delete_selected"}),
    "django_q_success": (A, {"delete_selected", "resubmit_task"}),
    "syncjobs_alert": (O, {"quieten"}),
    "syncjobs_inboundevent": (O, {"replay_selected"}),
    "syncjobs_mirrorentity": (O, {"run_now", "run_full"}),
    "syncjobs_route": (O, {"delete_selected", "run_now", "run_full"}),
}
PAGES = ("changelist", "add", "change", "delete", "history")
TABLE = OTHERS | {
    f"{model}_{page}": pair for model, pairs in MODELS.items() for page, pair in zip(PAGES, pairs.split(), strict=True)
}

# Of the API: what is for everybody, for whoever is logged in, and what needs more than its method does.
API_OPEN = {
    "POST /api/v1/auth/login", "POST /api/v1/auth/refresh", "GET /health", "GET /api/v1/amocrm/auth",
    "GET /api/v1/amocrm/auth/callback",
}  # fmt: skip
API_LOGGED_IN = {"GET /api/v1/auth/me"}
API_VIEWER_WRITES = {"POST /api/v1/auth/tokens", "DELETE /api/v1/auth/tokens/{id}"}
API_OPERATOR_READS = {"GET /api/v1/reviews", "GET /api/v3/contacts/duplicates"}
API_ADMINISTRATOR = {
    "DELETE /api/v3/connections/{key}",
    "DELETE /api/v3/connections/{key}/rules/{id}",
    "GET /api/v1/audit",
    "GET /api/v3/contacts/{contact_id}/export",
    "PATCH /api/v3/connections/{key}",
    "PATCH /api/v3/connections/{key}/rules/{id}",
    "POST /api/v3/admin/test-crm-credentials",
    "POST /api/v3/connections",
    "POST /api/v3/connections/{key}/rules",
    "POST /api/v3/contacts/{contact_id}/erase",
}


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch, db: None) -> Connection:
    """A connection whose system answers, as buttons ask it."""
    sandbox = registry.sandbox_class(SLUG)(enforce_limits=False)  # type: ignore[misc]
    monkeypatch.setattr("connectors.core.http.GuardedAdapter", lambda *a, **k: SandboxAdapter(sandbox))
    return services.create_connection(SLUG, SLUG, sandbox.config("https://sandbox.example.com"))


@pytest.fixture
def clients(make_user: Callable[..., Any]) -> dict[str, Client]:
    """By letter of the table, somebody at a browser who is just that."""
    found = {E: Client()}
    for letter, role in ROLES.items():
        found[letter] = Client()
        found[letter].force_login(make_user(f"somebody-{letter}", role))
    return found


def test_every_address_of_the_admin_is_in_the_table() -> None:
    named = {name for _route, name in walking.names() if name}
    assert named == set(TABLE)
    nameless = [route for route, name in walking.names() if not name]
    assert all(route.endswith(("<path:object_id>/", "(?P<url>.*)$")) for route in nameless), nameless


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_page_and_button_takes_the_role_of_the_table(
    method: str, linked: Connection, clients: dict[str, Client], make_user: Callable[..., Any]
) -> None:
    """Asked are the role itself and the one below: each role may do what the one below may (see test_permissions)."""
    held = walking.rows(linked, make_user("owner", ADMINISTRATOR))
    wrong = []
    for route, name in walking.names():
        if not name or name == LEAVING:
            continue
        path = walking.address(route, name, held)
        for letter, expected in asked(TABLE[name][method == "POST"]):
            found = walking.outcome(clients[letter], method, path)
            if found != expected:
                wrong.append(f"{method} {name} as {letter}: {found}, not {expected}")
    assert wrong == [], "\n".join(wrong)


def asked(least: str) -> list[tuple[str, str]]:
    """Who asks, and what has to come of it."""
    if least == NONE:
        return [(A, "no method")]
    if least == N:
        return [(A, "refused"), (E, "refused")]
    below = LADDER[: LADDER.index(least)]
    refused = {below[0], below[-1]} if below else set()
    return [(least, "let in"), *((letter, "refused") for letter in sorted(refused))]


def test_bulk_actions_are_offered_to_their_role_alone(linked: Connection, clients: Any, make_user: Any) -> None:
    walking.rows(linked, make_user("owner"))
    for model, page in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        least, names = ACTIONS.get(name, (A, set()))
        for letter in (V, O, A):
            request = RequestFactory().get("/")
            request.user = clients[letter].get(reverse("admin:index")).context["user"]
            found = set(page.get_actions(request))
            expected = names if LADDER.index(letter) >= LADDER.index(least) else set()
            assert found == expected, (name, letter)


def test_items_of_the_sidebar_lead_where_their_reader_may_go(clients: dict[str, Client]) -> None:
    for _title, items in _GROUPS:
        for item in items:
            path = reverse(f"admin:{item.page}")
            for letter in (V, O, A):
                page = clients[letter].get(reverse("admin:index"))
                shown = {entry["link"] for group in page.context["sidebar_navigation"] for entry in group["items"]}
                assert (path in shown) == (walking.outcome(clients[letter], "GET", path) == "let in"), (path, letter)


def test_every_operation_of_the_api_takes_the_role_of_the_table(make_user: Callable[..., Any]) -> None:
    programs = {E: APIClient()}
    for letter, role in ROLES.items():
        programs[letter] = APIClient()
        programs[letter].force_authenticate(make_user(f"program-{letter}", role))
    every, wrong = set(), []
    for method, path, described in operations():
        name = f"{method.upper()} {path}"
        every.add(name)
        if described["tags"] == ["webhooks"]:
            continue  # let in by the token in their address or body, tested in tests/inbox
        least = least_of(name)
        for letter in LADDER:
            if least == E and letter != E:
                continue
            answer = send(programs[letter], method, api_address(path))
            let_in = LADDER.index(letter) >= LADDER.index(least)
            if (answer.status_code not in (401, 403)) != let_in and not (least == E and answer.status_code == 401):
                wrong.append(f"{name} as {letter}: {answer.status_code}")
    assert wrong == []
    named = API_OPEN | API_LOGGED_IN | API_VIEWER_WRITES | API_OPERATOR_READS | API_ADMINISTRATOR
    assert named <= every, named - every


def least_of(name: str) -> str:
    if name in API_OPEN:
        return E
    if name in API_LOGGED_IN:
        return S
    if name in API_ADMINISTRATOR:
        return A
    if name in API_OPERATOR_READS:
        return O
    return V if name.startswith("GET ") or name in API_VIEWER_WRITES else O


def test_somebody_without_a_role_sees_nothing_of_the_hub(linked: Connection, clients: dict[str, Client]) -> None:
    linked.label = "Our Secret Account"
    linked.save()
    for path in (reverse("admin:index"), reverse("admin:search") + "?s=anna"):
        assert "Our Secret Account" not in clients[S].get(path).content.decode(), path


def test_the_palette_finds_people_for_those_who_may_see_them(linked: Connection, clients: Any, make_user: Any) -> None:
    walking.rows(linked, make_user("owner"))
    path = reverse("admin:search") + "?s=petrova&extended=1"
    assert "Petrova" in clients[V].get(path).content.decode()
    assert "Petrova" not in clients[S].get(path).content.decode()


def test_forms_complete_the_names_of_connections_for_those_who_may_see_them(
    linked: Connection, clients: dict[str, Client]
) -> None:
    asked_for = {"app_label": "syncjobs", "model_name": "route", "field_name": "source", "term": linked.key}
    path = reverse("admin:autocomplete")
    assert clients[S].get(path, asked_for).status_code == 403
    assert clients[V].get(path, asked_for).json()["results"][0]["text"] == str(linked)


def test_no_role_is_shown_a_secret(linked: Connection, clients: dict[str, Client]) -> None:
    texts = [str(value) for value in linked.secrets.values()]
    assert texts
    page = reverse("admin:connectors_connection_change", args=[linked.pk])
    for letter in (V, O, A):
        for path in (page, reverse("admin:connectors_connection_changelist")):
            content = clients[letter].get(path).content.decode()
            assert not any(text in content for text in texts), (letter, path)


def test_viewers_see_bodies_and_questions_masked(linked: Connection, clients: dict[str, Client]) -> None:
    about = {"connection": linked, "event_type": "contact.update", "digest": b"1", "status": "done"}
    event = InboundEvent.objects.create(body=b'{"id": 17, "name": "Zinaida"}', **about)
    item = ReviewItem.objects.create(
        connection=linked, kind="conflict", external_id="1", field="first_name", ours="Zinaida", theirs="Zina"
    )
    for name, pk in (("inboundevent", event.pk), ("reviewitem", item.pk)):
        path = reverse(f"admin:syncjobs_{name}_change", args=[pk])
        assert "Zinaida" not in clients[V].get(path).content.decode(), name
        assert "Zinaida" in clients[O].get(path).content.decode(), name


def test_nobody_writes_a_schedule_of_their_own(clients: dict[str, Client], linked: Connection, make_user: Any) -> None:
    schedule = walking.rows(linked, make_user("owner"))["django_q_schedule"]
    path = reverse("admin:django_q_schedule_change", args=[schedule.pk])
    form = {"func": "os.system", "args": "'id'", "name": "mine", "schedule_type": "D", "repeats": "-1"}
    clients[A].post(path, {**form, "next_run_0": "2026-12-01", "next_run_1": "10:00:00"})
    schedule.refresh_from_db()
    assert (schedule.func, schedule.args, schedule.schedule_type) == ("builtins.print", None, "D")
