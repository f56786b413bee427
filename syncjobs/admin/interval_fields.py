"""Form fields for schedules: an interval as a number and a unit, times of the day, and a time zone to choose."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from syncjobs.daytimes import parse_times, validate_times
from syncjobs.schedule_words import MINUTES_OF, split

LONGEST = 7 * MINUTES_OF["days"]
# The others are former names of these.
REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
UNITS = (("minutes", gettext_lazy("minutes")), ("hours", gettext_lazy("hours")), ("days", gettext_lazy("days")))


class IntervalWidget(forms.MultiWidget):
    def __init__(self, attrs: Any = None) -> None:
        how_many = {"min": 1, "class": "crmsync-number crmsync-count", "aria-label": gettext_lazy("How many")}
        unit = forms.Select({"class": "crmsync-select", "aria-label": gettext_lazy("Unit")}, UNITS)
        super().__init__((forms.NumberInput(how_many), unit), attrs)

    def decompress(self, value: Any) -> list[Any]:
        return list(split(value)) if value else [None, "minutes"]


class IntervalField(forms.MultiValueField):
    """Minutes, or None where no number is given. At least one minute, at most seven days."""

    widget = IntervalWidget

    def __init__(self, **options: Any) -> None:
        unreadable = {"invalid": gettext_lazy("Write the interval as a whole number.")}
        number = forms.IntegerField(required=False, error_messages=unreadable)
        unit = forms.ChoiceField(required=False, choices=UNITS)
        super().__init__((number, unit), require_all_fields=False, **options)

    def compress(self, data_list: list[Any]) -> int | None:
        if not data_list or data_list[0] in (None, ""):
            return None
        minutes = data_list[0] * MINUTES_OF[data_list[1] or "minutes"]
        if not 1 <= minutes <= LONGEST:
            raise ValidationError(_("The interval is at least one minute and at most seven days."))
        return int(minutes)


class TimesField(forms.CharField):
    """Times of the day, in order: "20.00 8:00" → "08:00, 20:00"."""

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        validate_times(text)
        return ", ".join(at.strftime("%H:%M") for at in parse_times(text))


def zone_choices(current: str) -> list[tuple[str, str]]:
    """Every time zone, the hub's own first; one that is stored but no longer known stays choosable."""
    hub = _("the hub's: %(zone)s") % {"zone": settings.TIME_ZONE}
    known = ["UTC", *sorted(name for name in available_timezones() if name.partition("/")[0] in REGIONS)]
    stored = [current] if current and current not in known else []
    return [("", hub), *((name, name) for name in (*known, *stored))]
