"""The seed's diagnostic pages: they only read, show no secret, and hide from who does not know DEBUG_SECRET."""

from __future__ import annotations

import math
import time
from typing import Any

from django.conf import settings
from django.db import connection as database
from django.http import Http404, HttpResponse, JsonResponse
from django.urls import path
from django.utils.crypto import constant_time_compare
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors import oauth
from connectors import services as connections
from connectors.core.errors import ApiError, ErrorKind
from connectors.models import Connection, OAuthGrant
from syncjobs.compat import seed_000
from syncjobs.sentences import translated

HEADER = "X-Debug-Secret"


class KnowsDebugSecret(BasePermission):
    """Everybody else is answered as if there was nothing here."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not knows_secret(request):
            raise Http404
        return True


def knows_secret(request: Request) -> bool:
    """The comparison takes the same time whatever was sent."""
    known, sent = settings.DEBUG_SECRET, request.headers.get(HEADER, "")
    return bool(known) and constant_time_compare(sent.encode(), known.encode())


@extend_schema(exclude=True)
class DebugView(APIView):
    authentication_classes = ()
    permission_classes = (KnowsDebugSecret,)


class DatabaseView(DebugView):
    """Whether the database answers, how fast, and how many tokens it holds."""

    def get(self, request: Request) -> Response:
        started = time.monotonic()
        with database.cursor() as cursor:
            cursor.execute("SELECT 1")
        latency = round((time.monotonic() - started) * 1000, 1)
        tokens = OAuthGrant.objects.filter(expires_at__isnull=False).count()
        return Response({"ok": True, "latency_ms": latency, "tokens": tokens, "vendor": database.vendor})


class GoogleView(DebugView):
    """What is known of the access to Google, without asking it."""

    def get(self, request: Request) -> Response:
        connection = Connection.objects.filter(key=seed_000.GOOGLE).first()
        held = oauth.access(connection) if connection is not None else None
        return Response(
            {
                "has_token": held is not None and held.usable,
                "expires_at": held.expires_at if held is not None else None,
                "scopes": list(held.scopes) if held is not None else [],
            }
        )


class AmoView(DebugView):
    """How the account is signed in to, and whether that is complete."""

    def get(self, request: Request) -> Response:
        connection = Connection.objects.filter(key=seed_000.AMO).first()
        if connection is None:
            return Response({"base_url": "", "auth_mode": "none", "is_ready": False})
        values = connection.settings_and_secrets()
        base_url = str(values.get("base_url") or values.get("domain") or "")
        held = oauth.access(connection)
        by_token = bool(values.get("access_token"))
        ready = connection.is_configured() and (by_token or held.usable)
        return Response(
            {"base_url": base_url, "auth_mode": "long_lived_token" if by_token else "oauth2", "is_ready": ready}
        )


class PingView(DebugView):
    """One light request to Google, with how long it took or what went wrong."""

    def get(self, request: Request) -> HttpResponse:
        refused = seed_000.access_missing()
        if refused is not None:
            return refused
        started = time.monotonic()
        try:
            connector = connections.open_connector(connections.by_key(seed_000.GOOGLE), patient=False)
            try:
                connector.check()
            finally:
                connector.close()
        except ApiError as e:
            return self._failed(e, _milliseconds(started))
        return Response({"ok": True, "latency_ms": _milliseconds(started), "retry_after": None})

    def _failed(self, error: ApiError, latency: float) -> HttpResponse:
        if error.kind is ErrorKind.AUTH:
            return JsonResponse(seed_000.needed(), status=401)
        told: dict[str, Any] = {"ok": False, "latency_ms": latency, "retry_after": None}
        if error.kind is ErrorKind.RATE_LIMITED:
            return Response({**told, "error": "rate_limited", "retry_after": math.ceil(error.retry_after or 1)})
        return Response({**told, "error": str(error.kind), "message": translated(error.message)})


def _milliseconds(since: float) -> float:
    return round((time.monotonic() - since) * 1000, 1)


PAGES = [
    path("debug/db", DatabaseView.as_view()),
    path("debug/google", GoogleView.as_view()),
    path("debug/amo", AmoView.as_view()),
    path("debug/ping-google", PingView.as_view()),
]
