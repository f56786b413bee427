"""The seed's endpoints of the mirror: thin callers of its services."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors import services as connections
from connectors.api.serializers import RefusalSerializer
from connectors.models import Connection
from syncjobs.api.queueing import validated
from syncjobs.compat import seed_003_forms as forms
from syncjobs.mirror import handlers, overview, schedule
from syncjobs.mirror.names import table_of
from syncjobs.models import MirrorEntity

TAGS = ["mirror"]
HANDLER_PATH = "/api/v1/webhooks/bitrix"
ACCOUNT = [forms.AccountQuerySerializer]
HANDLER = [forms.HandlerQuerySerializer]
ENTITY = OpenApiParameter("entity", str, OpenApiParameter.PATH, enum=forms.ENTITY_TYPES)
REFUSED = {409: RefusalSerializer, 503: RefusalSerializer}


def asked(form: type[serializers.Serializer], request: Request) -> tuple[Connection, dict[str, Any]]:
    """The portal that is meant and the other parameters. Raises ConnectionProblem (400) where there is none."""
    query = validated(form, request.query_params)
    return query.pop("connection", None) or connections.by_key(forms.SLUG), query


class StartView(APIView):
    """Starts a run of one entity in the background; 409 with the run that is under way."""

    @extend_schema(
        parameters=[ENTITY, *ACCOUNT],
        request=forms.MirrorStartSerializer,
        responses={202: forms.MirrorStartedSerializer, 409: RefusalSerializer},
        operation_id="mirror_start",
        tags=TAGS,
    )
    def post(self, request: Request, entity: str) -> Response:
        sync_type = validated(forms.MirrorStartSerializer, request.data)["sync_type"]
        connection, _query = asked(forms.AccountQuerySerializer, request)
        mirror = schedule.entity(connection, entity)
        run = schedule.start(mirror, full=sync_type == "full", trigger=request.user.get_username())
        words = {"entity_type": table_of(mirror.entity), "sync_type": sync_type, "status": run.status}
        return Response({"run": run.pk, **words}, status=202)


class StatusView(APIView):
    """Every entity: what runs now, how the last run went, and when the next one is due."""

    @extend_schema(parameters=ACCOUNT, responses=forms.MirrorStatusSerializer, operation_id="mirror_status", tags=TAGS)
    def get(self, request: Request) -> Response:
        connection, _query = asked(forms.AccountQuerySerializer, request)
        states = overview.states(connection)
        told = {"connection": connection.key, "running": any(s["running"] for s in states), "entities": states}
        return Response(forms.MirrorStatusSerializer(told).data)


class ConfigView(APIView):
    """Which entities are mirrored, how often, and whether webhooks are followed. A change takes effect at once."""

    @extend_schema(parameters=ACCOUNT, responses=forms.MirrorConfigSerializer, operation_id="mirror_config", tags=TAGS)
    def get(self, request: Request) -> Response:
        connection, _query = asked(forms.AccountQuerySerializer, request)
        rows = [_config(mirror) for mirror in schedule.entities(connection)]
        return Response({"connection": connection.key, "entities": rows})

    @extend_schema(
        parameters=ACCOUNT,
        request=forms.MirrorConfigChangeSerializer,
        responses=forms.MirrorEntityConfigSerializer,
        operation_id="mirror_config_update",
        tags=TAGS,
    )
    def put(self, request: Request) -> Response:
        given = validated(forms.MirrorConfigChangeSerializer, request.data)
        connection, _query = asked(forms.AccountQuerySerializer, request)
        mirror = schedule.entity(connection, given.pop("entity_type"))
        names = {"sync_interval_minutes": "interval_minutes"}
        return Response(_config(schedule.configure(mirror, {names.get(k, k): v for k, v in given.items()})))


class RegisterView(APIView):
    """Binds the twelve events to this hub. An incoming webhook may not: then the answer says what to click instead."""

    @extend_schema(
        parameters=HANDLER,
        request=None,
        responses={200: forms.MirrorHandlersSerializer, **REFUSED},
        operation_id="mirror_webhooks_register",
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        connection, query = asked(forms.HandlerQuerySerializer, request)
        made = handlers.register(connection, query["handler_base_url"], HANDLER_PATH)
        return Response({"connection": connection.key, "webhooks": [_handler(made)]})


class UnregisterView(APIView):
    """Takes the hub's address away from the events; other handlers of the application stay."""

    @extend_schema(
        parameters=HANDLER,
        request=None,
        responses={200: forms.MirrorUnregisteredSerializer, **REFUSED},
        operation_id="mirror_webhooks_unregister",
        tags=TAGS,
    )
    def delete(self, request: Request) -> Response:
        connection, query = asked(forms.HandlerQuerySerializer, request)
        handlers.unregister(connection, query["handler_base_url"], HANDLER_PATH)
        return Response({"connection": connection.key, "status": "unregistered"})


class RegisteredView(APIView):
    """The hub's addresses as the portal has them bound, without their secrets."""

    @extend_schema(
        parameters=ACCOUNT,
        responses={200: forms.MirrorHandlersSerializer, **REFUSED},
        operation_id="mirror_webhooks_registered",
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        connection, _query = asked(forms.AccountQuerySerializer, request)
        found = [_handler(handler) for handler in handlers.registered(connection)]
        return Response({"connection": connection.key, "webhooks": found})


def _config(mirror: MirrorEntity) -> dict[str, Any]:
    return {
        "entity_type": table_of(mirror.entity),
        "enabled": mirror.enabled,
        "sync_interval_minutes": mirror.interval_minutes,
        "webhook_enabled": mirror.webhook_enabled,
    }


def _handler(handler: handlers.Handler) -> dict[str, Any]:
    return {"handler": handler.address, "events": handler.events}
