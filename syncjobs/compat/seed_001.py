"""The paths of the seed that describes amoCRM's set-up."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_GET

from syncjobs.compat import seed_001_records as records
from syncjobs.compat import signing_in

SLUG = "amocrm"
START = "auth/amocrm/start"


@require_GET
def auth(request: HttpRequest) -> HttpResponse:
    return signing_in.link(request, f"/{START}")


@require_GET
def start(request: HttpRequest) -> HttpResponse:
    return signing_in.start(request, SLUG)


@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    return signing_in.callback(request)


PAGES = [path(START, start), path("auth/amocrm/callback", callback)]
API = [
    path("v1/amocrm/auth", auth),
    path("v1/amocrm/auth/callback", callback),
    path("v1/amocrm/status", records.StatusView.as_view()),
    path("v1/amocrm/fields/sync", records.FieldsSyncView.as_view()),
    path("v1/amocrm/fields", records.FieldsView.as_view()),
    path("v1/amocrm/leads", records.LeadsView.as_view()),
    path("v1/amocrm/leads/<row:pk>", records.LeadView.as_view()),
    path("v1/amocrm/contacts", records.ContactsView.as_view()),
    path("v1/amocrm/contacts/<row:pk>", records.ContactView.as_view()),
]
