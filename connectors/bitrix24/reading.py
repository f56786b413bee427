"""Records from Bitrix24: all of them over parallel ranges of ids, the changed ones, or some by id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from connectors.bitrix24.catalogue import Catalogue
from connectors.bitrix24.chains import Chained, Rows
from connectors.bitrix24.changes import Changes
from connectors.bitrix24.commands import PAGE
from connectors.bitrix24.entities import ID, STAMPS
from connectors.bitrix24.lists import Lists
from connectors.bitrix24.ranges import CHAINS, Range, cursor_of, divided, resumed
from connectors.bitrix24.wire import record_of
from connectors.core.fanout import batched
from connectors.core.types import Page, ReadMode, ReadQuery, RemoteRecord

# As many records as a page has where nobody asks for fewer.
RECORDS = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """What of each record is asked for: its fields, and those of its lists that are left out where they are empty."""

    select: Sequence[str]
    lists: tuple[str, ...]


class Reader:
    """The pages of `read` for one entity, and records for whoever needs them before writing."""

    def __init__(self, lists: Lists, catalogue: Catalogue) -> None:
        self._lists, self._catalogue, self._entity = lists, catalogue, catalogue.entity
        self.everything = Asked(self._entity.everything, self._entity.multifields)

    def read(self, query: ReadQuery) -> Iterator[Page]:
        asked = self.asked(query.fields)
        match query.mode:
            case ReadMode.IDS:
                return self._by_ids(query, asked)
            case ReadMode.CHANGES:
                return self._changes(query, asked)
        return self._full(query, asked)

    def asked(self, fields: Sequence[str]) -> Asked:
        """Some fields, with what every record needs; without any, all of them."""
        if not fields:
            return self.everything
        lists = tuple(name for name in self._entity.multifields if name in fields)
        return Asked(list(dict.fromkeys([*STAMPS, *fields])), lists)

    def decode(self, rows: Iterable[Mapping[str, Any]], asked: Asked | None = None) -> list[RemoteRecord]:
        """Values are decoded as they are asked for, and the fields read only then."""
        lists = (asked or self.everything).lists
        return [record_of(row, self._readers, lists) for row in rows]

    def _readers(self) -> Mapping[str, Callable[[Any], Any]]:
        return self._catalogue.readers

    def _by_ids(self, query: ReadQuery, asked: Asked) -> Iterator[Page]:
        left = len(query.ids)
        for ids, found in self._lists.by_ids(query.ids, asked.select):
            left -= len(ids)
            absent = [i for i in ids if i not in found]
            yield Page(self.decode(found.values(), asked), last=not left, deleted_ids=absent)

    def _changes(self, query: ReadQuery, asked: Asked) -> Iterator[Page]:
        changes = Changes.start(self._lists, query)
        for rows in changes.pages(asked.select):
            for some in batched(rows, query.limit or RECORDS):
                changes.handed_out(some)
                yield Page(self.decode(some, asked), changes.cursor())
        yield Page((), changes.end(), last=True)

    def _full(self, query: ReadQuery, asked: Asked) -> Iterator[Page]:
        """In the order of arrival: several chains of pages are under way, and each page says where all of them stand.

        What is changed, made or deleted meanwhile moves nobody, as pages begin after an id. What is made meanwhile has
        the highest ids and is met at the end of the open range.
        """
        limit = query.limit or RECORDS
        if query.cursor is None:
            newest, rows = self._lists.first(asked.select)
            after = int(rows[-1][ID]) if rows else 0
            ranges = divided(after, newest) if len(rows) == PAGE else []
            yield from self._pages(rows, limit, asked, ranges)
        else:
            ranges = resumed(query.cursor)
        for one, found in _side_by_side(ranges, lambda r: self._next(r, asked)):
            for rows in _joined(found.pages, limit):
                one.after = int(rows[-1][ID])
                yield Page(self.decode(rows, asked), cursor_of(ranges))
        yield Page((), last=True)

    def _pages(self, rows: Rows, limit: int, asked: Asked, ranges: Sequence[Range]) -> Iterator[Page]:
        """Of the first page, before the ranges begin: an interrupted read begins at its last record."""
        for some in batched(rows, limit):
            after, whole = int(some[-1][ID]), some[-1] is rows[-1]
            newest = max((r.newest for r in ranges), default=after)
            cursor = cursor_of(ranges) if whole and ranges else {"ranges": [[after, None]], "newest": newest}
            yield Page(self.decode(some, asked), cursor)

    def _next(self, one: Range, asked: Asked) -> Chained:
        pages = one.pages(self._lists.pages_at_once)
        return self._lists.chained(asked.select, one.filters(), one.asked, pages)


def _joined(pages: Iterable[Rows], limit: int) -> Iterator[Rows]:
    return batched((row for page in pages for row in page), limit)


def _side_by_side(ranges: Sequence[Range], ask: Callable[[Range], Chained]) -> Iterator[tuple[Range, Chained]]:
    """Answers as they arrive. The next request of a range leaves before its answer is dealt with.

    After a failure what is under way is still handed out, then it is raised.
    """
    under_way: dict[Future[Chained], Range] = {}
    failure: BaseException | None = None
    pool = ThreadPoolExecutor(max_workers=CHAINS, thread_name_prefix="ranges")
    waiting = list(ranges)[::-1]
    try:
        while under_way or (waiting and failure is None):
            while waiting and failure is None and len(under_way) < CHAINS:
                one = waiting.pop()
                under_way[pool.submit(ask, one)] = one
            done, _rest = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                one = under_way.pop(future)
                error = future.exception()
                if error is not None:
                    failure = failure or error
                    continue
                found = future.result()
                one.took(found.last, ended=found.ended)
                if not one.ended and failure is None:
                    under_way[pool.submit(ask, one)] = one
                yield one, found
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if failure is not None:
        raise failure
