"""Erasing and exporting a person: /api/v3/contacts/{id}/erase and /export, administrators only."""

from __future__ import annotations

from uuid import UUID

import orjson
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from syncjobs.people import erasing, exporting, finding

TAGS = ["contacts"]
ROLE = "administrator"


class EraseSerializer(serializers.Serializer):
    everywhere = serializers.BooleanField(
        default=False, help_text="Delete the person's records in the connected systems, too."
    )


class ErasedRecordSerializer(serializers.Serializer):
    connection = serializers.CharField()
    record = serializers.CharField(help_text="The remote id.")
    outcome = serializers.CharField(help_text="deleted, by_hand, left (not asked for) or failed.")
    message = serializers.CharField(allow_blank=True)


class ErasureReportSerializer(serializers.Serializer):
    contact = serializers.UUIDField()
    contacts = serializers.ListField(child=serializers.UUIDField(), help_text="With those merged into it.")
    everywhere = serializers.BooleanField()
    records = ErasedRecordSerializer(many=True)
    hub = serializers.DictField(child=serializers.IntegerField(), help_text="Rows of the hub, by kind.")
    by_hand = serializers.ListField(child=serializers.CharField(), help_text="What people still have to do.")


class PersonExportSerializer(serializers.Serializer):
    contacts = serializers.ListField(child=serializers.DictField())
    systems = serializers.ListField(child=serializers.DictField())
    outcomes = serializers.ListField(child=serializers.DictField())
    questions = serializers.ListField(child=serializers.DictField())
    webhooks = serializers.ListField(child=serializers.DictField())
    duplicates = serializers.ListField(child=serializers.DictField())
    merges = serializers.ListField(child=serializers.DictField())
    log = serializers.ListField(child=serializers.DictField())


class ErasePersonView(APIView):
    """Erases the person for good, from the hub and, with `everywhere`, from the connected systems; answers the report.

    409 while the contact is being sent.
    """

    required_role = ROLE

    @extend_schema(request=EraseSerializer, responses=ErasureReportSerializer, operation_id="contacts_erase", tags=TAGS)
    def post(self, request: Request, contact_id: UUID) -> Response:
        form = EraseSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        person = finding.of_contact(contact_id)
        return Response(erasing.erase(person, by=request.user.get_username(), **form.validated_data))


class ExportPersonView(APIView):
    """Everything the hub knows of the person."""

    required_role = ROLE

    @extend_schema(responses=PersonExportSerializer, operation_id="contacts_export", tags=TAGS)
    def get(self, request: Request, contact_id: UUID) -> Response:
        return Response(orjson.loads(exporting.as_json(exporting.export(finding.of_contact(contact_id)))))
