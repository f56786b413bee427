"""Runs and their outcomes, and starting a push: /api/v3/runs, /api/v3/connections/{key}/push."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors import services as connections
from syncjobs import queue, runs, services
from syncjobs.api.serializers import RunItemSerializer, RunSerializer, RunStartedSerializer, RunUndoSerializer
from syncjobs.errors import Refused
from syncjobs.models import Run, RunItem, RunKind, RunStatus

TAGS = ["runs"]


class RunFilter(filters.FilterSet):
    crm = filters.CharFilter(field_name="connection__key", max_length=50)
    status = filters.ChoiceFilter(choices=RunStatus.choices)
    kind = filters.ChoiceFilter(choices=RunKind.choices)

    class Meta:
        model = Run
        fields = ["crm", "status", "kind"]


@extend_schema_view(get=extend_schema(operation_id="runs_list", tags=TAGS))
class RunListView(generics.ListAPIView):
    """Runs, the newest first."""

    serializer_class = RunSerializer
    filterset_class = RunFilter
    cursor_ordering = ("-id",)
    queryset = Run.objects.select_related("connection")


@extend_schema_view(get=extend_schema(operation_id="runs_read", tags=TAGS))
class RunView(generics.RetrieveAPIView):
    """One run with its counters."""

    serializer_class = RunSerializer
    queryset = Run.objects.select_related("connection")


class RunItemFilter(filters.FilterSet):
    action = filters.ChoiceFilter(choices=RunItem.Action.choices)
    contact_id = filters.UUIDFilter()

    class Meta:
        model = RunItem
        fields = ["action", "contact_id"]


@extend_schema_view(get=extend_schema(operation_id="runs_items", tags=TAGS))
class RunItemsView(generics.ListAPIView):
    """What happened to every record of a run; unchanged ones are only counted."""

    serializer_class = RunItemSerializer
    filterset_class = RunItemFilter
    cursor_ordering = ("id",)
    queryset = RunItem.objects.none()

    def get_queryset(self) -> QuerySet[RunItem]:
        if getattr(self, "swagger_fake_view", False):
            return RunItem.objects.none()
        run = generics.get_object_or_404(Run, pk=self.kwargs["pk"])
        return RunItem.objects.filter(run=run)


class RunCancelView(APIView):
    """Stops a run after what is in flight; the rest stays queued."""

    @extend_schema(request=None, responses=RunSerializer, operation_id="runs_cancel", tags=TAGS)
    def post(self, request: Request, pk: int) -> Response:
        run = generics.get_object_or_404(Run, pk=pk)
        if not runs.request_cancel(run):
            raise Refused(_("The run is over."), "run_over", 409)
        run.refresh_from_db()
        return Response(RunSerializer(run).data)


class RunUndoView(APIView):
    """Takes a finished run back, or says what that would do. What changed since is skipped and listed as its items."""

    @extend_schema(
        request=RunUndoSerializer, responses={202: RunStartedSerializer}, operation_id="runs_undo", tags=TAGS
    )
    def post(self, request: Request, pk: int) -> Response:
        run = generics.get_object_or_404(Run.objects.select_related("connection"), pk=pk)
        form = RunUndoSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        made = services.start_undo(run, by=request.user.get_username(), dry_run=form.validated_data["dry_run"])
        return Response({"run": made.pk}, status=202)


class PushView(APIView):
    """Starts a push of what is due now, in the background."""

    @extend_schema(
        request=None, responses={202: RunStartedSerializer}, operation_id="connections_push", tags=["connections"]
    )
    def post(self, request: Request, key: str) -> Response:
        connection = connections.by_key(key)
        services.refuse_unsendable(connection)
        live = runs.live(connection)
        if live is not None:
            raise Refused(_("A push is running already."), "already_running", 409, run=live.pk)
        with transaction.atomic():
            run = runs.start(
                connection, RunKind.PUSH, trigger=request.user.get_username(), total=queue.due_count(connection)
            )
            services.start_push(connection, run)
        return Response({"run": run.pk}, status=202)
