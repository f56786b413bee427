"""The form of a connection, drawn from its connector's spec."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from connectors import services
from connectors.core.errors import ApiError
from connectors.core.netguard import AllowedHosts, check_url
from connectors.core.types import ConfigField, ConfigKind, ConnectorSpec
from connectors.environment import SettingInvalid, parse_setting, values_from_environment
from connectors.models import Connection
from syncjobs import schedule_words
from syncjobs.admin.interval_fields import IntervalField
from syncjobs.sentences import translated

PREFIX = "setting_"


class ConnectionForm(forms.ModelForm):
    """Settings of the spec as fields; a secret is written only, and left as it is when nothing is typed."""

    spec: ConnectorSpec
    interval_minutes = IntervalField(label=gettext_lazy("Pushes every"), required=False)

    class Meta:
        model = Connection
        fields = ["label", "key", "enabled", "interval_minutes", "batch_size", "follow_changes"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "interval_minutes" in self.fields:
            usual = schedule_words.every(Connection(connector=self.spec.slug).interval)
            self.fields["interval_minutes"].help_text = _("Empty: %(every)s.") % {"every": usual}
        stored = {**self.instance.config, **self.instance.secrets}
        given = values_from_environment(self.spec) if self.instance.from_environment else {}
        for config_field in self.spec.config:
            field = self.fields[PREFIX + config_field.name]
            if config_field.name in given:
                field.disabled, field.required = True, False
                field.help_text = _("Set by %(name)s in the environment.") % {"name": self.spec.env_name(config_field)}
            elif config_field.kind is ConfigKind.SECRET and stored.get(config_field.name):
                field.widget.attrs["placeholder"] = "***"
                field.help_text = _("Stored. Type a new one to replace it.")
                field.required = False
            if config_field.kind is not ConfigKind.SECRET:
                value = given.get(config_field.name, stored.get(config_field.name, config_field.default))
                field.initial = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for config_field in self.spec.config:
            name = PREFIX + config_field.name
            try:
                value = parse_setting(config_field, cleaned.get(name))
                if config_field.kind is ConfigKind.URL and value:
                    check_url(value, AllowedHosts(settings.ALLOW_PRIVATE_HOSTS))
            except (SettingInvalid, ApiError) as e:
                self.add_error(name, translated(str(e)))
        return cleaned

    def settings_given(self) -> dict[str, Any]:
        """What was typed, for services.set_values; an empty secret means the stored one."""
        given = {}
        for config_field in self.spec.config:
            field = self.fields[PREFIX + config_field.name]
            value = self.cleaned_data.get(PREFIX + config_field.name)
            if field.disabled:
                continue
            if config_field.kind is ConfigKind.SECRET and not value:
                value = "***"
            given[config_field.name] = value
        return given

    def save(self, commit: bool = True) -> Connection:
        self.instance.connector = self.spec.slug
        services.set_values(self.instance, self.settings_given())
        return super().save(commit)


def form_class(spec: ConnectorSpec) -> type[ConnectionForm]:
    """A form class with the spec's fields, as the admin wants classes."""
    fields = {PREFIX + f.name: _field(f) for f in spec.config}
    return type("ConnectionForm", (ConnectionForm,), {**fields, "spec": spec})


def setting_names(spec: ConnectorSpec, *, advanced: bool) -> list[str]:
    return [PREFIX + f.name for f in spec.config if f.advanced is advanced]


def _field(f: ConfigField) -> forms.Field:
    common: dict[str, Any] = {"required": f.required or f.signs_in}
    # Connectors know no translations: their words are looked up when the form is made for a request.
    common |= {"label": _(f.label), "help_text": _(f.help) if f.help else ""}
    if f.kind is ConfigKind.BOOLEAN:
        return forms.BooleanField(**{**common, "required": False}, widget=UnfoldBooleanSwitchWidget)
    if f.kind is ConfigKind.CHOICE:
        return forms.ChoiceField(
            choices=[(value, _(text)) for value, text in f.choices], widget=UnfoldAdminSelectWidget, **common
        )
    if f.kind is ConfigKind.SECRET:
        return forms.CharField(widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}), **common)
    return forms.CharField(widget=UnfoldAdminTextInputWidget, **common)
