"""A row's columns as the audit trail shows them: JSON, with secrets masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models

from connectors.fields import EncryptedJSONField

MASK = "***"
# Of a masked value nothing is told but that another took its place.
CHANGED = "*** (changed)"
# Plain columns that hold secrets or digests of them.
_SECRET = {"password", "sha256", "token_digest"}
# Written by the machine with every use; nobody's decision.
_MACHINE = {
    "auth.user": {"last_login"},
    "crmsync.apitoken": {"last_used_at"},
    "connectors.connection": {"state", "state_message", "state_at", "account", "updated_at"},
    "syncjobs.route": {"started_at", "full_started_at"},
    "syncjobs.mirrorentity": {"started_at"},
    "django_q.schedule": {"next_run", "task", "repeats"},
}


def columns(row: models.Model) -> dict[str, Any]:
    """Every column that a person decides about, as it is in memory: secrets in plain, for comparing alone."""
    skipped = _MACHINE.get(row._meta.label_lower, set())
    return {field.name: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name not in skipped}


def differing(
    row: models.Model, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(before, after) of the columns that differ, masked; an absent row has no columns."""
    old, new = before or {}, after or {}
    absent = object()
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name, absent) != new.get(name, absent)]
    shown_old: dict[str, Any] = {}
    shown_new: dict[str, Any] = {}
    for name in names:
        was, now = _masked(row, name, old.get(name), new.get(name))
        if before is not None:
            shown_old[name] = was
        if after is not None:
            shown_new[name] = now
    return shown_old, shown_new


def _masked(row: models.Model, name: str, was: Any, now: Any) -> tuple[Any, Any]:
    if isinstance(row._meta.get_field(name), EncryptedJSONField):
        return _masked_object(was or {}, now or {})
    if name in _SECRET:
        return _pair(was, now)
    return was, now


def _masked_object(was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of an object of secrets, the names of those that differ."""
    old, new = {}, {}
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            old[name], new[name] = _pair(was.get(name), now.get(name))
    return old, new


def _pair(was: Any, now: Any) -> tuple[Any, Any]:
    return (MASK if was else None), ((CHANGED if was else MASK) if now else None)
