"""The paths of the seed that describes amoCRM's set-up."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_GET

from syncjobs.api import webhooks
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
    path("v1/webhooks/amocrm/<str:event_type>", webhooks.receive, {"connector": SLUG}),
]
