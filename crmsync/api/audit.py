"""The audit trail for programs: /api/v1/audit, administrators only."""

from __future__ import annotations

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers

from crmsync.models import AuditEntry
from crmsync.roles import ADMINISTRATOR


class AuditFilter(filters.FilterSet):
    actor = filters.CharFilter(max_length=150)
    action = filters.ChoiceFilter(choices=AuditEntry.Action.choices)
    object_type = filters.CharFilter(max_length=60)
    object_id = filters.CharFilter(max_length=64)
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields = ["actor", "action", "object_type", "object_id", "since", "until"]


class AuditEntrySerializer(serializers.ModelSerializer):
    # What these hold follows the kind of object: the columns that differ.
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)

    class Meta:
        model = AuditEntry
        fields = [
            "id", "at", "actor", "via", "token", "action", "object_type", "object_id", "object_name", "before", "after",
            "request_id",
        ]  # fmt: skip
        read_only_fields = fields


@extend_schema_view(get=extend_schema(operation_id="audit_list", tags=["audit"]))
class AuditView(generics.ListAPIView):
    """Who changed which setting, the newest first. Secrets are *** in it."""

    required_role = ADMINISTRATOR
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilter
    cursor_ordering = ("-id",)
    queryset = AuditEntry.objects.all()
