"""The admin's first page: a card for every connection."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from connectors.models import Connection, ConnectionState
from syncjobs import overview
from syncjobs.admin import alerts
from syncjobs.admin.badges import RUN_COLOURS, STATES
from syncjobs.models import Run
from syncjobs.overview import RUNS_SHOWN, Overview
from syncjobs.sentences import translated
from syncjobs.states import SyncStatus

HOURS_SHOWN = 24
_FIGURES = (SyncStatus.QUEUED, SyncStatus.PROCESSING, SyncStatus.ERROR, SyncStatus.COMPLETE)


def add_overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What DASHBOARD_CALLBACK is given for: the cards of those connections that the user may see."""
    if request.user.has_perm("connectors.view_connection"):
        context |= {"overview": True, "title": _("Dashboard"), **cards(request)}
    return context


def status_view(request: HttpRequest) -> HttpResponse:
    """The parts of the dashboard that move, for the page to put in place of its own."""
    if not request.user.has_perm("connectors.view_connection"):
        raise PermissionDenied
    return render(request, "syncjobs/dashboard_status.html", cards(request))


def cards(request: HttpRequest) -> dict[str, Any]:
    shown = overview.of_all()
    return {
        "cards": [card(one) for one in shown],
        "alerts": alerts.open_ones(request),
        "parked": [one.connection for one in shown if is_parked(one.connection)],
        "may_connect": request.user.has_perm("connectors.add_connection"),
    }


def is_parked(connection: Connection) -> bool:
    return connection.enabled and connection.state == ConnectionState.NEEDS_ATTENTION


def card(one: Overview) -> dict[str, Any]:
    connection = one.connection
    return {
        "connection": connection,
        "url": reverse("admin:connectors_connection_change", args=[connection.pk]),
        "state": connection.get_state_display() if connection.enabled else _("disabled"),
        "variant": STATES[connection.state] if connection.enabled else "",
        "problem": translated(connection.state_message) if is_parked(connection) else "",
        "figures": [_figure(one, status) for status in _FIGURES],
        "last_run": one.runs[0] if one.runs else None,
        "finish_at": one.finish_at,
        "due_since": timezone.now() - timedelta(seconds=one.due_seconds) if one.due_seconds >= 60 else None,
        "expires_at": one.expires_at,
        "expired": one.expires_at is not None and one.expires_at <= timezone.now(),
        "limit_use": None if one.limit_use is None else round(100 * one.limit_use),
        "chart": chart(one),
        "strip": strip(one.runs),
    }


def _figure(one: Overview, status: SyncStatus) -> dict[str, Any]:
    links = reverse("admin:syncjobs_contactsync_changelist")
    query = f"?connection__id__exact={one.connection.pk}&sync_status__exact={status.value}"
    return {"label": status.label, "count": one.stats.of(status), "url": links + query, "status": status.value}


def chart(one: Overview) -> str:
    """Synced and failed of each of the last hours, as the skin's bar chart wants them."""
    counted: dict[tuple[Any, str], int] = defaultdict(int)
    for hour, status, count in one.hours:
        counted[hour, status] += count
    # Whole hours as the database cuts them; the labels are in the reader's time.
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    hours = [now - timedelta(hours=ago) for ago in reversed(range(HOURS_SHOWN))]

    def bars(label: str, colour: str, status: SyncStatus) -> dict[str, Any]:
        data = [max(counted[hour, status.value], 0) for hour in hours]
        return {"label": label, "data": data, "backgroundColor": f"var(--color-{colour}-500)", "maxTicksXLimit": 8}

    labels = [date_format(timezone.localtime(hour), "H:i") for hour in hours]
    synced, failed = (
        bars(_("synced"), "green", SyncStatus.COMPLETE),
        bars(_("failed"), "red", SyncStatus.ERROR),
    )
    return json.dumps({"labels": labels, "datasets": [{**synced, "displayYAxis": True}, failed]})


def strip(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Runs as coloured cells, the oldest first; cells without a run keep the strips equally long."""
    empty = [{"tooltip": "", "color": "bg-base-100 dark:bg-base-800"}] * (RUNS_SHOWN - len(runs))
    return [*empty, *_cells(reversed(runs))]


def _cells(runs: Iterable[Run]) -> Iterable[dict[str, str]]:
    for run in runs:
        done = _("%(created)d created, %(updated)d updated, %(failed)d failed") % {
            "created": run.created,
            "updated": run.updated,
            "failed": run.failed,
        }
        started = date_format(timezone.localtime(run.started_at), "SHORT_DATETIME_FORMAT")
        yield {
            "tooltip": f"{run} · {started} · {run.get_status_display()} · {done}",
            "color": RUN_COLOURS[run.status],
            "href": reverse("admin:syncjobs_run_change", args=[run.pk]),
        }
