"""Records from amoCRM: all, the changed ones, some by id, or a page. Answers are checked against the question."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.amocrm.catalogue import Catalogue
from connectors.amocrm.client import AmoClient
from connectors.amocrm.lists import PAGE, has_next, listed
from connectors.amocrm.position import Position, changed_at
from connectors.amocrm.wire import decode_record
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.fanout import batched, fan_out, in_order
from connectors.core.types import Page, ReadMode, ReadQuery, RemoteRecord

# As many ids as surely fit an address.
IDS_AT_ONCE = 250
IN_FLIGHT = 8
# Answers slower than this share of the time between two slots are overlapped.
SLOW = 0.3

Found = tuple[list[dict[str, Any]], bool]


class Reader:
    """The pages of `read` for one entity, and records by id for whoever needs them before writing."""

    def __init__(self, client: AmoClient, catalogue: Catalogue) -> None:
        self._client, self._catalogue, self._entity = client, catalogue, catalogue.entity
        self._filters_by_id: bool | None = None

    def read(self, query: ReadQuery) -> Iterator[Page]:
        match query.mode:
            case ReadMode.IDS:
                return self._by_ids(query)
            case ReadMode.CHANGES:
                return self._changes(query)
            case ReadMode.PAGE:
                return self._one_page(query)
        return self._everything(query)

    def decode(self, raw: Sequence[dict[str, Any]]) -> list[RemoteRecord]:
        held = {f.get("field_id") for r in raw for f in r.get("custom_fields_values") or () if isinstance(f, dict)}
        known = self._catalogue.by_id if held else {}
        zone = self._catalogue.zone_for([known[i].spec.key for i in held if i in known])
        return [decode_record(r, self._catalogue.own, known, zone) for r in raw]

    def page(self, params: Mapping[str, Any]) -> Found:
        """The records of one page as they came, and whether another one follows."""
        reply = self._client.get(self._entity.path, params={**self._related(), **params})
        if reply.status == 204:
            return [], False
        found = listed(reply.json, self._entity.name)
        return found, bool(found) and has_next(reply.json)

    def all_pages(self, first: int = 1, limit: int = PAGE) -> Iterator[Found]:
        """From page `first` on to the last one, in order.

        By ascending id: new records land at the end, so nobody moves while we read, and pages may be asked for at once
        (sheet 5.2). As many are under way as the limit lets through while one answer takes its time.
        """

        def one(number: int) -> Found:
            return self.page({"limit": limit, "page": number, "order[id]": "asc"})

        return in_order(one, first, lambda found: not found[1], self._width, IN_FLIGHT)

    def _width(self) -> int:
        limit = self._client.limit()
        needed = self._client.answer_seconds / limit.interval if limit is not None else 0.0
        return 1 if needed < SLOW else min(math.ceil(needed) + 1, IN_FLIGHT)

    def _everything(self, query: ReadQuery) -> Iterator[Page]:
        first = int((query.cursor or {}).get("page", 1))
        limit = min(query.limit or PAGE, PAGE)
        for number, (raw, more) in enumerate(self.all_pages(first, limit), first):
            yield Page(self.decode(raw), {"page": number + 1} if more else None, last=not more)

    def _one_page(self, query: ReadQuery) -> Iterator[Page]:
        asked = {"limit": min(query.limit or PAGE, PAGE), "page": query.page}
        raw, more = self.page({**asked, **({"query": query.query} if query.query else {"order[id]": "asc"})})
        yield Page(self.decode(raw), last=not more)

    def _changes(self, query: ReadQuery) -> Iterator[Page]:
        """From a moment on, in the order of change.

        Offsets move while people edit, so every page starts at the time of the last record seen and leaves out what
        was seen at that time; only where one second holds more than a page does the page number count.
        """
        state = Position.start(query)
        limit = min(query.limit or PAGE, PAGE)
        while True:
            asked = {"limit": limit, "page": state.page, "order[updated_at]": "asc"}
            raw, more = self.page({**asked, "filter[updated_at][from]": state.moment})
            # Where the account ignores filters, everything comes back.
            fresh = [r for r in raw if changed_at(r) >= state.floor and str(r["id"]) not in state.known]
            state.move(raw, more)
            yield Page(self.decode(fresh), state.cursor(), last=not more)
            if not more:
                return

    def _by_ids(self, query: ReadQuery) -> Iterator[Page]:
        batches = list(batched(query.ids, IDS_AT_ONCE))
        for number, ids in enumerate(batches, 1):
            raw = self.raw_by_ids(ids)
            absent = [i for i in ids if i not in raw]
            yield Page(self.decode(list(raw.values())), last=number == len(batches), deleted_ids=absent)

    def raw_by_ids(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The records that exist, as they came, by id: one request, or one each where the account ignores filters."""
        wanted = [i for i in dict.fromkeys(ids) if i.isdigit()]
        if len(wanted) > 1 and self._filters_by_id is not False:
            raw, more = self.page({"limit": PAGE, "page": 1, "filter[id][]": wanted})
            found = {str(r["id"]): r for r in raw}
            self._filters_by_id = not more and set(found) <= set(wanted)
            if self._filters_by_id:
                return found
        answers = fan_out(self._one, wanted, IN_FLIGHT) if len(wanted) > 1 else map(self._one, wanted)
        return {str(r["id"]): r for r in answers if r is not None}

    def _one(self, number: str) -> dict[str, Any] | None:
        try:
            reply = self._client.get(f"{self._entity.path}/{number}", params=self._related())
        except ApiError as e:
            if e.kind is not ErrorKind.GONE:
                raise
            return None
        found = reply.json if isinstance(reply.json, dict) else {}
        return found if reply.status != 204 and str(found.get("id")) == number else None

    def _related(self) -> dict[str, str]:
        return {"with": self._entity.related} if self._entity.related else {}
