"""How far a read of changes has come. Its cursor is stored with a page, so that a broken read goes on from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.core.types import ReadQuery

OVERLAP_SECONDS = 60


def changed_at(raw: dict[str, Any]) -> int:
    """When a record last changed, in epoch seconds; 0 where it is not told."""
    value = raw.get("updated_at")
    return int(value) if isinstance(value, int | float) else 0


class Position:
    """Where a read of changes stands: before `moment` (epoch seconds) all is read, and `known` ids at it or after.

    `floor` is where this read began; `page` counts on within one moment that fills more than a page.
    """

    def __init__(self, moment: int, floor: int, known: Sequence[str] = (), page: int = 1) -> None:
        self.moment, self.floor, self.known, self.page = moment, floor, set(known), page

    @classmethod
    def start(cls, query: ReadQuery) -> Position:
        if query.cursor is not None:
            held = query.cursor
            return cls(int(held["moment"]), int(held["floor"]), held["known"], int(held["page"]))
        moment = int(query.since.timestamp()) if query.since else 0
        return cls(moment, moment)

    def cursor(self) -> dict[str, Any]:
        return {"moment": self.moment, "floor": self.floor, "known": sorted(self.known), "page": self.page}

    def move(self, raw: Sequence[dict[str, Any]], more: bool) -> None:
        latest = max((changed_at(r) for r in raw), default=self.moment)
        if not more:
            # By their clock, and a little twice: writes of one second may be seen late.
            self.moment = self.floor = max(self.floor, latest - OVERLAP_SECONDS)
            self.known, self.page = set(), 1
        elif latest > self.moment:
            self.known = {str(r["id"]) for r in raw if changed_at(r) == latest}
            self.moment, self.page = latest, 1
        else:
            self.known |= {str(r["id"]) for r in raw}
            self.page += 1
