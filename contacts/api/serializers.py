"""JSON ↔ ContactRecord: every value normalised on the way in, refused with its field's name when it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contacts.models import Contact, ContactPoint
from contacts.normalize import Invalid, normalize_date, normalize_email, normalize_phone, squeeze
from contacts.records import (
    LABEL_LIMIT,
    REFERENCE_LIMIT,
    TEXT_FIELDS,
    TEXT_LIMIT,
    VALUE_LIMIT,
    ContactRecord,
    Point,
    primary_value,
    settle_primary,
)

POINTS_LIMIT = 50
BULK_LIMIT = 1_000


class StrictText(serializers.CharField):
    """Text and nothing else: a number or a boolean is not silently made into text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError(_("Must be a string."), code="invalid")
        try:
            data.encode()
        except UnicodeEncodeError as error:
            raise serializers.ValidationError(_("Half of a surrogate pair is not a character.")) from error
        text = squeeze(super().to_internal_value(data))
        if not text and not self.allow_blank:
            self.fail("blank")
        return text


class StrictDate(serializers.DateField):
    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise serializers.ValidationError(_("Must be a date written as YYYY-MM-DD."))
        try:
            return normalize_date(value)
        except Invalid as error:
            raise serializers.ValidationError(f"{value!r} {error.reason}.") from error


class StrictBoolean(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class PointSerializer(serializers.Serializer):
    value = StrictText(max_length=VALUE_LIMIT)
    label = StrictText(max_length=LABEL_LIMIT, required=False, default="", allow_blank=True)
    primary = StrictBoolean(required=False, default=False)


def read_email(given: str) -> str:
    try:
        return normalize_email(given)
    except Invalid as error:
        raise serializers.ValidationError(f"{given!r} {error.reason}.") from error


class ContactInput(serializers.Serializer):
    """A contact as clients write it. `email` and `phone` are short for a primary entry of `emails` and `phones`."""

    first_name = StrictText(max_length=TEXT_LIMIT, required=False, allow_blank=True)
    last_name = StrictText(max_length=TEXT_LIMIT, required=False, allow_blank=True)
    middle_name = StrictText(max_length=TEXT_LIMIT, required=False, allow_blank=True)
    email = StrictText(max_length=VALUE_LIMIT, required=False, allow_null=True, allow_blank=True)
    phone = StrictText(max_length=VALUE_LIMIT, required=False, allow_null=True, allow_blank=True)
    emails = serializers.ListField(child=PointSerializer(), required=False, max_length=POINTS_LIMIT)
    phones = serializers.ListField(child=PointSerializer(), required=False, max_length=POINTS_LIMIT)
    company = StrictText(max_length=TEXT_LIMIT, required=False, allow_blank=True)
    job_title = StrictText(max_length=TEXT_LIMIT, required=False, allow_blank=True)
    birth_date = StrictDate(required=False, allow_null=True)
    domain_id = StrictText(max_length=REFERENCE_LIMIT, required=False, allow_null=True, allow_blank=True)
    page_id = StrictText(max_length=REFERENCE_LIMIT, required=False, allow_null=True, allow_blank=True)
    attributes = serializers.DictField(required=False)

    def validate_email(self, value: str | None) -> str | None:
        return read_email(value) if value else None

    def validate_emails(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        errors: list[Any] = [{} for _item in value]
        for item, error in zip(value, errors, strict=True):
            try:
                item["normal"] = read_email(item["value"])
            except serializers.ValidationError as refusal:
                error["value"] = refusal.detail
        if any(errors):
            raise serializers.ValidationError(errors)
        return value

    def validate_domain_id(self, value: str | None) -> str | None:
        return value or None

    def validate_page_id(self, value: str | None) -> str | None:
        return value or None


def lay_over(record: ContactRecord, data: Mapping[str, Any]) -> ContactRecord:
    """The record with validated input laid over it: what the input does not name stays."""
    names = (*TEXT_FIELDS, "birth_date", "domain_id", "page_id", "attributes")
    values: dict[str, Any] = {name: data[name] for name in names if name in data}
    for single, several, read in (("email", "emails", _email_point), ("phone", "phones", _phone_point)):
        points = [read(item) for item in data[several]] if several in data else list(getattr(record, several))
        if single in data:
            points = _with_primary(points, data[single], read, replaced=None if several in data else record)
        if single in data or several in data:
            values[several] = settle_primary(points)
    return replace(record, **values)


def _with_primary(points: list[Point], value: str | None, read: Any, *, replaced: ContactRecord | None) -> list[Point]:
    """The shortcut sets the primary point: it takes the place of the old one, null takes that away."""
    chosen = primary_value(points)
    if replaced is not None:
        points = [point for point in points if point.value != chosen]
    if not value:
        return points
    point = read({"value": value, "normal": value, "label": "", "primary": True})
    return [point, *(replace(other, primary=False) for other in points if other.value != point.value)]


def _email_point(item: Mapping[str, Any]) -> Point:
    return Point(item["normal"], item["value"], item["label"], item["primary"])


def _phone_point(item: Mapping[str, Any]) -> Point:
    phone = normalize_phone(item["value"], settings.PHONE_REGION)
    return Point(phone.value, phone.raw, item["label"], item["primary"])


class PointOutput(serializers.Serializer):
    value = serializers.CharField()
    label = serializers.CharField(allow_blank=True)
    primary = serializers.BooleanField()


class ContactOutput(serializers.ModelSerializer):
    """A contact as clients read it. `email` and `phone` are the primary ones, normalised."""

    emails = serializers.SerializerMethodField()
    phones = serializers.SerializerMethodField()
    attributes = serializers.DictField()
    created_at = serializers.DateTimeField(default_timezone=UTC)
    updated_at = serializers.DateTimeField(default_timezone=UTC)

    class Meta:
        model = Contact
        fields = [
            *("id", "first_name", "last_name", "middle_name", "email", "phone", "emails", "phones", "company"),
            *("job_title", "birth_date", "domain_id", "page_id", "attributes", "created_at", "updated_at"),
        ]

    @extend_schema_field(PointOutput(many=True))
    def get_emails(self, contact: Contact) -> list[dict[str, Any]]:
        return _points(contact, ContactPoint.Kind.EMAIL)

    @extend_schema_field(PointOutput(many=True))
    def get_phones(self, contact: Contact) -> list[dict[str, Any]]:
        return _points(contact, ContactPoint.Kind.PHONE)


def _points(contact: Contact, kind: str) -> list[dict[str, Any]]:
    return [
        {"value": point.value, "label": point.label, "primary": point.is_primary}
        for point in contact.points.all()
        if point.kind == kind
    ]


class BulkInput(serializers.Serializer):
    """Up to 1,000 contacts; each is checked by itself and its errors are in its own result."""

    items = serializers.ListField(child=ContactInput(), min_length=1, max_length=BULK_LIMIT)


class BulkResult(serializers.Serializer):
    index = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["created", "updated", "unchanged", "refused"])
    id = serializers.UUIDField(allow_null=True)
    errors = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))


class BulkOutput(serializers.Serializer):
    results = BulkResult(many=True)
