"""Pairs that may be one person, and merges: /api/v3/contacts/duplicates and /api/v3/contacts/merges."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view, inline_serializer
from rest_framework import generics, serializers, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import duplicates, joining
from contacts.api.serializers import ContactOutput
from contacts.models import Duplicate, Merge
from contacts.records import FIELDS
from contacts.services import ContactNotFound

TAGS = ["duplicates"]
# They show people's data, and change it.
ROLE = "operator"


class Decided(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "already_decided"
    default_detail = "This has been decided already."


class DuplicateFilter(filters.FilterSet):
    verdict = filters.ChoiceFilter(choices=Duplicate.Verdict.choices, help_text="Without it: those undecided.")

    class Meta:
        model = Duplicate
        fields = ["verdict"]

    @property
    def qs(self) -> Any:
        found = super().qs
        return found if self.data.get("verdict") else found.filter(verdict=None)


class DuplicateSerializer(serializers.ModelSerializer):
    first = ContactOutput(read_only=True)
    second = ContactOutput(read_only=True)

    class Meta:
        model = Duplicate
        fields = ["id", "by", "first", "second", "verdict", "found_at", "decided_at", "decided_by"]
        read_only_fields = fields


class MergeInput(serializers.Serializer):
    """`keep` is the contact that stays; in the fields of `take` the other's value counts."""

    keep = serializers.UUIDField()
    take = serializers.ListField(child=serializers.ChoiceField(choices=FIELDS), required=False, max_length=len(FIELDS))


class MergeSerializer(serializers.ModelSerializer):
    class Meta:
        model = Merge
        fields = ["id", "kept_id", "gone_id", "by", "at", "parted_at", "parted_by"]
        read_only_fields = fields


@extend_schema_view(get=extend_schema(operation_id="duplicates_list", tags=TAGS))
class DuplicateListView(generics.ListAPIView):
    """Pairs of contacts that may be one person, the newest first."""

    required_role = ROLE
    serializer_class = DuplicateSerializer
    filterset_class = DuplicateFilter
    cursor_ordering = ("-id",)
    queryset = Duplicate.objects.select_related("first", "second").prefetch_related("first__points", "second__points")


class MergeView(APIView):
    """Makes one contact of the pair."""

    required_role = ROLE

    @extend_schema(operation_id="duplicates_merge", request=MergeInput, responses=MergeSerializer, tags=TAGS)
    def post(self, request: Request, pk: int) -> Response:
        form = MergeInput(data=request.data)
        form.is_valid(raise_exception=True)
        pair = generics.get_object_or_404(Duplicate, pk=pk)
        if pair.verdict is not None:
            raise Decided
        keep = form.validated_data["keep"]
        others = {pair.first_id, pair.second_id} - {keep}
        if len(others) != 1:
            raise serializers.ValidationError({"keep": [_("Must be one of the two contacts.")]})
        take = form.validated_data.get("take", [])
        try:
            merge = joining.join(keep, others.pop(), by=request.user.get_username(), take=take)
        except ContactNotFound as error:
            raise Http404("Contact not found") from error
        return Response(MergeSerializer(merge).data)


class ApartView(APIView):
    """Notes that the pair are two people; nobody is asked about them again."""

    required_role = ROLE

    @extend_schema(operation_id="duplicates_apart", request=None, responses=DuplicateSerializer, tags=TAGS)
    def post(self, request: Request, pk: int) -> Response:
        pair = generics.get_object_or_404(DuplicateListView.queryset.all(), pk=pk)
        try:
            duplicates.keep_apart(pair, request.user.get_username())
        except duplicates.AlreadyDecided as error:
            raise Decided from error
        pair.refresh_from_db()
        return Response(DuplicateSerializer(pair).data)


class PartView(APIView):
    """Undoes a merge; `left` names the fields that were changed since and stay as they are."""

    required_role = ROLE

    @extend_schema(
        operation_id="merges_undo",
        request=None,
        responses=inline_serializer(
            "MergeUndone", {"merge": MergeSerializer(), "left": serializers.ListField(child=serializers.CharField())}
        ),
        tags=TAGS,
    )
    def post(self, request: Request, pk: int) -> Response:
        merge = generics.get_object_or_404(Merge, pk=pk)
        try:
            left = joining.part(merge, request.user.get_username())
        except duplicates.AlreadyDecided as error:
            raise Decided from error
        except ContactNotFound as error:
            raise Http404("Contact not found") from error
        merge.refresh_from_db()
        return Response({"merge": MergeSerializer(merge).data, "left": left})
