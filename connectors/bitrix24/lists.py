"""One entity's lists: chains of pages, the newest id, and records by their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from connectors.bitrix24.chains import UNORDERED, Chained, Rows, chain, ids_of, unchain
from connectors.bitrix24.client import BitrixClient
from connectors.bitrix24.commands import MOST, PAGE, Answer, Command
from connectors.bitrix24.entities import ID, Entity
from connectors.core.clock import Clock
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.fanout import batched

# A batch that takes longer is asked for with fewer pages: the portal cuts a request off after 60 s (sheet 7).
SLOW_SECONDS, QUICK_SECONDS = 15.0, 5.0
FEWEST_PAGES = 5
MOST_TRIES, MOST_WAITS = 6, 20
PASSING = (ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED)


class Patience:
    """How often commands that failed inside a good answer are asked for again."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._tries, self._waits = clock, 0, 0

    def wait_out(self, error: ApiError) -> None:
        """Raises the error when it is final, or has come too often."""
        limited = error.kind is ErrorKind.RATE_LIMITED
        self._waits, self._tries = self._waits + limited, self._tries + (not limited)
        if error.kind not in PASSING or self._tries >= MOST_TRIES or self._waits > MOST_WAITS:
            raise error
        # Where a method's time is used up, the client's own limit waits besides.
        self._clock.sleep(min(2.0**self._tries / 4, 10.0))


class Lists:
    """Asks for the records of one entity; `pages_at_once` follows how long the portal takes."""

    def __init__(self, client: BitrixClient, entity: Entity) -> None:
        self.client, self.entity = client, entity
        self.pages_at_once = MOST
        self._ahead: tuple[list[str], Answer] | None = None

    def first(self, select: Sequence[str]) -> tuple[int, Rows]:
        """The highest id there is, 0 for none, and the first page. Raises ApiError."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == list(select):
            # What failed there is asked for again, as it would have been.
            with suppress(ApiError):
                return _first(ahead[1].rows)
        return _first(self.again(self._first_commands(select)))

    def first_ahead(self, select: Sequence[str]) -> tuple[list[Command], Callable[[Answer], None]]:
        """The commands of `first` for another request, and what takes its answer: `first` then asks for nothing."""

        def take(answer: Answer) -> None:
            self._ahead = (list(select), answer)

        return self._first_commands(select), take

    def _first_commands(self, select: Sequence[str]) -> list[Command]:
        return [self.newest_command(), *chain(self._method, select, {}, 0, 1)]

    def newest_command(self) -> Command:
        asked = {"order": {ID: "DESC"}, "filter": {f">{ID}": 0}, "start": -1, "select": [ID]}
        return Command("newest", self._method, asked)

    def chained(self, select: Sequence[str], filters: Mapping[str, Any], after: int, pages: int) -> Chained:
        """Pages above `after`, at least one or the end. Raises ApiError when even the first fails for good."""
        patience = Patience(self.client.context.clock)
        while True:
            asked = min(pages, self.pages_at_once)
            try:
                answer = self.client.batch(chain(self._method, select, filters, after, asked))
            except ApiError as e:
                # Heavy batches end in 5xx, HTML or nothing at all (sheet 12).
                if e.kind is not ErrorKind.TRANSIENT or asked <= FEWEST_PAGES:
                    raise
                self.pages_at_once = max(asked // 2, FEWEST_PAGES)
                continue
            self._pace(answer.seconds)
            found = unchain(answer, asked, after)
            if found.pages or found.ended:
                return found
            patience.wait_out(found.error or ApiError(ErrorKind.BUG, "A chain of pages stood still."))

    def by_ids(
        self, ids: Iterable[str], select: Sequence[str]
    ) -> Iterator[tuple[list[str], dict[str, dict[str, Any]]]]:
        """(ids, records by id) of each batch; ids that are no numbers, or that nothing carries, have no record."""
        for some in batched(ids, MOST * PAGE):
            numbers = [i for i in dict.fromkeys(some) if i.isascii() and i.isdigit()]
            asked = {f"i{n}": part for n, part in enumerate(batched(numbers, PAGE))}
            filters = [{"filter": {f"@{ID}": part}, "order": {ID: "ASC"}, "start": -1} for part in asked.values()]
            found = self._rows(zip(asked, filters, strict=True), select) if asked else []
            known = set(numbers)
            yield some, {str(row[ID]): row for row in found if str(row[ID]) in known}

    def matching(self, filters: Sequence[Mapping[str, Any]], select: Sequence[str]) -> Rows:
        """The records that fit one of the filters: of each a page at most."""
        found: Rows = []
        for some in batched(enumerate(filters), MOST):
            asked = [(f"f{n}", {"filter": one, "order": {ID: "ASC"}, "start": -1}) for n, one in some]
            found += self._rows(asked, select)
        return found

    def _rows(self, asked: Iterable[tuple[str, Mapping[str, Any]]], select: Sequence[str]) -> Rows:
        commands = [Command(key, self._method, {**params, "select": list(select)}) for key, params in asked]
        answer = self.again(commands)
        rows = [row for command in commands for row in answer(command.key)]
        ids_of(rows)
        return rows

    def again(self, commands: Sequence[Command]) -> Callable[[str], Rows]:
        """The rows of every command by its key, after asking anew for those that failed for a while."""
        results: dict[str, Rows] = {}
        patience = Patience(self.client.context.clock)
        left = list(commands)
        while left:
            answer = self.client.batch(left)
            failed: dict[str, ApiError] = {}
            for command in left:
                try:
                    results[command.key] = answer.rows(command.key)
                except ApiError as e:
                    failed[command.key] = e
            left = [command for command in left if command.key in failed]
            if left:
                final = (e for e in failed.values() if e.kind not in PASSING)
                patience.wait_out(next(final, failed[left[0].key]))
        return results.__getitem__

    def _pace(self, seconds: float) -> None:
        if seconds > SLOW_SECONDS:
            self.pages_at_once = max(self.pages_at_once // 2, FEWEST_PAGES)
        elif seconds < QUICK_SECONDS:
            self.pages_at_once = min(self.pages_at_once * 2, MOST)

    @property
    def _method(self) -> str:
        return self.entity.method("list")


def _first(rows: Callable[[str], Rows]) -> tuple[int, Rows]:
    """Raises ApiError (TRANSIENT) when the page is in no order."""
    page = rows("p0")
    ids = ids_of(page)
    if ids != sorted(ids):
        raise ApiError(ErrorKind.TRANSIENT, UNORDERED)
    return max(ids_of(rows("newest")), default=0), page
