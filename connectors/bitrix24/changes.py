"""A read of changes: by DATE_MODIFY from a mark on, in the order of ids, and what is new without telling (sheet 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.bitrix24.chains import Rows, chain, ids_of, unchain
from connectors.bitrix24.commands import MOST, PAGE, Answer, Command, moment
from connectors.bitrix24.entities import CHANGED, ID
from connectors.bitrix24.lists import Lists, Patience
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import ReadQuery

# Writes become visible out of the order of their times, and several share a second.
OVERLAP = timedelta(minutes=2)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# Each page asked for beyond the last one repeats the first: few at first, then as many as fit.
_FIRST_PAGES, _GROWTH = 2, 5
_NEWER = "newer"


@dataclass
class Changes:
    """Where a read of changes stands: all changed at `since` or later is handed out up to the id `after`.

    `newest` is the highest id that was ever seen: an imported record may lie above it with an old time of change; 0
    where it is not known yet. `mark` is when this read began, by the portal's clock.
    """

    lists: Lists
    since: datetime
    after: int = 0
    newest: int = 0
    mark: datetime | None = None

    @classmethod
    def start(cls, lists: Lists, query: ReadQuery) -> Changes:
        held = query.cursor
        if held is None:
            return cls(lists, query.since or _BEGINNING)
        since, mark = moment(held["since"]) or _BEGINNING, moment(held["mark"])
        return cls(lists, since, int(held["after"]), int(held["newest"]), mark)

    def cursor(self) -> dict[str, Any]:
        mark = self.mark.isoformat() if self.mark else ""
        return {"since": self.since.isoformat(), "after": self.after, "newest": self.newest, "mark": mark}

    def handed_out(self, rows: Rows) -> None:
        """These go out with the next cursor. New records that were met beside the changes do not move them."""
        last = rows[-1]
        if self._is_changed(last):
            self.after = int(last[ID])

    def end(self) -> dict[str, Any]:
        """The cursor from which the next read of changes begins."""
        if self.mark is not None:
            self.since = self.mark - OVERLAP
        self.after, self.mark = 0, None
        return self.cursor()

    def pages(self, select: Sequence[str]) -> Iterator[Rows]:
        """Lists of records, at least one request. Raises ApiError."""
        pages, ended, looked = _FIRST_PAGES, False, False
        newest, patience = self.newest, Patience(self.lists.client.context.clock)
        while not ended:
            beside = [] if looked else [self._newer(select) if self.newest else self.lists.newest_command()]
            commands = chain(self._method, select, self._filters(), self.after, pages)
            answer = self.lists.client.batch([*commands, *beside])
            self.mark = self.mark or answer.started
            found = unchain(answer, len(commands), self.after)
            if found.error is not None and not found.pages:
                patience.wait_out(found.error)
                continue
            for rows in found.pages:
                newest = max(newest, int(rows[-1][ID]))
                yield rows
            self.after, ended = found.last, found.ended
            if not looked:
                looked = True
                newest = max(newest, self.newest)
                for rows in self._beside(answer, select):
                    newest = max([newest, *ids_of(rows)])
                    new = [row for row in rows if self.newest and not self._is_changed(row)]
                    if new:
                        yield new
            pages = min(pages * _GROWTH, MOST, self.lists.pages_at_once)
        self.newest = newest

    def _filters(self) -> dict[str, Any]:
        # With its offset: without one it would be read as the portal's own time.
        return {f">={CHANGED}": self.since.isoformat(timespec="seconds")}

    def _newer(self, select: Sequence[str], after: int | None = None) -> Command:
        (command,) = chain(self._method, select, {}, after or self.newest, 1)
        return Command(_NEWER, command.method, command.params)

    def _beside(self, answer: Answer, select: Sequence[str]) -> Iterator[Rows]:
        """The newest record's id, or all records above the highest id known."""
        if not self.newest:
            yield answer.rows("newest")[:1]
            return
        rows = answer.rows(_NEWER)
        while rows:
            yield rows
            last = max(ids_of(rows))
            if len(rows) < PAGE:
                return
            rows = self.lists.client.batch([self._newer(select, last)]).rows(_NEWER)
            if rows and min(ids_of(rows)) <= last:
                raise ApiError(ErrorKind.TRANSIENT, "Bitrix24's answer does not list what was asked for.")

    def _is_changed(self, row: Mapping[str, Any]) -> bool:
        at = moment(row.get(CHANGED))
        return at is not None and at >= self.since

    @property
    def _method(self) -> str:
        return self.lists.entity.method("list")
