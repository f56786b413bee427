"""The field mapping of a connection: its rules to choose and order, and a contact to try them on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST
from unfold.admin import ModelAdmin

from connectors import remote_fields
from connectors.core import registry
from connectors.core.errors import ApiError
from connectors.core.types import CONTACTS
from connectors.models import Connection, FieldRule
from syncjobs import side_by_side
from syncjobs.admin.mapping_forms import Sides, rule_formset
from syncjobs.errors import Refused
from syncjobs.gateway import fields as catalogue
from syncjobs.mapping import samples, trial
from syncjobs.mapping.samples import Sample
from syncjobs.pull import is_readable
from syncjobs.sentences import translated

TRY = "contacts.change_contact"
MANAGED = "rules-TOTAL_FORMS"


class MappingPages:
    """The page, and what its buttons do."""

    def __init__(self, owner: ModelAdmin) -> None:
        self._owner = owner

    def patterns(self, view: Callable[..., Any]) -> list[URLPattern]:
        return [
            path("<int:pk>/mapping/", view(self.page), name="mapping"),
            path("<int:pk>/mapping/read/", view(require_POST(self.read)), name="mapping_read"),
            path("<int:pk>/mapping/contacts/", view(require_GET(self.contacts)), name="mapping_contacts"),
            path("<int:pk>/mapping/test/", view(require_POST(self.test)), name="mapping_test"),
        ]

    def page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The rules; posted, they are stored, or shown again with what is wrong, or with one more row."""
        connection = self._seen(request, pk)
        may_change = self._owner.has_change_permission(request, connection)
        sides = _sides(connection)
        if request.method != "POST":
            rows = rule_formset(connection, sides, extra=0)
        elif not may_change:
            raise PermissionDenied
        elif "add" in request.POST:
            rows = rule_formset(connection, sides, _with_one_more(request.POST))
        else:
            rows = rule_formset(connection, sides, request.POST)
            if rows.is_valid():
                self._store(request, connection, rows)
                return redirect(reverse("admin:mapping", args=[pk]))
        context = {
            **self._owner.admin_site.each_context(request),
            "title": _("Field mapping"),
            "connection": connection,
            "rows": rows,
            "sides": sides,
            "read_at": remote_fields.seen_at(connection, CONTACTS),
            "may_change": may_change,
            "may_try": request.user.has_perm(TRY),
        }
        return render(request, "syncjobs/mapping.html", context)

    def read(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Reads the catalogue of the connection's account anew."""
        connection = self._seen(request, pk)
        if not self._owner.has_change_permission(request, connection):
            raise PermissionDenied
        try:
            (found,) = catalogue.sync_fields(connection, [CONTACTS])
        except Refused as e:
            messages.error(request, e.message)
        else:
            count = len(found.fields)
            text = ngettext("%(count)d field has been read.", "%(count)d fields have been read.", count)
            messages.success(request, text % {"count": count})
        return redirect(reverse("admin:mapping", args=[pk]))

    def contacts(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Contacts to try the rules on, as buttons."""
        connection = self._tried(request, pk)
        found = samples.search(request.GET.get("q", ""))
        context = {"connection": connection, "found": found, "asked": request.GET.get("q", "").strip()}
        return render(request, "syncjobs/mapping_contacts.html", context)

    def test(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the rules, as they stand in the form, would do to a contact; nothing is sent or stored."""
        connection = self._tried(request, pk)
        sample = samples.of(connection, _uuid(request.POST.get("contact", "")))
        if sample is None:
            raise Http404
        context: dict[str, Any] = {"connection": connection, "sample": sample}
        sides = _sides(connection)
        rules = _rules(connection, sides, request)
        if rules is None:
            context["problem"] = _("Correct the rules first: what is wrong is marked when you save.")
        else:
            live, context["note"] = _live(connection, sample)
            context["lines"] = trial.run(connection, rules, sample, sides.known, live)
        return render(request, "syncjobs/mapping_trial.html", context)

    def _store(self, request: HttpRequest, connection: Connection, rows: Any) -> None:
        with transaction.atomic():
            rows.save()
        if rows.has_changed():
            self._owner.log_change(request, connection, [{"changed": {"name": str(_("field rules"))}}])
        messages.success(request, _("The field rules are saved. They count from the next run on."))

    def _seen(self, request: HttpRequest, pk: int) -> Connection:
        connection = get_object_or_404(Connection, pk=pk, connector__in=registry.all_connectors())
        if not self._owner.has_view_permission(request, connection):
            raise PermissionDenied
        return connection

    def _tried(self, request: HttpRequest, pk: int) -> Connection:
        if not request.user.has_perm(TRY):
            raise PermissionDenied
        return self._seen(request, pk)


def _sides(connection: Connection) -> Sides:
    return Sides(connection, remote_fields.stored(connection, CONTACTS), samples.example(connection))


def _with_one_more(data: Any) -> Any:
    data = data.copy()
    given = data.get(MANAGED, "")
    data[MANAGED] = str(int(given) + 1) if given.isdecimal() else given
    return data


def _rules(connection: Connection, sides: Sides, request: HttpRequest) -> list[FieldRule] | None:
    """The rules of the form, the stored ones of whoever has no form to fill in; None where the form has errors."""
    if MANAGED not in request.POST:
        return list(connection.rules.filter(entity=CONTACTS))
    rows = rule_formset(connection, sides, request.POST)
    return rows.rules() if rows.is_valid() else None


def _live(connection: Connection, sample: Sample) -> tuple[Mapping[str, Any] | None, str]:
    """What their record holds at this moment, and a sentence where that could not be asked."""
    link = sample.link
    if link is None or not sample.has_record:
        return None, _("%(crm)s has no record of this contact: a push would make one.") % {"crm": connection}
    if not connection.enabled or not is_readable(connection):
        return None, _("Their values are those that both sides last agreed on.")
    try:
        found = side_by_side.live_values(connection, link.external_id)
    except ApiError as e:
        return None, translated(e.message) + " " + _("Their values are those that both sides last agreed on.")
    if found is None:
        return None, _("%(crm)s has no such record any more.") % {"crm": connection}
    return found, ""


def _uuid(text: str) -> UUID:
    """Raises Http404."""
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
