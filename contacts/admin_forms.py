"""Forms of the contact's edit page. They check; contacts.services stores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from contacts.models import Contact, ContactPoint
from contacts.normalize import Invalid, normalize_email, normalize_phone, squeeze
from contacts.records import REFERENCE_FIELDS, TEXT_FIELDS, ContactRecord, Point, settle_primary


class ContactForm(forms.ModelForm):
    class Meta:
        model = Contact
        fields = [*TEXT_FIELDS, "birth_date", *REFERENCE_FIELDS, "attributes"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in TEXT_FIELDS:
            cleaned[name] = squeeze(cleaned.get(name) or "")
        for name in REFERENCE_FIELDS:
            cleaned[name] = squeeze(cleaned.get(name) or "") or None
        if not isinstance(cleaned.get("attributes") or {}, dict):
            raise ValidationError({"attributes": _("Must be names and values in braces, as in {…}.")})
        return cleaned


class PointForm(forms.ModelForm):
    """One e-mail or phone, in any spelling."""

    class Meta:
        model = ContactPoint
        fields = ["kind", "value", "label", "is_primary"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            # In the table only the columns have headings, which name no input for a screen reader.
            field.widget.attrs["aria-label"] = field.label

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        value = cleaned.get("value") or ""
        if cleaned.get("kind") == ContactPoint.Kind.EMAIL and value:
            try:
                cleaned["point"] = normalize_email(value)
            except Invalid as error:
                raise ValidationError({"value": f"{value} {error.reason}."}) from error
        elif value:
            cleaned["point"] = normalize_phone(value, settings.PHONE_REGION).value
        return cleaned

    def validate_constraints(self) -> None:
        """Left out: the services settle doubles and the primary one for all points together."""

    def as_point(self) -> Point:
        value = self.cleaned_data["value"]
        untouched = "value" not in self.changed_data and self.instance.pk
        raw = self.instance.raw if untouched else value
        return Point(self.cleaned_data["point"], raw, self.cleaned_data["label"], self.cleaned_data["is_primary"])


def record_from(form: ContactForm, point_forms: Iterable[PointForm]) -> ContactRecord:
    """What the edit page says, as a record."""
    points: dict[str, list[Point]] = {ContactPoint.Kind.EMAIL: [], ContactPoint.Kind.PHONE: []}
    for point_form in point_forms:
        data = point_form.cleaned_data
        if data.get("point") and not data.get("DELETE"):
            points[data["kind"]].append(point_form.as_point())
    # Of two marked as primary the later one is meant: the earlier mark was there before.
    chosen = {kind: next((p.value for p in reversed(own) if p.primary), None) for kind, own in points.items()}
    settled = {
        kind: settle_primary(Point(p.value, p.raw, p.label, p.value == chosen[kind]) for p in own)
        for kind, own in points.items()
    }
    cleaned = form.cleaned_data
    values = {name: cleaned[name] for name in (*TEXT_FIELDS, "birth_date", *REFERENCE_FIELDS)}
    return ContactRecord(
        **values,
        emails=settled[ContactPoint.Kind.EMAIL],
        phones=settled[ContactPoint.Kind.PHONE],
        attributes=cleaned.get("attributes") or {},
    )
