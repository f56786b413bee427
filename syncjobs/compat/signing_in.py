"""What every sign-in path of a seed does: leads to the page where access is given, and takes the answer."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from connectors import oauth
from connectors import services as connections
from connectors.core.errors import ApiError
from connectors.models import Connection
from syncjobs.sentences import translated

CHANGE = "connectors.change_connection"


class AuthUrlSerializer(serializers.Serializer):
    auth_url = serializers.URLField()


class ConnectedSerializer(serializers.Serializer):
    status = serializers.CharField(help_text="connected")
    connection = serializers.CharField(help_text="Its key.")


TEXT: dict[str, Any] = {"type": str, "location": OpenApiParameter.QUERY}
LINK_SCHEMA: dict[str, Any] = {
    "parameters": [OpenApiParameter("connection", description="Its key, where there are several.", **TEXT)],
    "responses": AuthUrlSerializer,
    "tags": ["connections"],
    "auth": [],
}
CALLBACK_SCHEMA: dict[str, Any] = {
    "parameters": [
        OpenApiParameter("state", required=True, **TEXT),
        OpenApiParameter("code", **TEXT),
        OpenApiParameter("error", description="Why access was not given.", **TEXT),
    ],
    "responses": {
        200: ConnectedSerializer,
        302: OpenApiResponse(description="An administrator is led back to the connection."),
    },
    "tags": ["connections"],
    "auth": [],
}


class OpenView(APIView):
    """For strangers: whoever follows an address from here has to log in, and an answer is known by its state."""

    authentication_classes = (SessionAuthentication,)
    permission_classes = (AllowAny,)


class LinkView(OpenView):
    start_path: str

    def get(self, request: Request) -> HttpResponse:
        return link(request._request, self.start_path)


class CallbackView(OpenView):
    def get(self, request: Request) -> HttpResponse:
        return callback(request._request)


def link(request: HttpRequest, start_path: str) -> HttpResponse:
    """The address to open in a browser, where an administrator logs in and then gives access."""
    query = request.META.get("QUERY_STRING", "")
    return JsonResponse({"auth_url": request.build_absolute_uri(start_path + (f"?{query}" if query else ""))})


@require_GET
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Leads an administrator on to the remote system's page; `connection` names one of several accounts."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied
    try:
        connection = connections.by_key(request.GET.get("connection", slug))
        return begin(request, connection)
    except connections.ConnectionProblem as problem:
        return JsonResponse({"error": problem.message, "code": problem.code}, status=problem.status_code)


def begin(request: HttpRequest, connection: Connection) -> HttpResponse:
    """The redirect to the page where access is given, or back to the connection with what is missing."""
    if request.session.session_key is None:
        request.session.save()
    key = request.session.session_key or ""
    try:
        return HttpResponseRedirect(oauth.start(connection, user_id=int(request.user.pk or 0), session_key=key))
    except ApiError as e:
        messages.error(request, translated(e.message))
        return redirect(reverse("admin:connectors_connection_change", args=[connection.pk]))


@require_GET
def answered(request: HttpRequest, slug: str) -> HttpResponse:
    """Where a page that gives access leads back to; the state tells whose answer it is."""
    return callback(request)


def callback(request: HttpRequest) -> HttpResponse:
    """Takes the answer: back to the admin for whoever may see it there, else JSON."""
    user_id = int(request.user.pk or 0) if request.user.is_authenticated else None
    try:
        connection = oauth.finish(request.GET.dict(), user_id=user_id, session_key=request.session.session_key or "")
    except oauth.StateInvalid as e:
        return _failed(request, str(e), "state_invalid")
    except ApiError as e:
        return _failed(request, translated(e.message), "not_connected")
    if not request.user.has_perm(CHANGE):
        return JsonResponse({"status": "connected", "connection": connection.key})
    messages.success(request, _("%(crm)s is connected.") % {"crm": connection.label})
    return redirect(reverse("admin:connectors_connection_change", args=[connection.pk]))


def _failed(request: HttpRequest, sentence: str, code: str) -> HttpResponse:
    if not request.user.has_perm(CHANGE):
        return JsonResponse({"error": sentence, "code": code}, status=400)
    messages.error(request, sentence)
    return redirect(reverse("admin:connectors_connection_changelist"))


PAGES = [path("auth/<slug:slug>/start", start), path("auth/<slug:slug>/callback", answered)]
