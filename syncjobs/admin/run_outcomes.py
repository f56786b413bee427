"""Every record's outcome in words: filtered, searched, downloaded; of a dry run, what it says would happen."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from contacts.api.filters import by_search
from contacts.models import Contact
from syncjobs import outcome_files
from syncjobs.admin.badges import ACTION_BADGES
from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.models import Run, RunItem
from syncjobs.sentences import translated

RUN, ACTION = "run__id__exact", "action__exact"
# Longer lists are in the download.
FIELDS_SHOWN = 12


@admin.register(RunItem)
class RunItemAdmin(ReadOnlyAdmin):
    list_display = ["who", "result", "reason", "what", "external_id", "at"]
    list_display_links = None
    list_filter = [("action", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_before_template = "syncjobs/run_outcomes.html"
    search_fields = ["external_id"]
    search_help_text = gettext_lazy("Name, e-mail, phone or remote id")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in (RUN, "contact_id") or super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RunItem], search_term: str
    ) -> tuple[QuerySet[RunItem], bool]:
        return searched(queryset, search_term), False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        chosen = request.GET.get(RUN, "")
        run = Run.objects.select_related("connection").filter(pk=chosen).first() if chosen.isdecimal() else None
        extra = {"of_run": run, "download_url": download_url(run, request.GET) if run else ""}
        return super().changelist_view(request, {**(extra_context or {}), **extra})

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        ids = [item.contact_id for item in changelist.result_list if item.contact_id]
        names = {c.pk: str(c) for c in Contact.objects.defer("search").filter(pk__in=ids)}
        for item in changelist.result_list:
            item.contact_name = names.get(item.contact_id, str(item.contact_id))
        return changelist

    @display(description=gettext_lazy("contact"))
    def who(self, item: RunItem) -> str:
        if item.contact_id is None:
            return "–"
        name = item.contact_name  # type: ignore[attr-defined]
        url = reverse("admin:contacts_contact_change", args=[item.contact_id])
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', url, name)

    @display(description=gettext_lazy("result"), label=ACTION_BADGES)
    def result(self, item: RunItem) -> tuple[str, str]:
        return item.action, item.get_action_display()

    @display(description=gettext_lazy("in words"))
    def reason(self, item: RunItem) -> str:
        return translated(item.message)

    @display(description=gettext_lazy("differences"))
    def what(self, item: RunItem) -> SafeString | str:
        told = outcome_files.differences(item)
        if not item.changes:
            return ", ".join(label for label, _before, _after in told)
        line = '<span class="crmsync-block"><b>{}</b>: {} → {}</span>'
        shown = format_html_join("", line, told[:FIELDS_SHOWN])
        return shown if len(told) <= FIELDS_SHOWN else format_html("{}…", shown)


def searched(items: QuerySet[RunItem], text: str) -> QuerySet[RunItem]:
    """The outcomes of the contacts that the words fit, and of the remote record with this id."""
    words = text.replace("\0", "").strip()[:100]
    if not words:
        return items
    contacts = by_search(Contact.objects.order_by(), words, QueryDict()).values("pk")
    return items.filter(Q(external_id=words) | Q(contact_id__in=contacts))


def download_url(run: Run, query: QueryDict | None = None) -> str:
    """The address of the file with the same outcomes as the list shows."""
    asked = QueryDict(mutable=True)
    asked.update({name: str(query[name]) for name in (ACTION, "q") if query and query.get(name)})
    url = reverse("admin:run_outcomes", args=[run.pk])
    return f"{url}?{asked.urlencode()}" if asked else url


def download(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The outcomes as a CSV file: all, or those that the action and the words in the address choose."""
    run = get_object_or_404(Run, pk=pk)
    items = searched(RunItem.objects.filter(run=run).order_by("id"), request.GET.get("q", ""))
    action = request.GET.get(ACTION, "")
    if action in RunItem.Action.values:
        items = items.filter(action=action)
    answer = StreamingHttpResponse(outcome_files.lines(items), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="run-{run.pk}.csv"'
    return answer
