"""Connections as the API shows and takes them; secrets go in and never come out."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connectors import services
from connectors.api.fields import StrictCharField, StrictModelSerializer
from connectors.core import registry
from connectors.core.errors import ApiError
from connectors.core.netguard import AllowedHosts, check_url
from connectors.core.types import ConfigKind, ConnectorSpec
from connectors.environment import SettingInvalid, parse_setting
from connectors.models import Connection, FieldRule, public_settings


class TestCredentialsSerializer(serializers.Serializer):
    """Without a key of its own, the stored credentials are tested."""

    __test__ = False

    crm = StrictCharField(max_length=50)
    api_key = StrictCharField(max_length=4096, required=False, allow_blank=False, allow_null=True)
    settings = serializers.DictField(
        child=StrictCharField(max_length=4096), required=False, help_text="Further settings to test with."
    )


class RefusalSerializer(serializers.Serializer):
    error = serializers.CharField()
    code = serializers.CharField()


class CredentialsTestedSerializer(serializers.Serializer):
    """Of a refused request itself there is only `error` and `code`."""

    crm = serializers.CharField(required=False)
    status = serializers.CharField(required=False)
    message = serializers.CharField(required=False)
    error = serializers.CharField(required=False)
    code = serializers.CharField(required=False)
    account = serializers.CharField(required=False)


class ConnectionSerializer(serializers.ModelSerializer):
    """`settings` are those of the connector's spec; secrets show as *** and keep their value when sent back so."""

    settings = serializers.SerializerMethodField()
    configured = serializers.SerializerMethodField()
    interval_minutes = serializers.IntegerField(source="interval", read_only=True)

    class Meta:
        model = Connection
        fields = [
            "key", "connector", "label", "enabled", "configured", "from_environment", "state", "state_message",
            "state_at", "account", "interval_minutes", "batch_size", "follow_changes", "settings", "created_at",
            "updated_at",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_settings(self, connection: Connection) -> dict[str, Any]:
        return public_settings(connection.spec, connection.settings_and_secrets())

    def get_configured(self, connection: Connection) -> bool:
        return connection.is_configured()


class ConnectionInputSerializer(StrictModelSerializer):
    settings = serializers.DictField(required=False, help_text="Settings and secrets by name; null removes one.")

    class Meta:
        model = Connection
        fields = [
            "key", "connector", "label", "enabled", "interval_minutes", "batch_size", "follow_changes", "settings",
        ]  # fmt: skip
        extra_kwargs = {"key": {"required": True}}

    def validate_connector(self, slug: str) -> str:
        try:
            return registry.get(slug).spec.slug
        except registry.UnknownConnector as e:
            raise serializers.ValidationError(str(e)) from None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        slug = self.instance.connector if self.instance else attrs["connector"]
        if "settings" in attrs:
            attrs["settings"] = checked_settings(registry.get(slug).spec, attrs["settings"])
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Connection:
        values = validated_data.pop("settings", {})
        return services.create_connection(
            validated_data.pop("connector"), validated_data.pop("key"), values, **validated_data
        )

    def update(self, instance: Connection, validated_data: dict[str, Any]) -> Connection:
        services.set_values(instance, validated_data.pop("settings", {}))
        return super().update(instance, validated_data)


class ConnectionPatchSerializer(ConnectionInputSerializer):
    class Meta(ConnectionInputSerializer.Meta):
        fields = ["label", "enabled", "interval_minutes", "batch_size", "follow_changes", "settings"]


class FieldRuleSerializer(StrictModelSerializer):
    class Meta:
        model = FieldRule
        fields = ["id", "ours", "theirs", "direction", "mode", "transform", "position"]


class RemoteFieldSerializer(serializers.Serializer):
    """One field of the remote account."""

    key = serializers.CharField()
    label = serializers.CharField()
    type = serializers.CharField()
    read_only = serializers.BooleanField()
    required = serializers.BooleanField()
    multiple = serializers.BooleanField()
    options = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))


def checked_settings(spec: ConnectorSpec, values: dict[str, Any]) -> dict[str, Any]:
    """Settings of the spec's kinds; unknown names, wrong kinds and forbidden addresses are refused by name."""
    known = {f.name: f for f in spec.config}
    errors: dict[str, str] = {}
    for name, value in values.items():
        if name not in known:
            errors[name] = _("There is no such setting; known are: %(names)s.") % {"names": ", ".join(known)}
            continue
        try:
            parsed = parse_setting(known[name], value if value is None else str(value), name)
            if known[name].kind is ConfigKind.URL and parsed:
                check_url(parsed, AllowedHosts(settings.ALLOW_PRIVATE_HOSTS))
        except (SettingInvalid, ApiError) as e:
            errors[name] = str(e)
    if errors:
        raise serializers.ValidationError({"settings": errors})
    return values
