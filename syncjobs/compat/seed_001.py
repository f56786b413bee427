"""The paths of the seed that describes amoCRM's set-up."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from syncjobs.api import webhooks
from syncjobs.compat import seed_001_records as records
from syncjobs.compat import signing_in

SLUG = "amocrm"
START = "auth/amocrm/start"


class AuthView(signing_in.LinkView):
    """The address to open in a browser: there an administrator logs in, and then gives access to the account."""

    start_path = f"/{START}"

    @extend_schema(operation_id="amocrm_auth", **signing_in.LINK_SCHEMA)
    def get(self, request: Request) -> HttpResponse:
        return super().get(request)


class CallbackView(signing_in.CallbackView):
    """Where the account's authorization page leads back to; not to be called by anybody else."""

    @extend_schema(operation_id="amocrm_auth_callback", **signing_in.CALLBACK_SCHEMA)
    def get(self, request: Request) -> HttpResponse:
        return super().get(request)


API = [
    path("v1/amocrm/auth", AuthView.as_view()),
    path("v1/amocrm/auth/callback", CallbackView.as_view()),
    path("v1/amocrm/status", records.StatusView.as_view()),
    path("v1/amocrm/fields/sync", records.FieldsSyncView.as_view()),
    path("v1/amocrm/fields", records.FieldsView.as_view()),
    path("v1/amocrm/leads", records.LeadsView.as_view()),
    path("v1/amocrm/leads/<row:pk>", records.LeadView.as_view()),
    path("v1/amocrm/contacts", records.ContactsView.as_view()),
    path("v1/amocrm/contacts/<row:pk>", records.ContactView.as_view()),
    path("v1/webhooks/amocrm/<str:event_type>", webhooks.receive, {"connector": SLUG}),
]
