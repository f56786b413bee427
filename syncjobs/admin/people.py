"""Erasing and exporting a person from the contact's page, for administrators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from contacts.models import Contact
from syncjobs.errors import Refused
from syncjobs.people import erasing, exporting, finding

ERASE, EXPORT = "contacts.erase_contact", "contacts.export_contact"


def patterns(view: Callable[..., Any]) -> list[URLPattern]:
    return [
        path("<uuid:contact_id>/erase/", view(erase_view), name="person_erase"),
        path("<uuid:contact_id>/export/", view(require_POST(export_view)), name="person_export"),
    ]


def erase_view(request: HttpRequest, contact_id: UUID) -> HttpResponse:
    """Asks, then erases and shows the report."""
    if not request.user.has_perm(ERASE):
        raise PermissionDenied
    contact = get_object_or_404(Contact.objects.defer("search"), pk=contact_id)
    person = finding.of_contact(contact_id)
    context = {
        **admin.site.each_context(request),
        "title": _("Erase a person"),
        "contact": contact,
        "records": sum(map(len, [*person.records.values(), *person.strays.values()])),
    }
    if request.method != "POST":
        return render(request, "syncjobs/erase_person.html", context)
    try:
        report = erasing.erase(person, by=request.user.get_username(), everywhere="everywhere" in request.POST)
    except Refused as e:
        messages.error(request, e.message)
        return redirect(reverse("admin:person_erase", args=[contact_id]))
    return render(request, "syncjobs/erase_person.html", {**context, "contact": None, "report": report})


def export_view(request: HttpRequest, contact_id: UUID) -> HttpResponse:
    """Everything that is known of the person, as a file."""
    if not request.user.has_perm(EXPORT):
        raise PermissionDenied
    get_object_or_404(Contact, pk=contact_id)
    told = exporting.as_json(exporting.export(finding.of_contact(contact_id)))
    headers = {"Content-Disposition": f'attachment; filename="contact-{contact_id}.json"'}
    return HttpResponse(told, content_type="application/json", headers=headers)
