"""Contacts in the search that Ctrl+K opens on every page of the admin."""

from __future__ import annotations

from django.http import HttpRequest, QueryDict
from django.urls import reverse
from unfold.dataclasses import SearchResult

from contacts.api.filters import by_search
from contacts.models import Contact

SHOWN = 20


def find(request: HttpRequest, term: str) -> list[SearchResult]:
    """The contacts changed last among those that match; none for those who may not see contacts."""
    text = term.replace("\0", "").strip()
    if not text or not request.user.has_perm("contacts.view_contact"):
        return []
    found = by_search(Contact.objects.alive(), text, QueryDict()).defer("search")[:SHOWN]
    return [
        SearchResult(
            title=str(contact),
            description=contact.email or contact.phone or contact.company,
            link=reverse("admin:contacts_contact_change", args=[contact.pk]),
            icon="person",
        )
        for contact in found
    ]
