"""Hangs the queue on what happens to contacts, and our filters on the list of contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models.signals import post_save, pre_delete
from django.utils.translation import gettext as _

from connectors import services as connections
from connectors.models import Connection
from connectors.signals import connection_works, sandbox_left
from contacts.hooks import contacts_changed, contacts_joined, contacts_parted
from syncjobs import enqueue, joined_contacts, services, subscriptions
from syncjobs.compat import seed_002
from syncjobs.signals import route_starts


def connect() -> None:
    contacts_changed.connect(on_contacts_changed, dispatch_uid="syncjobs")
    contacts_joined.connect(joined_contacts.on_joined, dispatch_uid="syncjobs")
    contacts_parted.connect(joined_contacts.on_parted, dispatch_uid="syncjobs")
    sandbox_left.connect(on_sandbox_left, dispatch_uid="syncjobs")
    connection_works.connect(on_connection_works, dispatch_uid="syncjobs")
    post_save.connect(on_connection_saved, sender=Connection, dispatch_uid="syncjobs")
    route_starts.connect(seed_002.require_reference, dispatch_uid="seed_002")
    pre_delete.connect(on_connection_deleted, sender=Connection, dispatch_uid="syncjobs")


def on_sandbox_left(sender: Any, connection: Connection, **rest: Any) -> None:
    """What is known of a sandbox's records means nothing in a real account."""
    services.forget_records(connection)


def on_connection_works(sender: Any, connection: Connection, **rest: Any) -> None:
    """Its webhooks are subscribed to by themselves."""
    subscriptions.check_soon(connection)


def on_connection_saved(sender: Any, instance: Connection, created: bool, **rest: Any) -> None:
    """A connection that was disabled wants no more webhooks; one that was enabled wants them again."""
    if not created and connections.usable([instance]):
        subscriptions.check_soon(instance)


def on_connection_deleted(sender: Any, instance: Connection, **rest: Any) -> None:
    if connections.usable([instance]):
        subscriptions.remove(instance)


def on_contacts_changed(
    sender: Any,
    contact_ids: Sequence[UUID],
    changed_fields: frozenset[str],
    created_ids: frozenset[UUID],
    source: str,
    **rest: Any,
) -> None:
    """Finished links of changed contacts become due again; those of deleted ones want nothing more."""
    if "deleted_at" in changed_fields:
        enqueue.drop(contact_ids, _("The contact was deleted from the hub."))
        return
    known = [contact_id for contact_id in contact_ids if contact_id not in created_ids]
    if known:
        enqueue.follow_changes(known, source)
