"""/health: whether this installation works, for load balancers, containers and people."""

from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import Max
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crmsync import __version__
from crmsync.models import Heartbeat

LATE_AFTER = timedelta(minutes=3)
OK, LATE, NEVER, UNAVAILABLE, DEGRADED = "ok", "late", "never", "unavailable", "degraded"


class HealthSerializer(serializers.Serializer):
    status = serializers.CharField(help_text="ok, degraded (the worker is late) or unavailable (no database).")
    database = serializers.CharField(help_text="ok or unavailable.")
    worker = serializers.CharField(help_text="ok, late (not seen for three minutes) or never.", allow_null=True)
    worker_age_seconds = serializers.IntegerField(help_text="Since a worker was last seen.", allow_null=True)
    scheduler_age_seconds = serializers.IntegerField(help_text="Since a schedule last ran.", allow_null=True)
    version = serializers.CharField()


class HealthView(APIView):
    """200 while contacts can be served, also with a late worker (`degraded`); 503 without the database."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    @extend_schema(operation_id="health", responses={200: HealthSerializer, 503: HealthSerializer}, tags=["health"])
    def get(self, request: Request) -> Response:
        report = health()
        return Response(report, status=503 if report["status"] == UNAVAILABLE else 200)


def health() -> dict[str, Any]:
    """The report that HealthSerializer describes."""
    report = {"status": OK, "database": OK, "worker": None, "worker_age_seconds": None, "scheduler_age_seconds": None}
    report["version"] = __version__
    try:
        worker_age, scheduler_age = heartbeat_ages()
    except DatabaseError:
        connection.close()
        return report | {"status": UNAVAILABLE, "database": UNAVAILABLE}
    state = NEVER if worker_age is None else LATE if worker_age > LATE_AFTER.total_seconds() else OK
    return report | {
        "status": OK if state == OK else DEGRADED,
        "worker": state,
        "worker_age_seconds": worker_age,
        "scheduler_age_seconds": scheduler_age,
    }


def heartbeat_ages() -> tuple[int | None, int | None]:
    """Seconds since any worker, and since the scheduler, were last seen. Raises DatabaseError."""
    workers = Heartbeat.objects.exclude(name=Heartbeat.SCHEDULER).aggregate(at=Max("seen_at"))["at"]
    scheduler = Heartbeat.objects.filter(name=Heartbeat.SCHEDULER).aggregate(at=Max("seen_at"))["at"]
    now = timezone.now()
    ages = [int((now - at).total_seconds()) if at else None for at in (workers, scheduler)]
    return ages[0], ages[1]
