"""Contacts in the admin: the list, the edit page and the way to the import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.paginator import InfinitePaginator

from contacts import admin_extensions, services
from contacts.admin_forms import ContactForm, PointForm, record_from
from contacts.admin_import import ImportView
from contacts.api.filters import by_search
from contacts.models import Contact, ContactPoint

SOURCE = "admin"


class HasEmailFilter(admin.SimpleListFilter):
    title = _("e-mail")
    parameter_name = "has_email"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("With e-mail")), ("no", _("Without e-mail"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(email__isnull=self.value() == "no") if self.value() in ("yes", "no") else queryset


class PointInline(TabularInline):
    model = ContactPoint
    form = PointForm
    fields = ["kind", "value", "label", "is_primary"]
    extra = 0


@admin.register(Contact)
class ContactAdmin(ModelAdmin):
    """Reads through the model, writes through contacts.services alone. Other apps: see contacts.admin_extensions."""

    form = ContactForm
    inlines = [PointInline]
    list_display = ["name", "email", "phone", "company", "job_title", "updated_at"]
    list_filter = [HasEmailFilter, "updated_at"]
    list_filter_submit = True
    list_per_page = 50
    # Only turns the search box on: get_search_results does the searching.
    search_fields = ["last_name"]
    search_help_text = _("Beginnings of names, company, e-mail or phone, in any order")
    show_full_result_count = False
    paginator = InfinitePaginator
    ordering = ["-updated_at", "-id"]
    sortable_by: Sequence[str] = ("updated_at",)
    readonly_fields = ["set_by", "version", "created_at", "updated_at"]
    fieldsets = [
        (None, {"fields": [("first_name", "last_name", "middle_name"), ("company", "job_title"), "birth_date"]}),
        (_("References"), {"fields": [("domain_id", "page_id"), "attributes"], "classes": ["collapse"]}),
        (_("Who set what"), {"fields": ["set_by", ("version", "created_at", "updated_at")]}),
    ]
    actions_list = ["import_contacts"]
    change_form_outer_before_template = "contacts/panels.html"

    @admin.display(description=pgettext_lazy("person", "name"))
    def name(self, contact: Contact) -> str:
        return str(contact)

    @admin.display(description=_("Who set what"))
    def set_by(self, contact: Contact) -> SafeString | str:
        """Provenance in words: "last name: import:people.csv, 21 November 2026 09:00"."""
        lines = [
            (_field_label(field), stamp.get("by", "?"), _when(stamp.get("at", "")))
            for field, stamp in sorted(contact.provenance.items())
        ]
        return format_html_join("", "<div>{}: {}, {}</div>", lines) if lines else "–"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        queryset = super().get_queryset(request).filter(deleted_at=None).defer("search")
        for prepare in admin_extensions.querysets:
            queryset = prepare(queryset)
        return queryset

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [*self.list_display, *(column for source in admin_extensions.columns for column in source(request))]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [*self.list_filter, *(entry for source in admin_extensions.filters for entry in source(request))]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        for source in admin_extensions.actions:
            actions.update(source(request))
        return actions

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        contact = kwargs.get("obj")
        context["panels"] = [render(request, contact) for render in admin_extensions.panels] if contact else []
        return super().render_change_form(request, context, *args, **kwargs)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        term = search_term.replace("\0", "").strip()
        return (by_search(queryset, term, QueryDict()) if term else queryset), False

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        """Left to save_related: a contact is stored together with its e-mails and phones."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        record = record_from(form, [point_form for formset in formsets for point_form in formset.forms])
        source = f"{SOURCE}:{request.user.get_username()}"
        if change:
            services.replace_record(form.instance.pk, record, source=source)
        else:
            services.create(record, source=source, contact_id=form.instance.pk)
        for formset in formsets:
            # What formset.save() would have left for the log entry.
            formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []

    def delete_model(self, request: HttpRequest, obj: Contact) -> None:
        services.delete(obj.pk, source=SOURCE)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        services.delete_queryset(queryset, source=SOURCE)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[str], dict[str, int], set[str], list]:
        """A count instead of every related row: the selection may be the whole list."""
        count = objs.count() if isinstance(objs, QuerySet) else len(objs)
        summary = ngettext("%(count)d contact", "%(count)d contacts", count) % {"count": count}
        denied = set() if self.has_delete_permission(request) else {str(Contact._meta.verbose_name)}
        return [summary], {str(Contact._meta.verbose_name_plural): count}, denied, []

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(ImportView.as_view(model_admin=self))
        return [path("import/", view, name="contacts_contact_import"), *super().get_urls()]

    @action(description=_("Import contacts"), icon="upload", permissions=["add"])
    def import_contacts(self, request: HttpRequest) -> Any:
        return redirect(reverse("admin:contacts_contact_import"))


def _field_label(field: str) -> str:
    labels = {"emails": _("e-mails"), "phones": _("phones")}
    return str(labels[field] if field in labels else getattr(Contact._meta.get_field(field), "verbose_name", field))


def _when(at: str) -> str:
    moment = parse_datetime(at)
    return date_format(localtime(moment), "DATETIME_FORMAT") if moment else at
