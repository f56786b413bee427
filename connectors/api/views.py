"""Connections, their rules, and the administrator's endpoints of the seed."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import generics, mixins, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors import services
from connectors.api import serializers as forms
from connectors.core import registry
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import ConnectorSpec
from connectors.models import Connection, FieldRule

ADMINISTRATOR = "administrator"
TAGS = ["connections"]

CONFIG_SCHEMA = {
    "title": "CrmConfig",
    "type": "object",
    "additionalProperties": {
        "title": "CrmConfigEntry",
        "type": "object",
        "properties": {
            "enabled": {"type": "boolean"},
            "api_key_configured": {"type": "boolean"},
            "scheduler_interval": {"type": "integer", "description": "Minutes between two pushes."},
            "batch_size": {"type": "integer"},
        },
        "required": ["enabled", "api_key_configured"],
    },
}


class CrmConfigView(APIView):
    """Every connection, and every connector without one."""

    @extend_schema(responses=OpenApiResponse(CONFIG_SCHEMA), operation_id="crm_config", tags=TAGS)
    def get(self, request: Request) -> Response:
        connections = services.usable(Connection.objects.all())
        answer = {connection.key: _config(connection) for connection in connections}
        used = {connection.connector for connection in connections}
        for slug in registry.all_connectors():
            if slug not in used:
                answer.setdefault(slug, {"enabled": False, "api_key_configured": False})
        return Response(answer)


def _config(connection: Connection) -> dict[str, Any]:
    return {
        "enabled": connection.enabled,
        "api_key_configured": connection.is_configured(),
        "scheduler_interval": connection.interval,
        "batch_size": connection.claim_size,
        **connection.connector_class.facts(connection.settings_and_secrets()),
    }


class TestCrmCredentialsView(APIView):
    """Asks the remote system by a read whether it accepts the stored or the given credentials; creates nothing."""

    __test__ = False
    required_role = ADMINISTRATOR

    @extend_schema(
        request=forms.TestCredentialsSerializer,
        responses={
            200: forms.CredentialsTestedSerializer,
            400: forms.CredentialsTestedSerializer,
            503: forms.CredentialsTestedSerializer,
        },
        operation_id="test_crm_credentials",
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        form = forms.TestCredentialsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        connection = _connection_or_sketch(form.validated_data["crm"])
        overrides = _overrides(connection.spec, form.validated_data)
        crm = form.validated_data["crm"]
        try:
            health = services.check_credentials(connection, overrides)
        except ApiError as e:
            return Response(_invalid(crm, e), status=503 if e.kind is ErrorKind.TRANSIENT else 400)
        message = " ".join([health.message, *health.warnings])
        return Response({"crm": crm, "status": "valid", "message": message, "account": health.account})


def _connection_or_sketch(key: str) -> Connection:
    """The connection, or an unsaved one of a connector that has none, to try credentials with."""
    try:
        return services.by_key(key)
    except services.ConnectionProblem as problem:
        if problem.code != "crm_not_connected":
            raise
        return Connection(key=key, connector=key, from_environment=True)


def _overrides(spec: ConnectorSpec, form: dict[str, Any]) -> dict[str, Any]:
    given = forms.checked_settings(spec, form.get("settings") or {})
    api_key = form.get("api_key")
    if api_key:
        secret = spec.api_key()
        if secret is None:
            raise services.ConnectionProblem(_("%(crm)s has no API key.") % {"crm": spec.label}, "no_api_key")
        given[secret.name] = api_key
    return given


def _invalid(crm: str, e: ApiError) -> dict[str, Any]:
    if e.kind is ErrorKind.AUTH:
        error = f"HTTP {e.status}: Unauthorized" if e.status else e.message
        return {"crm": crm, "status": "invalid", "error": error, "message": e.message, "code": "invalid_credentials"}
    status = "unknown" if e.kind in (ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED) else "invalid"
    error = f"HTTP {e.status}: {e.message}" if e.status else e.message
    return {"crm": crm, "status": status, "error": error, "message": e.message, "code": e.kind.value}


@extend_schema_view(
    list=extend_schema(operation_id="connections_list", description="All connections.", tags=TAGS),
    create=extend_schema(
        operation_id="connections_create",
        request=forms.ConnectionInputSerializer,
        responses={201: forms.ConnectionSerializer},
        tags=TAGS,
    ),
    retrieve=extend_schema(operation_id="connections_read", tags=TAGS),
    partial_update=extend_schema(
        operation_id="connections_update",
        request=forms.ConnectionPatchSerializer,
        responses=forms.ConnectionSerializer,
        tags=TAGS,
    ),
    destroy=extend_schema(operation_id="connections_delete", tags=TAGS),
)
class ConnectionViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet
):
    """Configured accounts of remote systems."""

    required_roles = {"POST": ADMINISTRATOR, "PATCH": ADMINISTRATOR, "DELETE": ADMINISTRATOR}
    serializer_class = forms.ConnectionSerializer
    lookup_field = "key"
    lookup_value_regex = "[-a-zA-Z0-9_]+"
    filter_backends = ()
    cursor_ordering = ("key",)
    queryset = Connection.objects.all()

    def get_queryset(self) -> QuerySet[Connection]:
        return Connection.objects.filter(connector__in=registry.all_connectors())

    def create(self, request: Request) -> Response:
        form = forms.ConnectionInputSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        connection = form.save()
        return Response(forms.ConnectionSerializer(connection).data, status=201)

    def partial_update(self, request: Request, key: str) -> Response:
        form = forms.ConnectionPatchSerializer(self.get_object(), data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        return Response(forms.ConnectionSerializer(form.save()).data)


class RemoteFieldsView(APIView):
    """The fields of the remote account, asked for now."""

    @extend_schema(
        responses={200: forms.RemoteFieldSerializer(many=True), 503: forms.RefusalSerializer},
        operation_id="connections_fields",
        tags=TAGS,
    )
    def get(self, request: Request, key: str) -> Response:
        connection = services.by_key(key)
        try:
            connector = services.open_connector(connection, patient=False)
            try:
                fields = connector.describe()
            finally:
                connector.close()
        except ApiError as e:
            raise services.ConnectionProblem(e.message, e.kind.value, 503) from None
        return Response(forms.RemoteFieldSerializer(fields, many=True).data)


class _Rules(generics.GenericAPIView):
    """The rules of the connection named in the path."""

    serializer_class = forms.FieldRuleSerializer
    required_roles = {"POST": ADMINISTRATOR, "PUT": ADMINISTRATOR, "PATCH": ADMINISTRATOR, "DELETE": ADMINISTRATOR}
    queryset = FieldRule.objects.all()
    filter_backends = ()
    pagination_class = None

    def get_queryset(self) -> QuerySet[FieldRule]:
        if getattr(self, "swagger_fake_view", False):
            return FieldRule.objects.none()
        return FieldRule.objects.filter(connection=services.by_key(self.kwargs["key"]))


@extend_schema_view(
    get=extend_schema(operation_id="rules_list", tags=TAGS),
    post=extend_schema(operation_id="rules_create", tags=TAGS),
)
class FieldRulesView(_Rules, generics.ListCreateAPIView):
    """How our fields and theirs go together on a connection."""

    def perform_create(self, serializer: Any) -> None:
        connection = services.by_key(self.kwargs["key"])
        refuse_double(connection.rules.all(), serializer.validated_data)
        refuse_mode(connection, FieldRule(**serializer.validated_data))
        serializer.save(connection=connection)


@extend_schema_view(
    get=extend_schema(operation_id="rules_read", tags=TAGS),
    patch=extend_schema(operation_id="rules_update", tags=TAGS),
    delete=extend_schema(operation_id="rules_delete", tags=TAGS),
)
class FieldRuleView(_Rules, generics.RetrieveUpdateDestroyAPIView):
    """One field rule."""

    http_method_names = ["get", "patch", "delete", "head", "options"]

    def perform_update(self, serializer: Any) -> None:
        rule = serializer.instance
        pair = {"ours": rule.ours, "theirs": rule.theirs, **serializer.validated_data}
        refuse_double(self.get_queryset().exclude(pk=rule.pk), pair)
        told = {"direction": rule.direction, "mode": rule.mode, **serializer.validated_data}
        refuse_mode(rule.connection, FieldRule(**told))
        serializer.save()


def refuse_double(rules: QuerySet[FieldRule], pair: dict[str, Any]) -> None:
    """Two rules for one pair of fields would contradict each other."""
    if rules.filter(ours=pair["ours"], theirs=pair["theirs"], entity="contacts").exists():
        raise services.ConnectionProblem(_("There is a rule for these two fields already."), "rule_exists", 409)


def refuse_mode(connection: Connection, rule: FieldRule) -> None:
    """A mode that depends on what their field holds needs a system that can be read."""
    if not FieldRule.can_be_kept(connection, rule.direction, rule.mode):
        raise services.ConnectionProblem(FieldRule.refusal(connection), "mode_unreadable", 400)
