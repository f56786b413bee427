"""What the gateway's endpoints of the seed take and give; records themselves are amoCRM's own."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connectors import services as connections
from connectors.api.fields import StrictCharField
from connectors.core.types import FieldSpec, Options
from connectors.models import Connection

SLUG = "amocrm"
MOST = 250
LAST_PAGE = 1_000_000

RECORD = {
    "title": "AmocrmRecord",
    "type": "object",
    "description": "The record as amoCRM shows it.",
    "additionalProperties": True,
}
CHANGES = {
    "title": "AmocrmChanges",
    "type": "object",
    "description": (
        "Fields by amoCRM's own names, such as name, price, status_id, pipeline_id, responsible_user_id; custom fields "
        "by the key that /fields shows, or in custom_fields_values as amoCRM's API takes them."
    ),
    "additionalProperties": True,
    "minProperties": 1,
    "example": {"name": "Обновленная сделка", "price": 100000, "status_id": 142},
}


def list_schema(name: str) -> dict[str, Any]:
    """A page of records under the entity's name."""
    return {
        "title": f"Amocrm{name.title()}Page",
        "type": "object",
        "properties": {
            name: {"type": "array", "items": RECORD},
            "page": {"type": "integer"},
            "limit": {"type": "integer"},
            "has_next": {"type": "boolean"},
        },
        "required": [name, "page", "limit", "has_next"],
    }


class AccountQuerySerializer(serializers.Serializer):
    connection = StrictCharField(max_length=50, required=False, help_text="The key of one of several accounts.")

    def validate_connection(self, key: str) -> Connection:
        """Raises ConnectionProblem (400) for a key of no connection, or of one to another system."""
        connection = connections.by_key(key)
        if connection.connector != SLUG:
            raise serializers.ValidationError(f"This is a connection to {connection.spec.label}.")
        return connection


class FieldsQuerySerializer(AccountQuerySerializer):
    entity_type = serializers.ChoiceField(choices=["leads", "contacts", "companies"], default="leads")


class PageQuerySerializer(AccountQuerySerializer):
    page = serializers.IntegerField(min_value=1, max_value=LAST_PAGE, default=1)
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=50, help_text="Records a page.")


class SearchQuerySerializer(PageQuerySerializer):
    query = StrictCharField(max_length=250, required=False, allow_blank=True, help_text="Words of the search.")


class TokenSerializer(serializers.Serializer):
    expires_at = serializers.DateTimeField(allow_null=True)
    seconds_left = serializers.IntegerField(allow_null=True)


class RateLimitSerializer(serializers.Serializer):
    requests = serializers.FloatField()
    seconds = serializers.FloatField()
    wait_seconds = serializers.FloatField(help_text="How long a request made now would wait for its turn.")


class LastRunSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    status = serializers.CharField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    message = serializers.CharField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    failed = serializers.IntegerField()


class StatusSerializer(serializers.Serializer):
    connection = serializers.CharField()
    connected = serializers.BooleanField()
    enabled = serializers.BooleanField()
    state = serializers.CharField(help_text="new, ok or needs_attention.")
    message = serializers.CharField()
    account = serializers.CharField()
    warnings = serializers.ListField(child=serializers.CharField())
    token = TokenSerializer()
    rate_limit = RateLimitSerializer(allow_null=True)
    last_run = LastRunSerializer(allow_null=True)
    fields_synced_at = serializers.DictField(child=serializers.DateTimeField(allow_null=True))


class OptionSerializer(serializers.Serializer):
    value = serializers.CharField()
    label = serializers.CharField()


class FieldSerializer(serializers.Serializer):
    """One field. `options` are what it takes, and in `options_by` their share for each value of `depends_on`."""

    id = serializers.SerializerMethodField()
    key = serializers.CharField()
    name = serializers.CharField(source="label")
    type = serializers.CharField()
    read_only = serializers.BooleanField()
    required = serializers.BooleanField()
    multiple = serializers.BooleanField()
    custom = serializers.BooleanField()
    max_length = serializers.IntegerField(allow_null=True)
    options = serializers.SerializerMethodField()
    depends_on = serializers.CharField()
    options_by = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["integer", "null"]})
    def get_id(self, spec: FieldSpec) -> int | None:
        return int(spec.remote_id) if spec.remote_id.isdigit() else None

    @extend_schema_field(OptionSerializer(many=True))
    def get_options(self, spec: FieldSpec) -> list[dict[str, str]]:
        return _options(spec.options)

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_options_by(self, spec: FieldSpec) -> dict[str, list[dict[str, str]]]:
        return {of: _options(share) for of, share in spec.options_by}


class FieldListSerializer(serializers.Serializer):
    entity_type = serializers.CharField(source="entity")
    synced_at = serializers.DateTimeField(source="read_at")
    fields = FieldSerializer(many=True)


class SyncedFieldsSerializer(serializers.Serializer):
    connection = serializers.CharField()
    fields_synced = serializers.DictField(child=serializers.IntegerField(), help_text="Fields of each entity.")


def _options(listed: Options) -> list[dict[str, str]]:
    return [{"value": value, "label": label} for value, label in listed]
