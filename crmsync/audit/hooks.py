"""Hangs the audit trail on what is a setting, whoever changes it: a page, the API or a command.

Statements that go past a model's `save` and `delete` are not seen; those that decide something send a signal of their
own (contacts.hooks, syncjobs.signals, connectors.signals).
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, User
from django.db import models
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django_q.models import Schedule

from connectors.models import Connection, FieldRule
from connectors.signals import access_given
from contacts.hooks import contacts_joined, contacts_kept_apart, contacts_parted
from crmsync.audit import trail
from crmsync.audit.actors import is_silent
from crmsync.audit.trail import Action
from crmsync.audit.values import columns, differing
from crmsync.models import ApiToken
from syncjobs.models import MirrorEntity, Route
from syncjobs.signals import person_erased, person_exported, question_decided

SETTINGS: tuple[type[models.Model], ...] = (
    Connection, FieldRule, Route, MirrorEntity, User, Group, ApiToken, Schedule,
)  # fmt: skip
_BELONGINGS = (User.groups.through, User.user_permissions.through, Group.permissions.through)


def connect() -> None:
    for model in SETTINGS:
        pre_save.connect(_before_save, sender=model, dispatch_uid=f"audit {model._meta.label}")
        post_save.connect(_after_save, sender=model, dispatch_uid=f"audit {model._meta.label}")
        post_delete.connect(_after_delete, sender=model, dispatch_uid=f"audit {model._meta.label}")
    for through in _BELONGINGS:
        m2m_changed.connect(_after_belonging, sender=through, dispatch_uid=f"audit {through._meta.label}")
    question_decided.connect(_after_decision, dispatch_uid="audit")
    contacts_joined.connect(_after_joining, dispatch_uid="audit")
    contacts_parted.connect(_after_parting, dispatch_uid="audit")
    contacts_kept_apart.connect(_after_keeping_apart, dispatch_uid="audit")
    person_erased.connect(_after_erasure, dispatch_uid="audit")
    person_exported.connect(_after_export, dispatch_uid="audit")
    access_given.connect(_after_access, dispatch_uid="audit")


def _before_save(sender: Any, instance: models.Model, raw: bool, **rest: Any) -> None:
    if raw or is_silent() or instance._state.adding:
        return
    stored = sender._base_manager.filter(pk=instance.pk).first()
    instance._audited = columns(stored) if stored is not None else None  # type: ignore[attr-defined]


def _after_save(
    sender: Any, instance: models.Model, created: bool, raw: bool, update_fields: frozenset[str] | None, **rest: Any
) -> None:
    if raw or is_silent():
        return
    before = None if created else instance.__dict__.pop("_audited", None)
    after = columns(instance)
    if update_fields is not None and before is not None:
        before, after = ({k: v for k, v in side.items() if k in update_fields} for side in (before, after))
    old, new = differing(instance, before, after)
    if old or new:
        trail.of_row(Action.CREATED if created else Action.CHANGED, instance, before=old or None, after=new)


def _after_delete(sender: Any, instance: models.Model, **rest: Any) -> None:
    if not is_silent():
        old, _new = differing(instance, columns(instance), None)
        trail.of_row(Action.DELETED, instance, before=old)


def _after_belonging(
    sender: Any, instance: models.Model, action: str, reverse: bool, model: Any, pk_set: set[Any] | None, **rest: Any
) -> None:
    """Roles are groups: whoever is given one or loses one is told with all the groups before and after."""
    if is_silent() or action not in ("post_add", "post_remove", "pre_clear"):
        return
    if reverse:
        for owner in model._base_manager.filter(pk__in=pk_set or ()):
            _tell_belongings(sender, owner, {instance.pk}, action)
    else:
        _tell_belongings(sender, instance, pk_set, action)


def _tell_belongings(through: Any, owner: Any, pks: set[Any] | None, action: str) -> None:
    field = next(f for f in owner._meta.many_to_many if f.remote_field.through is through)
    names = {one.pk: str(one) for one in getattr(owner, field.name).all()}
    touched = {one.pk: str(one) for one in field.related_model._base_manager.filter(pk__in=pks or ())}
    held, changed = set(names.values()), set(touched.values())
    if action == "post_add":
        before, after = held - changed, held
    elif action == "post_remove":
        before, after = held | changed, held
    else:
        before, after = held, set()
    if before != after:
        told = ({field.name: sorted(side)} for side in (before, after))
        trail.of_row(Action.CHANGED, owner, before=next(told), after=next(told))


def _after_decision(sender: Any, item: Any, **rest: Any) -> None:
    # The decision names sides and ids; the values in conflict are people's data and stay out.
    told = {"question": item.kind, "field": item.field, "decision": item.decision}
    name = f"{item.connection.key} {item.external_id}"
    trail.record(Action.DECIDED, item._meta.label_lower, item.pk, name, after=told)


def _after_joining(sender: Any, kept_id: Any, gone_id: Any, **rest: Any) -> dict[str, Any]:
    trail.record(Action.MERGED, "contacts.contact", kept_id, after={"kept": str(kept_id), "merged": str(gone_id)})
    return {}


def _after_parting(sender: Any, kept_id: Any, gone_id: Any, **rest: Any) -> None:
    trail.record(Action.PARTED, "contacts.contact", kept_id, after={"kept": str(kept_id), "parted": str(gone_id)})


def _after_keeping_apart(sender: Any, first_id: Any, second_id: Any, **rest: Any) -> None:
    pair = {"first": str(first_id), "second": str(second_id)}
    trail.record(Action.DECIDED, "contacts.duplicate", first_id, after={**pair, "verdict": "apart"})


def _after_erasure(sender: Any, contact_id: Any, report: Any, **rest: Any) -> None:
    trail.record(Action.ERASED, "contacts.contact", contact_id, after=report)


def _after_export(sender: Any, contact_id: Any, **rest: Any) -> None:
    trail.record(Action.EXPORTED, "contacts.contact", contact_id)


def _after_access(sender: Any, connection: Connection, **rest: Any) -> None:
    trail.record(Action.SIGNED_IN, connection._meta.label_lower, connection.pk, str(connection))
