"""Contacts that may be one person: side by side, merged or kept apart; and merges, which can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from django_q.tasks import async_task
from unfold.decorators import display

from contacts import duplicates, history, joining, store
from contacts.duplicates import AlreadyDecided
from contacts.models import Duplicate, Merge
from contacts.records import FIELDS
from contacts.services import ContactNotFound
from syncjobs import joined_contacts
from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.plan_lines import text_of
from syncjobs.sourcefields import label_of

DECIDE = "contacts.change_duplicate"
_SHARED = {
    "email": gettext_lazy("the same e-mail"),
    "phone": gettext_lazy("the same phone"),
    "name": gettext_lazy("the same name and company"),
}
_LIST = "admin:contacts_duplicate_changelist"


class WaitingFilter(admin.SimpleListFilter):
    """Those that wait for a verdict, unless something else is asked for."""

    title = gettext_lazy("verdict")
    parameter_name = "verdict"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*Duplicate.Verdict.choices, ("all", _("all"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield {**first, "display": _("undecided")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "all":
            return queryset
        return queryset.filter(verdict=self.value())


@admin.register(Duplicate)
class DuplicateAdmin(ReadOnlyAdmin):
    list_display = ["pair", "shared", "verdict", "decided_by", "found_at"]
    list_filter = [WaitingFilter]
    list_filter_submit = True
    list_select_related = ["first", "second"]
    list_before_template = "syncjobs/duplicates_actions.html"
    change_form_outer_before_template = "syncjobs/duplicate.html"
    fields = [("shared", "found_at"), ("verdict", "decided_by", "decided_at")]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/merge/", view(require_POST(self.merge_view)), name="duplicate_merge"),
            path("<int:pk>/apart/", view(require_POST(self.apart_view)), name="duplicate_apart"),
            path("look/", view(require_POST(self.look_view)), name="duplicates_look"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        extra = {"may_decide": request.user.has_perm(DECIDE)}
        return super().changelist_view(request, {**(extra_context or {}), **extra})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        found = (
            Duplicate.objects.select_related("first", "second").filter(pk=object_id) if object_id.isdecimal() else []
        )
        extra: dict[str, Any] = {}
        for duplicate in found:
            extra = {
                "duplicate": duplicate,
                "rows": rows(duplicate),
                "doubles": joined_contacts.doubles(duplicate.first_id, duplicate.second_id),
                "may_decide": duplicate.verdict is None and request.user.has_perm(DECIDE),
            }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})

    def merge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Merges the pair: `keep` is the contact that stays, `take` the fields of which the other's value counts."""
        duplicate = self._undecided(request, pk)
        ids = {str(duplicate.first_id), str(duplicate.second_id)}
        keep = request.POST.get("keep", "")
        if keep not in ids:
            self.message_user(request, _("Choose which of the two contacts stays."), messages.ERROR)
            return redirect(reverse("admin:contacts_duplicate_change", args=[pk]))
        (other,) = ids - {keep}
        take = [name for name in request.POST.getlist("take") if name in FIELDS]
        try:
            merge = joining.join(UUID(keep), UUID(other), by=request.user.get_username(), take=take)
        except ContactNotFound:
            self.message_user(request, _("One of the two has been deleted meanwhile."), messages.ERROR)
            return redirect(_LIST)
        text = _("Merged. It can be undone here: merge #%(n)d.") % {"n": merge.pk}
        self.message_user(request, text, messages.SUCCESS)
        return redirect(reverse("admin:contacts_merge_change", args=[merge.pk]))

    def apart_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Notes that they are two people."""
        try:
            duplicates.keep_apart(self._undecided(request, pk), request.user.get_username())
        except AlreadyDecided:
            self.message_user(request, _("This has been decided already."), messages.WARNING)
        else:
            self.message_user(request, _("Noted: they are two people. Nobody is asked again."), messages.SUCCESS)
        return redirect(_LIST)

    def look_view(self, request: HttpRequest) -> HttpResponse:
        """Has the worker look for duplicates now."""
        if not request.user.has_perm(DECIDE):
            raise PermissionDenied
        async_task("contacts.duplicates.find", group="duplicates")
        self.message_user(request, _("The search has been started."), messages.SUCCESS)
        return redirect(_LIST)

    def _undecided(self, request: HttpRequest, pk: int) -> Duplicate:
        if not request.user.has_perm(DECIDE):
            raise PermissionDenied
        return get_object_or_404(Duplicate, pk=pk)

    @display(description=gettext_lazy("contacts"))
    def pair(self, duplicate: Duplicate) -> str:
        return f"{duplicate.first} · {duplicate.second}"

    @display(description=gettext_lazy("what they share"))
    def shared(self, duplicate: Duplicate) -> str:
        return str(_SHARED.get(duplicate.by, "–"))


@admin.register(Merge)
class MergeAdmin(ReadOnlyAdmin):
    list_display = ["kept", "gone", "by", "at", "parted_at"]
    list_filter = ["at"]
    list_filter_submit = True
    list_select_related = ["kept", "gone"]
    change_form_outer_before_template = "syncjobs/merge.html"
    fields = [("kept_link", "gone"), ("by", "at"), ("parted_by", "parted_at")]

    def get_urls(self) -> list[URLPattern]:
        undo = self.admin_site.admin_view(require_POST(self.part_view))
        return [path("<int:pk>/part/", undo, name="merge_part"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        merge = Merge.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        extra: dict[str, Any] = {}
        if merge is not None:
            doubles = joined_contacts.doubles(merge.kept_id, merge.gone_id) if merge.parted_at is None else []
            may_part = merge.parted_at is None and request.user.has_perm(DECIDE)
            extra = {"merge": merge, "doubles": doubles, "may_part": may_part}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})

    def part_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Undoes the merge."""
        if not request.user.has_perm(DECIDE):
            raise PermissionDenied
        merge = get_object_or_404(Merge, pk=pk)
        try:
            kept = joining.part(merge, request.user.get_username())
        except AlreadyDecided:
            self.message_user(request, _("This merge was undone already."), messages.WARNING)
        except ContactNotFound:
            self.message_user(request, _("The kept contact has been deleted meanwhile."), messages.ERROR)
        else:
            self.message_user(request, _("The two are apart again."), messages.SUCCESS)
            if kept:
                names = ", ".join(label_of(name) for name in kept)
                self.message_user(request, _("Changed since, and left as it is: %(names)s.") % {"names": names})
        return redirect(reverse("admin:contacts_merge_change", args=[pk]))

    @display(description=gettext_lazy("kept contact"))
    def kept_link(self, merge: Merge) -> str:
        url = reverse("admin:contacts_contact_change", args=[merge.kept_id])
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', url, merge.kept)


def rows(duplicate: Duplicate) -> list[dict[str, Any]]:
    """The fields that either has, with both values; tombstones have none."""
    held = store.load([duplicate.first_id, duplicate.second_id])
    if len(held) < 2:
        return []
    ids: Sequence[UUID] = (duplicate.first_id, duplicate.second_id)
    both = [history.values_of(held[contact_id].record, FIELDS) for contact_id in ids]
    return [
        {
            "name": name,
            "label": label_of(name),
            "values": [text_of(values[name] or None) for values in both],
            "differs": bool(both[0][name] and both[1][name]) and both[0][name] != both[1][name],
        }
        for name in FIELDS
        if both[0][name] or both[1][name]
    ]
