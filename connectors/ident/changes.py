"""Where a read of changes stands, in the naive times of the clinic's own clocks.

The watermark is the newest time of change met, as text exactly as the server gave it, and never beyond the server's
own time: one workstation with a clock in the future would otherwise hide all that others do. Every look reaches back by
the overlap, because clocks differ and a transaction that ends late carries the time at which it began. What was met
within the overlap is remembered, so that nothing is read again for having been met.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

# The earliest time that the type datetime of SQL Server holds.
BEGINNING = datetime(1753, 1, 1)  # noqa: DTZ001 - the clinic's times are naive
# More changes than this are not remembered one by one: their totals tell whether anything has been added since.
REMEMBERED = 2000
# A clock that is set back does it within this time.
_SHIFT = timedelta(hours=2)

Stamps = dict[str, list[str]]
# How many changes, and the sums of their patients' ids and of their times.
Totals = list[int]


def naive(stamp: str) -> datetime:
    """The time of a stamp as the server gave it."""
    return datetime.fromisoformat(stamp)


def window_start(watermark: str | None, overlap: timedelta, zone: ZoneInfo) -> datetime:
    """From where to look, in whole seconds. Where the zone's clocks go back meanwhile, so much earlier."""
    if watermark is None:
        return BEGINNING
    reached = naive(watermark).replace(microsecond=0)
    start = reached - overlap
    ahead = _offset(start, zone) - _offset(reached + _SHIFT, zone)
    return max(start - max(ahead, timedelta()), BEGINNING)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.replace(tzinfo=zone).utcoffset() or timedelta()


@dataclass(slots=True)
class Found:
    """One page of the list of changes: the patients with their stamps, and where the next page begins.

    `cut` is a patient of whom the page may not have all; `after` is None behind the last page.
    """

    stamps: Stamps
    clock: str
    after: int | None
    cut: str = ""

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]], limit: int, *, after: int) -> Found:
        changed = [(int(patient), str(stamp)) for patient, stamp, _clock in rows if patient is not None]
        stamps = {str(patient): [stamp for _, stamp in group] for patient, group in groupby(changed, lambda c: c[0])}
        clock = str(rows[0][2])
        if len(changed) < limit:
            return cls(stamps, clock, None)
        last = str(changed[-1][0])
        if len(stamps) == 1:
            return cls(stamps, clock, int(last), cut=last)
        # The last one's other lines lie on the next page: it is taken there, whole.
        del stamps[last]
        return cls(stamps, clock, max(map(int, stamps), default=after))


@dataclass(slots=True)
class Position:
    """`recent` are the stamps met before, by patient; while pages are read `met` are those of this look.

    `met` is None once they are too many to remember. Then the look is `large`, and `totals` are those of the changes
    that were met, where they are known for certain; `before` are those at the beginning of the look under way.
    """

    watermark: str | None = None
    recent: Stamps = field(default_factory=dict)
    large: bool = False
    totals: Totals | None = None
    before: Totals | None = None
    after: int = 0
    reached: str | None = None
    met: Stamps | None = field(default_factory=dict)

    @classmethod
    def from_cursor(cls, cursor: Mapping[str, Any]) -> Position:
        return cls(
            watermark=cursor.get("watermark"),
            recent=dict(cursor.get("recent") or {}),
            large=bool(cursor.get("large")),
            totals=cursor.get("totals"),
            before=cursor.get("before"),
            after=int(cursor.get("after") or 0),
            reached=cursor.get("reached"),
            met=cursor.get("met", {}),
        )

    def start(self, overlap: timedelta, zone: ZoneInfo) -> datetime:
        return window_start(self.watermark, overlap, zone)

    def news(self, found: Found, start: datetime) -> list[str]:
        """The patients of whom not just the same was met before."""
        return [patient for patient, stamps in found.stamps.items() if stamps != _since(self.recent, patient, start)]

    def take(self, found: Found) -> None:
        """Notes a page that was read."""
        for patient, stamps in found.stamps.items():
            self.reached = max([*stamps, *([self.reached] if self.reached else [])], key=naive)
            if self.met is not None and patient != found.cut:
                self.met[patient] = stamps
        if self.met is not None and sum(map(len, self.met.values())) > REMEMBERED:
            self.met = None
        self.after = found.after or 0

    def unfinished(self) -> dict[str, Any]:
        """The cursor behind a page that another one follows."""
        return {
            "watermark": self.watermark,
            "recent": self.recent,
            "before": self.before,
            "after": self.after,
            "reached": self.reached,
            "met": self.met,
        }

    def unchanged(self) -> dict[str, Any]:
        """The cursor behind a look that met nothing it did not know."""
        return {"watermark": self.watermark, "recent": {}, "large": True, "totals": self.totals}

    def finished(self, clock: str, overlap: timedelta, zone: ZoneInfo) -> dict[str, Any]:
        """The cursor behind the last page; `clock` is the server's time."""
        times = [stamp for stamp in (self.watermark, self.reached) if stamp]
        watermark = min(max(times, key=naive), clock, key=naive) if times else clock
        start = window_start(watermark, overlap, zone)
        if self.met is None:
            return {"watermark": watermark, "recent": {}, "large": True, "totals": None}
        met = {patient: _since(self.met, patient, start) for patient in self.met}
        return {"watermark": watermark, "recent": {patient: stamps for patient, stamps in met.items() if stamps}}


def _since(stamps: Stamps, patient: str, start: datetime) -> list[str]:
    return [stamp for stamp in stamps.get(patient, ()) if naive(stamp) >= start]
