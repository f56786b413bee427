"""Paths below /api/: v3/contacts, with or without a trailing slash; the schema shows those without."""

from django.urls import path

from contacts.api.duplicates import ApartView, DuplicateListView, MergeView, PartView
from contacts.api.views import BulkUpsertView, ContactDetailView, ContactListView

_VIEWS = {
    "v3/contacts": (ContactListView, "contact-list"),
    "v3/contacts/bulk-upsert": (BulkUpsertView, "contact-bulk-upsert"),
    "v3/contacts/duplicates": (DuplicateListView, "duplicate-list"),
    "v3/contacts/duplicates/<int:pk>/merge": (MergeView, "duplicate-merge"),
    "v3/contacts/duplicates/<int:pk>/apart": (ApartView, "duplicate-apart"),
    "v3/contacts/merges/<int:pk>/undo": (PartView, "merge-undo"),
    "v3/contacts/<uuid:contact_id>": (ContactDetailView, "contact-detail"),
}

urlpatterns = [
    *(path(route, view.as_view(), name=name) for route, (view, name) in _VIEWS.items()),
    *(path(f"{route}/", view.as_view(schema=None)) for route, (view, _) in _VIEWS.items()),
]
