"""The admin's first page: whether the installation works at all, above what the engine has to show."""

from __future__ import annotations

from typing import Any

from django.core.cache import caches
from django.http import HttpRequest
from django.utils.translation import gettext as _

from crmsync.health import LATE_AFTER, heartbeat_ages
from syncjobs.admin.dashboard import add_overview

_KEY, _SECONDS = "dashboard.worker_age", 10


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What DASHBOARD_CALLBACK is given for."""
    return add_overview(request, {**context, "worker_problem": worker_problem()})


def worker_problem() -> str:
    """A sentence when no worker has been seen for minutes, else ""; asked of the database every ten seconds at most."""
    cache = caches["process"]
    held = cache.get(_KEY)
    if held is None:
        held = heartbeat_ages()[0]
        cache.set(_KEY, -1 if held is None else held, _SECONDS)
    if held is None or held < 0:
        return _("The background worker has never run: nothing is synced until it does.")
    if held > LATE_AFTER.total_seconds():
        minutes = held // 60
        return _("The background worker has not been seen for %(n)d minutes: nothing is synced.") % {"n": minutes}
    return ""
