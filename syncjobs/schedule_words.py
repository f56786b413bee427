"""When something runs, in words: "every 2 minutes", "daily at 08:00 and 20:00 (Europe/Moscow)"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from syncjobs.daytimes import parse_times, zone
from syncjobs.models import Route

MINUTES_OF = {"minutes": 1, "hours": 60, "days": 24 * 60}


def split(minutes: int) -> tuple[int, str]:
    """The interval in its largest whole unit: 120 → (2, "hours")."""
    return next((minutes // size, unit) for unit, size in reversed(MINUTES_OF.items()) if minutes % size == 0)


def every(minutes: int) -> str:
    """120 → "every 2 hours"."""
    count, unit = split(minutes)
    if count == 1:
        return {"minutes": _("every minute"), "hours": _("every hour"), "days": _("every day")}[unit]
    if unit == "minutes":
        text = ngettext("every %(count)d minute", "every %(count)d minutes", count)
    elif unit == "hours":
        text = ngettext("every %(count)d hour", "every %(count)d hours", count)
    else:
        text = ngettext("every %(count)d day", "every %(count)d days", count)
    return text % {"count": count}


def daily(times: Sequence[time], zone_name: str) -> str:
    """ "daily at 08:00 and 20:00 (Europe/Moscow)"; an empty name is the hub's zone."""
    shown = get_text_list([at.strftime("%H:%M") for at in times], _("and"))
    return _("daily at %(times)s (%(zone)s)") % {"times": shown, "zone": zone(zone_name).key}


def changes(route: Route) -> str:
    """How often a route carries over what changed."""
    if route.interval_minutes:
        return every(route.interval_minutes)
    return _("%(every)s, as its source") % {"every": every(route.source.interval)}


def in_full(route: Route) -> str:
    """When a route compares everything; "" for never."""
    times = parse_times(route.full_times)
    return daily(times, route.time_zone) if times else ""


def of_route(route: Route) -> str:
    """One sentence about when the route runs."""
    if not route.enabled:
        return _("Runs only when somebody starts it: it is switched off.")
    told = {"changes": changes(route), "full": in_full(route)}
    if told["full"]:
        return _("Changes are carried over %(changes)s; everything is compared %(full)s.") % told
    return _("Changes are carried over %(changes)s.") % told
