"""`?crm=KEY&sync_status=Error` for the list of contacts."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError

from connectors import services as connections
from contacts.api.filters import register_filter
from contacts.models import Contact
from syncjobs.models import ContactSync
from syncjobs.states import SyncStatus


def connect() -> None:
    register_filter(
        "crm", by_link, OpenApiParameter("crm", str, description="Contacts that have to do with this connection.")
    )
    register_filter(
        "sync_status",
        needs_crm,
        OpenApiParameter("sync_status", str, enum=SyncStatus.values, description="Their status there; needs `crm`."),
    )


def by_link(queryset: QuerySet[Contact], value: str, query: QueryDict) -> QuerySet[Contact]:
    links = ContactSync.objects.filter(connection=connections.by_key(value))
    status = query.get("sync_status")
    if status:
        if status not in SyncStatus.values:
            known = ", ".join(SyncStatus.values)
            raise ValidationError({"sync_status": [_("Must be one of %(known)s.") % {"known": known}]})
        links = links.filter(sync_status=status)
    return queryset.filter(pk__in=links.values("contact_id"))


def needs_crm(queryset: QuerySet[Contact], value: str, query: QueryDict) -> QuerySet[Contact]:
    if not query.get("crm"):
        raise ValidationError({"sync_status": [_("Say of which connection: crm is missing.")]})
    return queryset
