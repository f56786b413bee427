"""Contacts from amoCRM: all, the changed ones, or some by id. What comes back is checked against what was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from connectors.amocrm.catalogue import PAGE, Catalogue, has_next, listed
from connectors.amocrm.client import AmoClient
from connectors.amocrm.wire import decode_record
from connectors.core.fanout import batched, fan_out
from connectors.core.types import Page, ReadMode, ReadQuery, RemoteRecord

CONTACTS_PATH = "/api/v4/contacts"
# As many ids as surely fit an address.
IDS_AT_ONCE = 250
OVERLAP_SECONDS = 60
IN_FLIGHT = 4


class Reader:
    """The pages of `read`, and records by id for whoever needs them before writing."""

    def __init__(self, client: AmoClient, catalogue: Catalogue) -> None:
        self._client, self._catalogue = client, catalogue
        self._filters_by_id: bool | None = None

    def read(self, query: ReadQuery) -> Iterator[Page]:
        if query.mode is ReadMode.IDS:
            return self._by_ids(query)
        return self._changes(query) if query.mode is ReadMode.CHANGES else self._everything(query)

    def decode(self, raw: Sequence[dict[str, Any]]) -> list[RemoteRecord]:
        held = {f.get("field_id") for r in raw for f in r.get("custom_fields_values") or () if isinstance(f, dict)}
        known = self._catalogue.by_id
        zone = self._catalogue.zone_for([known[i].spec.key for i in held if i in known])
        return [decode_record(r, self._catalogue.own, known, zone) for r in raw]

    def _page(self, params: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
        """The records of one page and whether another one follows."""
        reply = self._client.get(CONTACTS_PATH, params=params)
        if reply.status == 204:
            return [], False
        found = listed(reply.json, "contacts")
        return found, bool(found) and has_next(reply.json)

    def _everything(self, query: ReadQuery) -> Iterator[Page]:
        """By ascending id: new contacts land at the end, so nobody moves while we read."""
        number = int((query.cursor or {}).get("page", 1))
        limit = min(query.limit or PAGE, PAGE)
        while True:
            raw, more = self._page({"limit": limit, "page": number, "order[id]": "asc"})
            number += 1
            yield Page(self.decode(raw), {"page": number} if more else None, last=not more)
            if not more:
                return

    def _changes(self, query: ReadQuery) -> Iterator[Page]:
        """From a moment on, in the order of change.

        Offsets move while people edit, so every page starts at the time of the last record seen and leaves out what
        was seen at that time; only where one second holds more than a page does the page number count.
        """
        state = _Position.start(query)
        limit = min(query.limit or PAGE, PAGE)
        while True:
            asked = {"limit": limit, "page": state.page, "order[updated_at]": "asc"}
            raw, more = self._page({**asked, "filter[updated_at][from]": state.moment})
            # Where the account ignores filters, everything comes back.
            fresh = [r for r in raw if _changed(r) >= state.floor and str(r["id"]) not in state.known]
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
        if not wanted:
            return {}
        if self._filters_by_id is not False:
            raw, more = self._page({"limit": PAGE, "page": 1, "filter[id][]": wanted})
            found = {str(r["id"]): r for r in raw}
            self._filters_by_id = not more and set(found) <= set(wanted)
            if self._filters_by_id:
                return found
        answers = fan_out(self._one, wanted, IN_FLIGHT)
        return {str(r["id"]): r for r in answers if r is not None}

    def _one(self, number: str) -> dict[str, Any] | None:
        reply = self._client.get(f"{CONTACTS_PATH}/{number}")
        found = reply.json if isinstance(reply.json, dict) else {}
        return found if reply.status != 204 and str(found.get("id")) == number else None


def _changed(raw: dict[str, Any]) -> int:
    value = raw.get("updated_at")
    return int(value) if isinstance(value, int | float) else 0


class _Position:
    """Where a read of changes stands: before `moment` (epoch seconds) all is read, and `known` ids at it or after.

    `floor` is where this read began; `page` counts on within one moment that fills more than a page.
    """

    def __init__(self, moment: int, floor: int, known: Sequence[str] = (), page: int = 1) -> None:
        self.moment, self.floor, self.known, self.page = moment, floor, set(known), page

    @classmethod
    def start(cls, query: ReadQuery) -> _Position:
        if query.cursor is not None:
            held = query.cursor
            return cls(int(held["moment"]), int(held["floor"]), held["known"], int(held["page"]))
        moment = int(query.since.timestamp()) if query.since else 0
        return cls(moment, moment)

    def cursor(self) -> dict[str, Any]:
        return {"moment": self.moment, "floor": self.floor, "known": sorted(self.known), "page": self.page}

    def move(self, raw: Sequence[dict[str, Any]], more: bool) -> None:
        latest = max((_changed(r) for r in raw), default=self.moment)
        if not more:
            # By their clock, and a little twice: writes of one second may be seen late.
            self.moment = self.floor = max(self.floor, latest - OVERLAP_SECONDS)
            self.known, self.page = set(), 1
        elif latest > self.moment:
            self.known = {str(r["id"]) for r in raw if _changed(r) == latest}
            self.moment, self.page = latest, 1
        else:
            self.known |= {str(r["id"]) for r in raw}
            self.page += 1
