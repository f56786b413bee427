"""Settings of a connection from environment variables, every secret also as NAME_FILE."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from connectors.core.types import ConfigField, ConfigKind, ConnectorSpec

_TRUE = {"1", "true", "yes", "on"}


class SettingInvalid(ValueError):
    """A setting's text is not of its kind. The message names the setting."""


def values_from_environment(spec: ConnectorSpec) -> dict[str, Any]:
    """The settings that the environment gives, by name. Raises SettingInvalid."""
    found: dict[str, Any] = {}
    for field in spec.config:
        for name in (spec.env_name(field), *field.env_aliases):
            text = _text(name)
            if text:
                found[field.name] = parse_setting(field, text, name)
                break
    return found


def parse_setting(field: ConfigField, text: Any, name: str = "") -> Any:
    """A setting's value from its text. Raises SettingInvalid naming it."""
    if not isinstance(text, str):
        return text
    text = text.strip()
    if text == "":
        return None
    try:
        if field.kind is ConfigKind.INTEGER:
            return int(text)
        if field.kind is ConfigKind.NUMBER:
            return float(text)
        if field.kind is ConfigKind.INTEGERS:
            return [int(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise SettingInvalid(f"{name or field.label} must be a number.") from None
    if field.kind is ConfigKind.BOOLEAN:
        return text.lower() in _TRUE
    if field.kind is ConfigKind.CHOICE and text not in {c[0] for c in field.choices}:
        known = ", ".join(c[0] for c in field.choices)
        raise SettingInvalid(f"{name or field.label} must be one of {known}.")
    return text


def _text(name: str) -> str:
    path = os.environ.get(f"{name}_FILE", "")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as e:
            raise SettingInvalid(f"{name}_FILE cannot be read: {e.strerror}.") from e
    return os.environ.get(name, "").strip()
