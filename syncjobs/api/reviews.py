"""Questions that only a person can decide: /api/v1/reviews."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors.models import Connection
from syncjobs import decisions
from syncjobs.models import ReviewItem

TAGS = ["reviews"]
# They show people's data of both sides.
ROLE = "operator"


class ReviewFilter(filters.FilterSet):
    connection = filters.CharFilter(field_name="connection__key", max_length=50)
    kind = filters.ChoiceFilter(choices=ReviewItem.Kind.choices)
    open = filters.ChoiceFilter(choices=[("true", "true"), ("false", "false")], method="by_open")

    class Meta:
        model = ReviewItem
        fields = ["connection", "kind", "open"]

    def by_open(self, items: QuerySet[ReviewItem], name: str, value: str) -> QuerySet[ReviewItem]:
        """Those that wait for an answer, or those that were answered."""
        return items.filter(decided_at__isnull=value == "true")


class DecisionSerializer(serializers.Serializer):
    """Exactly one of these."""

    take = serializers.ChoiceField(choices=["ours", "theirs"], required=False)
    contact = serializers.UUIDField(required=False)
    record = serializers.CharField(max_length=255, required=False)
    new = serializers.BooleanField(required=False)
    delete = serializers.BooleanField(required=False)
    allow = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError(_("Give exactly one answer."))
        return {name: str(value) if name == "contact" else value for name, value in attrs.items()}


class ReviewSerializer(serializers.ModelSerializer):
    connection: serializers.SlugRelatedField[Connection] = serializers.SlugRelatedField(
        slug_field="key", read_only=True
    )
    choices = serializers.SerializerMethodField()

    class Meta:
        model = ReviewItem
        fields = [
            "id", "connection", "kind", "external_id", "contact_id", "field", "ours", "theirs", "candidates", "message",
            "choices", "created_at", "decided_at", "decided_by", "decision",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(DecisionSerializer(many=True))
    def get_choices(self, item: ReviewItem) -> list[dict[str, Any]]:
        """The answers that the question takes; none once it is decided."""
        return [] if item.decided_at else [dict(choice.decision) for choice in decisions.choices(item)]


@extend_schema_view(get=extend_schema(operation_id="reviews_list", tags=TAGS))
class ReviewListView(generics.ListAPIView):
    """Questions that runs have left to people, the newest first."""

    required_role = ROLE
    serializer_class = ReviewSerializer
    filterset_class = ReviewFilter
    cursor_ordering = ("-id",)
    queryset = ReviewItem.objects.select_related("connection")


class DecideView(APIView):
    """Answers a question with one of its choices; a run carries the answer out."""

    required_role = ROLE

    @extend_schema(request=DecisionSerializer, responses=ReviewSerializer, operation_id="reviews_decide", tags=TAGS)
    def post(self, request: Request, pk: int) -> Response:
        form = DecisionSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        item = generics.get_object_or_404(ReviewItem, pk=pk)
        decided = decisions.decide(item, form.validated_data, request.user.get_username())
        return Response(ReviewSerializer(decided).data)
