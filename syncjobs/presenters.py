"""Links in the names of the public contract."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from connectors.core import registry
from connectors.models import Connection
from contacts.models import Contact
from syncjobs import services
from syncjobs.models import ContactSync


def timestamp(moment: datetime | None) -> str | None:
    """UTC, ISO 8601 with Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def remote_reference(link: ContactSync) -> str | None:
    return link.external_ref or link.external_id or None


def sync_status(contact: Contact) -> dict[str, Any]:
    """An object for every connection and every connector without one; a pair that never was gives nulls."""
    links = {link.connection_id: link for link in contact.links.all()}
    connections = list(Connection.objects.all())
    used = {connection.connector for connection in connections}
    answer: dict[str, Any] = {"contact_id": str(contact.pk), "email": contact.email}
    for connection in connections:
        link = links.get(connection.pk)
        answer[connection.key] = _pair(link, connection) if link else _nothing()
    for slug in registry.all_connectors():
        if slug not in used:
            answer.setdefault(slug, _nothing())
    return answer


def _nothing() -> dict[str, Any]:
    return {"sync_status": None, "processing_status": None, "contact_id": None}


def _pair(link: ContactSync, connection: Connection) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "sync_status": link.sync_status,
        "processing_status": link.processing_status,
        "contact_id": remote_reference(link),
    }
    if link.synced_at is not None:
        shown["synced_at"] = timestamp(link.synced_at)
    estimate = services.estimate(link, connection)
    if estimate is not None:
        shown["estimated_processing"] = estimate
    if link.processing_error:
        shown["processing_error"] = link.processing_error
    if link.retry_count:
        shown["retry_count"] = link.retry_count
        shown["last_retry_at"] = timestamp(link.last_retry_at)
        shown["next_retry_at"] = timestamp(link.next_retry_at)
    return shown


def failures(links: Iterable[ContactSync]) -> list[dict[str, Any]]:
    return [
        {
            "contact_id": str(link.contact_id),
            "email": link.contact.email,
            "error": link.processing_error,
            "retry_count": link.retry_count,
            "last_retry_at": timestamp(link.last_retry_at),
            "next_retry_at": timestamp(link.next_retry_at),
            "can_retry": services.can_retry(link),
        }
        for link in links
    ]
