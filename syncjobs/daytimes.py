"""Times of the day as people write them, and when the next or last of them is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

_TIME = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")


def parse_times(text: str) -> list[time]:
    """ "08:00, 20:00" → times, in order. Raises ValueError."""
    found = []
    for part in re.split(r"[\s,;]+", text.strip()):
        if not part:
            continue
        matched = _TIME.fullmatch(part)
        if matched is None:
            raise ValueError(part)
        found.append(time(int(matched[1]), int(matched[2])))
    return sorted(set(found))


def validate_times(text: str) -> None:
    """Raises ValidationError."""
    try:
        parse_times(text)
    except ValueError as error:
        raise ValidationError(_("%(part)s is no time of the day: write it as 08:00.") % {"part": error}) from None


def validate_zone(name: str) -> None:
    """Raises ValidationError."""
    try:
        zone(name)
    except (KeyError, ValueError, OSError):
        message = _("%(name)s is not known as a time zone: write it as Europe/Moscow.") % {"name": name}
        raise ValidationError(message) from None


def zone(name: str) -> ZoneInfo:
    """The zone of this name, the hub's for "". Raises KeyError, ValueError or OSError for an unknown one."""
    return ZoneInfo(name or settings.TIME_ZONE)


def last_before(now: datetime, times: Sequence[time], where: ZoneInfo) -> datetime | None:
    """The last of these times that is not after `now`; None without times. One that a clock change skips comes late."""
    local = now.astimezone(where)
    days = [local.date() - timedelta(days=back) for back in (0, 1)]
    # In UTC, as times of one zone compare by the clock on the wall, which is put back once a year.
    moments = [datetime.combine(day, at, where).astimezone(UTC) for day in days for at in times]
    passed = [moment for moment in moments if moment <= now]
    return max(passed) if passed else None
