"""The questions that runs leave to people: both values side by side, and a button for each answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from syncjobs import decisions
from syncjobs.admin.readonly import ReadOnlyAdmin
from syncjobs.errors import Refused
from syncjobs.mirror import guard
from syncjobs.models import ReviewItem
from syncjobs.plan_lines import text_of
from syncjobs.sentences import translated

DECIDE = "syncjobs.change_reviewitem"
Kind = ReviewItem.Kind


@dataclass(frozen=True, slots=True)
class Side:
    """What one side holds, and the answer that speaks for it, where there is one."""

    title: str
    rows: Sequence[tuple[str, str]] = ()
    choice: str = ""
    button: str = ""


@admin.register(ReviewItem)
class ReviewItemAdmin(ReadOnlyAdmin):
    list_display = ["question", "connection", "about", "in_words", "field", "created_at", "decided_at"]
    list_filter = [("connection", RelatedDropdownFilter), ("kind", ChoicesDropdownFilter)]
    list_filter_submit = True
    list_select_related = ["connection"]
    change_form_outer_before_template = "syncjobs/review_question.html"
    fields = [("connection", "question"), "about", "in_words", ("created_at", "decided_at", "decided_by")]

    def get_urls(self) -> list[URLPattern]:
        decide = self.admin_site.admin_view(require_POST(self.decide_view))
        return [path("<int:pk>/decide/", decide, name="review_decide"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        items = ReviewItem.objects.select_related("connection")
        item = items.filter(pk=object_id).first() if object_id.isdecimal() else None
        extra: dict[str, Any] = {}
        if item is not None:
            may_operate = request.user.has_perm(DECIDE)
            extra = {
                "item": item,
                "asked": asked(item),
                # People's data of both sides, which the API shows to operators only, too.
                "sides": sides(item) if may_operate else [],
                "may_decide": may_operate and item.decided_at is None,
            }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})

    def decide_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Stores the answer of the button that was pressed."""
        item = get_object_or_404(ReviewItem, pk=pk)
        if not request.user.has_perm(DECIDE):
            raise PermissionDenied
        try:
            choice = orjson.loads(request.POST.get("choice", ""))
            decisions.decide(item, choice if isinstance(choice, dict) else {}, request.user.get_username())
        except orjson.JSONDecodeError:
            self.message_user(request, _("This question does not take that answer."), messages.ERROR)
        except Refused as e:
            self.message_user(request, e.message, messages.ERROR)
        else:
            self.message_user(request, _("Decided. The next run carries it out."), messages.SUCCESS)
        return redirect(reverse("admin:syncjobs_reviewitem_change", args=[pk]))

    @display(description=gettext_lazy("question"))
    def question(self, item: ReviewItem) -> str:
        return str(item.get_kind_display())

    @display(description=gettext_lazy("in words"))
    def in_words(self, item: ReviewItem) -> str:
        return translated(item.message)

    @display(description=gettext_lazy("about"))
    def about(self, item: ReviewItem) -> str:
        mirror = guard.mirror_of(item)
        if mirror is not None:
            url = reverse("admin:syncjobs_mirrorentity_change", args=[mirror.pk])
            return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', url, mirror)
        if item.contact_id is None:
            return item.external_id or "–"
        url = reverse("admin:contacts_contact_change", args=[item.contact_id])
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', url, _("contact"))


def asked(item: ReviewItem) -> str:
    """The question in one sentence."""
    system = {"system": item.connection.label or item.connection.key}
    if item.kind == Kind.CONFLICT:
        return _("Both sides changed this field. Which value counts?")
    if item.kind == Kind.AMBIGUOUS and item.candidates:
        return _("Several contacts fit this record of %(system)s. Whose is it?") % system
    if item.kind == Kind.AMBIGUOUS:
        return _("Several records of %(system)s fit this contact. Which is the person's?") % system
    if item.external_id:
        return _("Is this record of %(system)s to be deleted, too?") % system
    return _("Many records are no longer in %(system)s. Were they deleted?") % system


def sides(item: ReviewItem) -> list[Side]:
    """Both sides as cards, with a button for every answer that the question takes."""
    system = item.connection.label or item.connection.key
    ours, theirs = _("The hub"), system
    if item.kind == Kind.CONFLICT:
        values = {"ours": (ours, item.ours), "theirs": (theirs, item.theirs)}
        return [
            Side(title, [(item.field, text_of(value))], _json({"take": side}), _("This value counts"))
            for side, (title, value) in values.items()
        ]
    found = []
    if item.kind == Kind.AMBIGUOUS and item.candidates:
        found.append(Side(f"{theirs} {item.external_id}", _rows(item.theirs)))
    elif item.kind == Kind.AMBIGUOUS:
        found.append(Side(ours, _rows(item.ours)))
    return found + [_answer(item, choice) for choice in decisions.choices(item)]


def _answer(item: ReviewItem, choice: decisions.Choice) -> Side:
    decision = _json(choice.decision)
    system = item.connection.label or item.connection.key
    if "contact" in choice.decision:
        rows = _rows((item.ours or {}).get(choice.about))
        return Side(_("The hub"), rows, decision, _("This is the person"))
    if "record" in choice.decision:
        rows = _rows((item.theirs or {}).get("values", {}).get(choice.about))
        return Side(f"{system} {choice.about}", rows, decision, _("This is the person"))
    if "new" in choice.decision:
        return Side(_("None of them"), (), decision, _("Somebody else"))
    if "delete" in choice.decision:
        yes = choice.decision["delete"]
        return Side("", (), decision, _("Delete the record") if yes else _("Keep the record"))
    yes = choice.decision["allow"]
    return Side("", (), decision, _("They were deleted") if yes else _("Leave everything as it is"))


def _rows(values: Any) -> list[tuple[str, str]]:
    if not isinstance(values, Mapping):
        return []
    labels: dict[str, str] = {"name": _("Name"), "emails": _("E-mail"), "phones": _("Phone"), "company": _("Company")}
    return [(str(labels.get(name, name)), text_of(value)) for name, value in values.items()]


def _json(decision: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(decision)).decode()
