"""The form of a connection's field rules: both sides' fields to choose from, and sentences for what does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.forms.models import BaseInlineFormSet, inlineformset_factory
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connectors.core.types import CONTACTS, FieldSpec
from connectors.models import Connection, FieldRule
from syncjobs.mapping import catalogues
from syncjobs.mapping.samples import Sample
from syncjobs.sourcefields import ATTRIBUTE, label_of
from syncjobs.transforms import LABELS

# The choice that asks for a name of its own.
NEW_ATTRIBUTE = ATTRIBUTE
NAME_LIMIT = 80
Choices = list[tuple[str, Any]]


class RuleForm(forms.ModelForm):
    """One rule. What was wrong with a stored one before is told as `warnings`, and keeps nobody from saving."""

    ours = forms.ChoiceField(
        label=gettext_lazy("Our field"), error_messages={"required": gettext_lazy("Choose a field of ours.")}
    )
    theirs = forms.ChoiceField(
        label=gettext_lazy("Their field"), error_messages={"required": gettext_lazy("Choose a field of theirs.")}
    )
    transform = forms.ChoiceField(label=gettext_lazy("Transform"), required=False)
    attribute = forms.CharField(label=gettext_lazy("Name of the attribute"), required=False, max_length=NAME_LIMIT)

    class Meta:
        model = FieldRule
        fields = ["ours", "theirs", "direction", "mode", "transform", "position"]

    def __init__(self, *args: Any, sides: Sides, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sides = sides
        fields: dict[str, Any] = self.fields
        fields["ours"].choices = sides.ours(self.instance.ours)
        fields["theirs"].choices = sides.theirs(self.instance.theirs)
        fields["transform"].choices = sides.transforms(self.instance.transform)
        self.fields["position"].required = False
        for name, field in self.fields.items():
            kind = "crmsync-number" if name == "position" else "crmsync-select"
            field.widget.attrs |= {"class": kind, "aria-label": str(field.label)}
        self.fields["attribute"].widget.attrs["placeholder"] = _("Name of the attribute")

    def clean_position(self) -> int:
        given = self.cleaned_data.get("position")
        if given is not None:
            return given
        return self.instance.position if self.instance.pk else self.sides.last_position + 1

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("ours") == NEW_ATTRIBUTE:
            name = cleaned.get("attribute", "").strip()
            if not name:
                self.add_error("ours", _("Give the new attribute a name."))
            cleaned["ours"] = f"{ATTRIBUTE}{name}"
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.has_changed() and not self.errors:
            for name, sentence in catalogues.problems(self.sides.connection, self.instance, self.sides.known):
                self.add_error(name, sentence)

    @property
    def warnings(self) -> list[str]:
        """What keeps a stored rule from doing what it says."""
        if self.instance.pk is None or (self.is_bound and self.errors):
            return []
        found = catalogues.problems(self.sides.connection, self.instance, self.sides.known)
        return [sentence for _name, sentence in found]

    @property
    def examples(self) -> tuple[str, str]:
        """What the sample contact has on both sides."""
        sample = self.sides.sample
        if sample is None:
            return "", ""
        return sample.ours(self["ours"].value() or ""), sample.theirs(self["theirs"].value() or "")


class Sides:
    """What there is to choose from, asked for once for all rows. `known` is their catalogue by key."""

    def __init__(self, connection: Connection, fields: Sequence[FieldSpec], sample: Sample | None) -> None:
        self.connection, self.sample = connection, sample
        self.known: Mapping[str, FieldSpec] = {spec.key: spec for spec in fields}
        self._ours = catalogues.our_fields()
        self._attributes = [(f"{ATTRIBUTE}{name}", name) for name in catalogues.attributes()]
        writable = [(spec.key, catalogues.told(spec)) for spec in fields if not spec.read_only]
        only_read = [(spec.key, catalogues.told(spec)) for spec in fields if spec.read_only]
        groups = ((_("Fields"), writable), (_("Can only be read"), only_read))
        self._theirs: Choices = [(title, found) for title, found in groups if found]
        rules = list(connection.rules.filter(entity=CONTACTS).values_list("theirs", "position"))
        self._ruled = {theirs for theirs, _position in rules}
        self.last_position = max((position for _theirs, position in rules), default=-1)

    def ours(self, current: str) -> Choices:
        attributes = [*self._attributes, (NEW_ATTRIBUTE, _("a new attribute…"))]
        choices: Choices = [("", "—"), (_("Contact"), self._ours), (_("Attributes"), attributes)]
        known = {key for key, _name in (*self._ours, *self._attributes)}
        return choices if not current or current in known else [*choices, (current, label_of(current))]

    def theirs(self, current: str) -> Choices:
        choices: Choices = [("", "—"), *self._theirs]
        # Before the catalogue was read, the fields of the stored rules are all that is known.
        others = {current} if self.known else {current, *self._ruled}
        return [*choices, *((key, key) for key in sorted(others) if key and key not in self.known)]

    def transforms(self, current: str) -> Choices:
        choices: Choices = [("", _("as it is")), *((name, str(label)) for name, label in LABELS.items())]
        return choices if not current or current in LABELS else [*choices, (current, current)]


class RuleFormSet(BaseInlineFormSet):
    """The rules of a connection's contacts, in their order."""

    instance: Connection

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form: Any = super()._construct_form(i, **kwargs)  # type: ignore[misc]
        form.instance.connection = self.instance
        return form

    def clean(self) -> None:
        super().clean()
        # The constraint has a column that the form has not, so it is not looked at by itself.
        seen = set()
        for form in self.forms:
            told = getattr(form, "cleaned_data", {})
            pair = told.get("ours"), told.get("theirs")
            if not all(pair) or told.get("DELETE"):
                continue
            if pair in seen:
                form.add_error("theirs", _("There is a rule for these two fields already."))
            seen.add(pair)

    def rules(self) -> list[FieldRule]:
        """The rules as the form has them, in their order, without those to be removed; only of a valid formset."""
        given = [form for form in self.forms if form.instance.pk or form.has_changed()]
        kept = [form for form in given if not form.cleaned_data.get("DELETE")]
        return [form.instance for form in sorted(kept, key=lambda form: form.instance.position)]


def rule_formset(connection: Connection, sides: Sides, data: Any = None, *, extra: int = 0) -> Any:
    """The formset of the connection's rules, bound where there is `data`."""
    made = inlineformset_factory(
        Connection, FieldRule, form=RuleForm, formset=RuleFormSet, extra=extra, can_delete=True, max_num=500
    )
    rules = FieldRule.objects.filter(entity=CONTACTS)
    return made(data, instance=connection, queryset=rules, prefix="rules", form_kwargs={"sides": sides})
