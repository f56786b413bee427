"""Queue and retry: seed endpoints under /api/v3/contacts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from syncjobs import estimates, presenters, services
from syncjobs.api import serializers as forms

TAGS = ["sync"]


class QueueSyncView(APIView):
    """Queues one contact for a connection; `priority: high` is worked on at once."""

    @extend_schema(
        request=forms.QueueSerializer, responses=forms.QueuedSerializer, operation_id="queue_sync", tags=TAGS
    )
    def post(self, request: Request, contact_id: UUID) -> Response:
        form = validated(forms.QueueSerializer, request.data)
        link = services.queue_one(contact_id, form["crm"], high=form["priority"] == "high")
        return Response(
            {
                "contact_id": str(contact_id),
                "crm": form["crm"].key,
                "sync_status": link.sync_status,
                "processing_status": link.processing_status,
                "estimated_processing_time": services.estimate(link, form["crm"]),
            }
        )


class BulkQueueSyncView(APIView):
    """Queues up to 100 contacts and says which were not taken, and why."""

    @extend_schema(
        request=forms.BulkQueueSerializer,
        responses=forms.BulkQueuedSerializer,
        operation_id="bulk_queue_sync",
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        form = validated(forms.BulkQueueSerializer, request.data)
        done = services.queue_many(form["contact_ids"], form["crm"])
        errors = [{"contact_id": str(contact_id), "reason": reason} for contact_id, reason in done.refused]
        return Response({"queued": done.queued, "skipped": len(errors), "errors": errors})


class QueueAllSyncView(APIView):
    """Queues every contact that passes the filters and that the connection can take."""

    @extend_schema(
        request=forms.QueueAllSerializer, responses=forms.QueuedAllSerializer, operation_id="queue_all_sync", tags=TAGS
    )
    def post(self, request: Request) -> Response:
        form = forms.QueueAllSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        connection = form.validated_data["crm"]
        queued = services.queue_filtered(connection, form.filters_given())
        done_at = presenters.timestamp(estimates.completion(connection))
        return Response({"queued_count": queued, "estimated_completion": done_at})


class RetrySyncView(APIView):
    """Puts a failed contact back into the queue: at once with `reset_retry_count`, else after its backoff."""

    @extend_schema(
        request=forms.RetrySerializer, responses=forms.RetriedSerializer, operation_id="retry_sync", tags=TAGS
    )
    def post(self, request: Request, contact_id: UUID) -> Response:
        form = validated(forms.RetrySerializer, request.data)
        link = services.retry_one(contact_id, form["crm"], reset=form["reset_retry_count"])
        return Response(
            {
                "contact_id": str(contact_id),
                "crm": form["crm"].key,
                "retry_count": link.retry_count,
                "next_retry_at": presenters.timestamp(link.next_retry_at),
                "message": _("Retry scheduled"),
            }
        )


class RetryAllFailuresView(APIView):
    """Puts every failed contact of a connection back into the queue."""

    @extend_schema(
        request=forms.RetrySerializer,
        responses=forms.RetriedAllSerializer,
        operation_id="retry_all_failures",
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        form = validated(forms.RetrySerializer, request.data)
        reset = form["reset_retry_count"]
        retried = services.retry_all(form["crm"], reset=reset)
        message = _("All failures reset and queued for retry") if reset else _("All failures queued for retry")
        return Response({"crm": form["crm"].key, "retried_count": retried, "message": message})


def validated(form_class: Any, data: Any) -> dict[str, Any]:
    form = form_class(data=data)
    form.is_valid(raise_exception=True)
    return form.validated_data
