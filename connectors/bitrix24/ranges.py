"""The id space of a full read in parts that are read side by side; where each part stands is the read's cursor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.bitrix24.commands import MOST, PAGE

# As many chains at once as a portal bears: parallel series from one address are frowned upon (sheet 7).
CHAINS = 3
BATCH_RECORDS = MOST * PAGE


@dataclass(slots=True)
class Range:
    """The ids above `after` up to `upto`, None for all there are; `newest` is the highest id known to lie in it.

    `asked` runs ahead of `after`: what is between has been read and not handed out yet. `beyond` is how many pages to
    ask for above `newest`, where nobody knows how many there are.
    """

    after: int
    upto: int | None
    newest: int
    asked: int
    ended: bool = False
    beyond: int = 1

    def pages(self, most: int) -> int:
        """How many pages to ask for next. No more than so many ids can fill: each beyond would repeat page one."""
        top = self.newest if self.upto is None else self.upto
        possible = math.ceil(max(top - self.asked, 0) / PAGE)
        return max(min(possible + (self.beyond if self.upto is None else 0), most), 1)

    def filters(self) -> dict[str, int]:
        return {} if self.upto is None else {"<=ID": self.upto}

    def took(self, last: int, *, ended: bool) -> None:
        """Everything up to `last` has been answered."""
        self.asked = last
        if last > self.newest:
            self.beyond *= 2
        self.ended = ended or (self.upto is not None and last >= self.upto)


def divided(after: int, newest: int) -> list[Range]:
    """Ranges over all ids above `after`; the last one is open, for what is made meanwhile.

    Bounds are whole batches apart, so that where ids have no gaps no request is filled in part.
    """
    batches = math.ceil(max(newest - after, 0) / BATCH_RECORDS)
    share = batches // CHAINS
    starts = [after + number * share * BATCH_RECORDS for number in range(CHAINS)] if share else [after]
    bounds: list[int | None] = [*starts[1:], None]
    return [Range(start, upto, newest, start) for start, upto in zip(starts, bounds, strict=True)]


def cursor_of(ranges: Sequence[Range]) -> dict[str, Any]:
    """What is still to be handed out."""
    left = [r for r in ranges if not r.ended or r.asked > r.after]
    return {"ranges": [[r.after, r.upto] for r in left], "newest": max((r.newest for r in ranges), default=0)}


def resumed(cursor: Mapping[str, Any]) -> list[Range]:
    newest = int(cursor["newest"])
    return [Range(int(after), upto, newest, int(after)) for after, upto in cursor["ranges"]]
