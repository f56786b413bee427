"""The seed's gateway to amoCRM's own records: thin callers of the generic gateway."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors import services as connections
from connectors.api.serializers import RefusalSerializer
from connectors.core.types import CONTACTS
from connectors.models import Connection
from syncjobs.api.queueing import validated
from syncjobs.compat import seed_001_forms as forms
from syncjobs.gateway import fields, records, status

TAGS = ["gateway"]
LEADS = "leads"
REFUSED = {503: RefusalSerializer}
RECORD = {200: OpenApiResponse(forms.RECORD), **REFUSED}
RECORD_ID = OpenApiParameter("id", int, OpenApiParameter.PATH)
ACCOUNT = [forms.AccountQuerySerializer]


def asked(form: type[serializers.Serializer], request: Request) -> tuple[Connection, dict[str, Any]]:
    """The account that is meant and the other parameters. Raises ConnectionProblem (400) where there is none."""
    query = validated(form, request.query_params)
    return query.pop("connection", None) or connections.by_key(forms.SLUG), query


class StatusView(APIView):
    """Whether the account lets us in, how long its token lives, its limit and the last run."""

    @extend_schema(parameters=ACCOUNT, responses=forms.StatusSerializer, operation_id="amocrm_status", tags=TAGS)
    def get(self, request: Request) -> Response:
        try:
            connection, _query = asked(forms.AccountQuerySerializer, request)
        except connections.ConnectionProblem as problem:
            if problem.code != "crm_not_connected":
                raise
            return Response(status.not_connected(forms.SLUG, problem.message))
        return Response(forms.StatusSerializer(status.status(connection)).data)


class FieldsSyncView(APIView):
    """Reads the fields of leads, contacts and companies from the account and keeps them."""

    @extend_schema(
        parameters=ACCOUNT,
        request=None,
        responses={200: forms.SyncedFieldsSerializer, **REFUSED},
        operation_id="amocrm_fields_sync",
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        connection, _query = asked(forms.AccountQuerySerializer, request)
        lists = fields.sync_fields(connection)
        counts = {found.entity: len(found.fields) for found in lists}
        return Response({"connection": connection.key, "fields_synced": counts})


class FieldsView(APIView):
    """The fields of an entity as they were last read, with everything that lists take."""

    @extend_schema(
        parameters=[forms.FieldsQuerySerializer],
        responses={200: forms.FieldListSerializer, **REFUSED},
        operation_id="amocrm_fields",
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        connection, query = asked(forms.FieldsQuerySerializer, request)
        return Response(forms.FieldListSerializer(fields.field_list(connection, query["entity_type"])).data)


class LeadsView(APIView):
    """A page of leads, oldest first, as amoCRM shows them."""

    @extend_schema(
        parameters=[forms.PageQuerySerializer],
        responses={200: OpenApiResponse(forms.list_schema(LEADS)), **REFUSED},
        operation_id="amocrm_leads",
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        connection, query = asked(forms.PageQuerySerializer, request)
        return listed(LEADS, records.list_records(connection, LEADS, **query))


class LeadView(APIView):
    """One lead. A change is checked against the fields and pipelines of the account before anything is sent."""

    @extend_schema(parameters=[RECORD_ID, *ACCOUNT], responses=RECORD, operation_id="amocrm_lead", tags=TAGS)
    def get(self, request: Request, pk: int) -> Response:
        connection, _query = asked(forms.AccountQuerySerializer, request)
        return Response(records.get_record(connection, LEADS, str(pk)))

    @extend_schema(
        parameters=[RECORD_ID, *ACCOUNT],
        request={"application/json": forms.CHANGES},
        responses=RECORD,
        operation_id="amocrm_lead_update",
        tags=TAGS,
    )
    def put(self, request: Request, pk: int) -> Response:
        connection, _query = asked(forms.AccountQuerySerializer, request)
        if not isinstance(request.data, dict):
            raise ValidationError("The body must be an object with the fields to change.")
        return Response(records.update_record(connection, LEADS, str(pk), request.data))


class ContactsView(APIView):
    """A page of contacts, or of those that amoCRM finds by the words of `query`: names, phones, e-mails."""

    @extend_schema(
        parameters=[forms.SearchQuerySerializer],
        responses={200: OpenApiResponse(forms.list_schema(CONTACTS)), **REFUSED},
        operation_id="amocrm_contacts",
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        connection, query = asked(forms.SearchQuerySerializer, request)
        return listed(CONTACTS, records.list_records(connection, CONTACTS, **query))


class ContactView(APIView):
    """One contact as amoCRM shows it."""

    @extend_schema(parameters=[RECORD_ID, *ACCOUNT], responses=RECORD, operation_id="amocrm_contact", tags=TAGS)
    def get(self, request: Request, pk: int) -> Response:
        connection, _query = asked(forms.AccountQuerySerializer, request)
        return Response(records.get_record(connection, CONTACTS, str(pk)))


def listed(name: str, found: records.Listing) -> Response:
    return Response({name: found.records, "page": found.page, "limit": found.limit, "has_next": found.has_next})
