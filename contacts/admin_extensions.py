"""Where other apps hang columns, filters and bulk actions on the contact list, and blocks on a contact's page.

Call these in AppConfig.ready(). All but `register_queryset` are asked anew for every request, so that what they add
may follow the database (one column per connection, say).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

Column = Callable[[Any], Any]
Panel = Callable[[HttpRequest, Any], str]
ColumnSource = Callable[[HttpRequest], Iterable[Column]]
FilterSource = Callable[[HttpRequest], Iterable[Any]]
ActionSource = Callable[[HttpRequest], dict[str, tuple[Callable[..., Any], str, str]]]

columns: list[ColumnSource] = []
filters: list[FilterSource] = []
actions: list[ActionSource] = []
querysets: list[Callable[[QuerySet], QuerySet]] = []
panels: list[Panel] = []


def register_columns(source: ColumnSource) -> None:
    """source(request) → callables(contact) for list_display; give each a `short_description` and a `__name__`."""
    columns.append(source)


def register_column(column: Column) -> None:
    """One column that is always there."""
    columns.append(lambda request: (column,))


def register_filters(source: FilterSource) -> None:
    """source(request) → entries of list_filter."""
    filters.append(source)


def register_filter(entry: Any) -> None:
    """One entry of list_filter that is always there."""
    filters.append(lambda request: (entry,))


def register_actions(source: ActionSource) -> None:
    """source(request) → {name: (action(modeladmin, request, queryset), name, description)}.

    The queryset may mean hundreds of thousands of contacts: answer with set-based statements.
    """
    actions.append(source)


def register_queryset(prepare: Callable[[QuerySet], QuerySet]) -> None:
    """prepare(queryset) → queryset with what the columns need, by prefetch_related or annotate."""
    querysets.append(prepare)


def register_panel(render: Panel) -> None:
    """render(request, contact) → HTML above the contact's form, safe to show; "" for nothing."""
    panels.append(render)
