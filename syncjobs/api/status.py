"""Where contacts stand: seed endpoints under /api/v3/contacts."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from syncjobs import counts, presenters, services
from syncjobs.api import serializers as forms
from syncjobs.api.queueing import TAGS, validated
from syncjobs.states import SyncStatus

SYNC_STATUS_SCHEMA = {
    "title": "SyncStatus",
    "type": "object",
    "properties": {
        "contact_id": {"type": "string", "format": "uuid"},
        "email": {"type": ["string", "null"]},
    },
    "required": ["contact_id", "email"],
    "additionalProperties": {
        "title": "LinkStatus",
        "type": "object",
        "properties": {
            "sync_status": {"type": ["string", "null"]},
            "processing_status": {"type": ["string", "null"]},
            "contact_id": {"type": ["string", "null"]},
            "synced_at": {"type": "string", "format": "date-time"},
            "estimated_processing": {"type": "string"},
            "processing_error": {"type": "string"},
            "retry_count": {"type": "integer"},
            "last_retry_at": {"type": ["string", "null"], "format": "date-time"},
            "next_retry_at": {"type": ["string", "null"], "format": "date-time"},
        },
        "required": ["sync_status", "processing_status", "contact_id"],
    },
}


class SyncStatusView(APIView):
    """A contact's state on every connection."""

    @extend_schema(responses=OpenApiResponse(SYNC_STATUS_SCHEMA), operation_id="sync_status", tags=TAGS)
    def get(self, request: Request, contact_id: UUID) -> Response:
        return Response(presenters.sync_status(services.contact_or_refuse(contact_id)))


class SyncStatsView(APIView):
    """How many contacts stand where on a connection."""

    @extend_schema(
        parameters=[forms.CrmQuerySerializer], responses=forms.StatsSerializer, operation_id="sync_stats", tags=TAGS
    )
    def get(self, request: Request) -> Response:
        connection = validated(forms.CrmQuerySerializer, request.query_params)["crm"]
        stats = counts.stats(connection)
        return Response(
            {
                "crm": connection.key,
                "total_contacts": stats.total,
                "synced": stats.of(SyncStatus.COMPLETE),
                "queued": stats.of(SyncStatus.QUEUED),
                "processing": stats.of(SyncStatus.PROCESSING),
                "errors": stats.of(SyncStatus.ERROR),
                "success_rate": stats.success_rate,
                "last_24h": {"synced": stats.last_synced, "errors": stats.last_errors},
            }
        )


class SyncFailuresView(APIView):
    """The newest failures of a connection, with their reason in words."""

    @extend_schema(
        parameters=[forms.FailuresQuerySerializer],
        responses=forms.FailureListSerializer,
        operation_id="sync_failures",
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        query = validated(forms.FailuresQuerySerializer, request.query_params)
        links, total = services.failures(query["crm"], query["limit"])
        return Response({"crm": query["crm"].key, "failures": presenters.failures(links), "total": total})
