"""Input and output of the queue's endpoints; field names are the public contract."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from connectors import services as connections
from connectors.api.fields import StrictBooleanField, StrictCharField
from connectors.models import Connection
from syncjobs.enqueue import Filters
from syncjobs.models import Run, RunItem
from syncjobs.services import BULK_MOST


class ConnectionKeyField(StrictCharField):
    """A connection's key, resolved to the connection; an unknown one is refused with the list of known ones."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=50, help_text="The key of a connection.", **kwargs)

    def to_internal_value(self, data: Any) -> Connection:  # type: ignore[override]
        return connections.by_key(super().to_internal_value(data))

    def run_validators(self, value: Any) -> None:
        """The value is a connection by now: there is nothing of text left to check."""


class TextUUIDField(serializers.UUIDField):
    """A UUID as text; REST framework's own also takes whole numbers for one."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class QueueSerializer(serializers.Serializer):
    crm = ConnectionKeyField()
    priority = serializers.ChoiceField(choices=["normal", "high"], default="normal")


class QueuedSerializer(serializers.Serializer):
    contact_id = serializers.UUIDField()
    crm = serializers.CharField()
    sync_status = serializers.CharField()
    processing_status = serializers.CharField(allow_null=True)
    estimated_processing_time = serializers.CharField(allow_null=True)


class BulkQueueSerializer(serializers.Serializer):
    contact_ids = serializers.ListField(child=TextUUIDField(), min_length=1, max_length=BULK_MOST)
    crm = ConnectionKeyField()


class BulkRefusalSerializer(serializers.Serializer):
    contact_id = serializers.UUIDField()
    reason = serializers.CharField()


class BulkQueuedSerializer(serializers.Serializer):
    queued = serializers.IntegerField()
    skipped = serializers.IntegerField()
    errors = BulkRefusalSerializer(many=True)


class FiltersSerializer(serializers.Serializer):
    has_email = StrictBooleanField(default=False)
    not_already_synced = StrictBooleanField(default=False)
    domain_id = StrictCharField(max_length=64, required=False, allow_null=True, default=None)


class QueueAllSerializer(serializers.Serializer):
    crm = ConnectionKeyField()
    filters = FiltersSerializer(required=False)

    def filters_given(self) -> Filters:
        return Filters(**self.validated_data.get("filters", {}))


class QueuedAllSerializer(serializers.Serializer):
    queued_count = serializers.IntegerField()
    estimated_completion = serializers.DateTimeField()


class CrmQuerySerializer(serializers.Serializer):
    crm = ConnectionKeyField()


class FailuresQuerySerializer(CrmQuerySerializer):
    limit = serializers.IntegerField(min_value=1, max_value=1000, default=50)


class LastDaySerializer(serializers.Serializer):
    synced = serializers.IntegerField()
    errors = serializers.IntegerField()


class StatsSerializer(serializers.Serializer):
    crm = serializers.CharField()
    total_contacts = serializers.IntegerField()
    synced = serializers.IntegerField()
    queued = serializers.IntegerField()
    processing = serializers.IntegerField()
    errors = serializers.IntegerField()
    success_rate = serializers.FloatField()
    last_24h = LastDaySerializer()


class FailureSerializer(serializers.Serializer):
    contact_id = serializers.UUIDField()
    email = serializers.CharField(allow_null=True)
    error = serializers.CharField()
    retry_count = serializers.IntegerField()
    last_retry_at = serializers.DateTimeField(allow_null=True)
    next_retry_at = serializers.DateTimeField(allow_null=True)
    can_retry = serializers.BooleanField()


class FailureListSerializer(serializers.Serializer):
    crm = serializers.CharField()
    failures = FailureSerializer(many=True)
    total = serializers.IntegerField()


class RetrySerializer(serializers.Serializer):
    crm = ConnectionKeyField()
    reset_retry_count = StrictBooleanField(default=False)


class RetriedSerializer(serializers.Serializer):
    contact_id = serializers.UUIDField()
    crm = serializers.CharField()
    retry_count = serializers.IntegerField()
    next_retry_at = serializers.DateTimeField(allow_null=True)
    message = serializers.CharField()


class RetriedAllSerializer(serializers.Serializer):
    crm = serializers.CharField()
    retried_count = serializers.IntegerField()
    message = serializers.CharField()


RunStartedSerializer = inline_serializer("RunStarted", {"run": serializers.IntegerField()})


class RunSerializer(serializers.ModelSerializer):
    connection: serializers.SlugRelatedField[Connection] = serializers.SlugRelatedField(
        slug_field="key", read_only=True
    )
    duration_ms = serializers.SerializerMethodField()

    class Meta:
        model = Run
        fields = [
            "id", "kind", "connection", "status", "trigger", "dry_run", "started_at", "finished_at", "message", "total",
            "created", "updated", "unchanged", "skipped", "failed", "conflicts", "requests", "retries",
            "rate_limit_hits", "duration_ms",
        ]  # fmt: skip
        read_only_fields = fields

    def get_duration_ms(self, run: Run) -> int:
        end = run.finished_at or run.heartbeat_at
        return int((end - run.started_at).total_seconds() * 1000)


class RunItemSerializer(serializers.ModelSerializer):
    class Meta:
        model = RunItem
        fields = ["id", "contact_id", "external_id", "action", "message", "fields", "at"]
        read_only_fields = fields


class RunUndoSerializer(serializers.Serializer):
    dry_run = serializers.BooleanField(help_text="true: only say what would happen.")
