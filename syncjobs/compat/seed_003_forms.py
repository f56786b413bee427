"""What the mirror's endpoints of the seed take and give."""

from __future__ import annotations

from django.conf import settings
from rest_framework import serializers

from connectors import services as connections
from connectors.api.fields import StrictCharField
from connectors.models import Connection
from syncjobs.models.mirror import LONGEST_INTERVAL

SLUG = "bitrix24"
ENTITY_TYPES = ["deal", "contact", "lead", "company"]
SYNC_TYPES = ["full", "incremental"]


class AccountQuerySerializer(serializers.Serializer):
    connection = StrictCharField(max_length=50, required=False, help_text="The key of one of several portals.")

    def validate_connection(self, key: str) -> Connection:
        """Raises ConnectionProblem (400) for a key of no connection, or of one to another system."""
        connection = connections.by_key(key)
        if connection.connector != SLUG:
            raise serializers.ValidationError(f"This is a connection to {connection.spec.label}.")
        return connection


class HandlerQuerySerializer(AccountQuerySerializer):
    handler_base_url = serializers.URLField(
        max_length=500, default=lambda: settings.SITE_URL, help_text="The hub's public address; SITE_URL without."
    )


class MirrorStartSerializer(serializers.Serializer):
    sync_type = serializers.ChoiceField(choices=SYNC_TYPES)


class MirrorStartedSerializer(serializers.Serializer):
    run = serializers.IntegerField()
    entity_type = serializers.CharField()
    sync_type = serializers.CharField()
    status = serializers.CharField()


class MirrorLogSerializer(serializers.Serializer):
    run = serializers.IntegerField()
    sync_type = serializers.CharField()
    status = serializers.CharField()
    started_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    deleted = serializers.IntegerField()
    failed = serializers.IntegerField()
    requests = serializers.IntegerField()
    message = serializers.CharField()


class MirrorEntityStatusSerializer(serializers.Serializer):
    entity_type = serializers.CharField()
    enabled = serializers.BooleanField()
    running = serializers.BooleanField()
    last_run = MirrorLogSerializer(allow_null=True)
    last_full_at = serializers.DateTimeField(allow_null=True)
    next_run_at = serializers.DateTimeField(allow_null=True)


class MirrorStatusSerializer(serializers.Serializer):
    connection = serializers.CharField()
    running = serializers.BooleanField()
    entities = MirrorEntityStatusSerializer(many=True)


class MirrorEntityConfigSerializer(serializers.Serializer):
    entity_type = serializers.CharField()
    enabled = serializers.BooleanField()
    sync_interval_minutes = serializers.IntegerField()
    webhook_enabled = serializers.BooleanField()


class MirrorConfigSerializer(serializers.Serializer):
    connection = serializers.CharField()
    entities = MirrorEntityConfigSerializer(many=True)


class MirrorConfigChangeSerializer(serializers.Serializer):
    entity_type = serializers.ChoiceField(choices=ENTITY_TYPES)
    enabled = serializers.BooleanField(required=False)
    sync_interval_minutes = serializers.IntegerField(min_value=1, max_value=LONGEST_INTERVAL, required=False)
    webhook_enabled = serializers.BooleanField(required=False)


class MirrorHandlerSerializer(serializers.Serializer):
    handler = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())


class MirrorHandlersSerializer(serializers.Serializer):
    connection = serializers.CharField()
    webhooks = MirrorHandlerSerializer(many=True)


class MirrorUnregisteredSerializer(serializers.Serializer):
    connection = serializers.CharField()
    status = serializers.CharField()
