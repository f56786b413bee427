"""Contacts from HubSpot: all of them, the changed ones, or some by id or e-mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.fanout import batched
from connectors.core.http import Call
from connectors.core.types import FieldSpec, MatchKey, Page, ReadMode, ReadQuery, RemoteRecord
from connectors.hubspot.catalogue import Catalogue
from connectors.hubspot.client import Addresses, HubSpotClient
from connectors.hubspot.wire import ADDITIONAL_EMAILS, EMAIL, decode_record, same_email

PAGE = 100
SEARCH_PAGE = 200
MODIFIED = "lastmodifieddate"
# The search index lags behind the records; what it showed last time may have had company.
OVERLAP_MS = 120_000
DEFAULT_FIELDS = ("email", "firstname", "lastname", "phone", "company", "jobtitle")


class Reader:
    """The pages of `read` and the answers of `find`."""

    def __init__(self, client: HubSpotClient, addresses: Addresses, catalogue: Catalogue) -> None:
        self._client, self._path, self._catalogue = client, addresses.contacts, catalogue

    @property
    def _specs(self) -> Mapping[str, FieldSpec]:
        return self._catalogue.specs

    def read(self, query: ReadQuery) -> Iterator[Page]:
        if query.mode is ReadMode.IDS:
            return self._by_ids(query)
        return self._changes(query) if query.mode is ReadMode.CHANGES else self._everything(query)

    def _fields(self, query: ReadQuery) -> list[str]:
        return list(query.fields) or [name for name in DEFAULT_FIELDS if name in self._specs]

    def _decode(self, raw: Any) -> list[RemoteRecord]:
        if not isinstance(raw, list):
            raise ApiError(ErrorKind.TRANSIENT, "HubSpot's answer does not list records.")
        return [decode_record(r, self._specs) for r in raw if isinstance(r, dict) and r.get("id")]

    def _everything(self, query: ReadQuery) -> Iterator[Page]:
        after = (query.cursor or {}).get("after")
        params = {"limit": min(query.limit or PAGE, PAGE), "properties": ",".join(self._fields(query))}
        while True:
            reply = self._client.get(self._path, params={**params, "after": after} if after else params)
            after = reply.member("paging", "next", "after")
            cursor = {"after": str(after)} if after else None
            yield Page(self._decode(reply.member("results")), cursor, last=cursor is None)
            if cursor is None:
                return

    def _by_ids(self, query: ReadQuery) -> Iterator[Page]:
        batches = list(batched(query.ids, PAGE))
        for number, ids in enumerate(batches, 1):
            records = self._lookup(ids, self._fields(query), "")
            found = {record.id for record in records}
            absent = [i for i in ids if i not in found]
            yield Page(records, last=number == len(batches), deleted_ids=absent)

    def _lookup(self, ids: Sequence[str], fields: Sequence[str], id_property: str) -> list[RemoteRecord]:
        asked: dict[str, Any] = {"properties": list(fields), "inputs": [{"id": i} for i in ids]}
        if id_property:
            asked["idProperty"] = id_property
        reply = self._client.send(Call("POST", f"{self._path}/batch/read", json=asked))
        return self._decode(reply.member("results"))

    def find(self, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        fields = [*(n for n in DEFAULT_FIELDS if n in self._specs), ADDITIONAL_EMAILS]
        found: dict[MatchKey, list[RemoteRecord]] = {key: [] for key in keys}
        for name in dict.fromkeys(key.name for key in keys):
            for some in batched([key for key in keys if key.name == name], PAGE):
                asked = {same_email(key.value): key for key in some}
                for record in self._lookup(list(asked), fields, EMAIL if name == EMAIL else ""):
                    for identity in _identities(record) if name == EMAIL else {record.id}:
                        if identity in asked:
                            found[asked[identity]].append(record)
        return found

    def _changes(self, query: ReadQuery) -> Iterator[Page]:
        """By key, not by offset: a record that changes while we page would shift the others past us."""
        state = _Position.start(query)
        fields = [*self._fields(query), MODIFIED]
        while True:
            limit = min(query.limit or SEARCH_PAGE, SEARCH_PAGE)
            reply = self._client.post(
                f"{self._path}/search",
                json={**state.search(), "properties": fields, "limit": limit},
                limits=("search",),
            )
            records = self._decode(reply.member("results"))
            fresh = state.take(records, full=len(records) >= limit)
            yield Page(fresh, state.cursor(), last=state.finished)
            if state.finished:
                return


def _identities(record: RemoteRecord) -> set[str]:
    properties = record.raw.get("properties") or {}
    listed = [properties.get(EMAIL) or "", *(properties.get(ADDITIONAL_EMAILS) or "").split(";")]
    return {same_email(address) for address in listed if address}


def _millis(record: RemoteRecord) -> int:
    text = (record.raw.get("properties") or {}).get(MODIFIED)
    at = datetime.fromisoformat(str(text)) if text else record.updated_at or datetime.fromtimestamp(0, UTC)
    return round(at.timestamp() * 1000)


class _Position:
    """Where a read of changes stands: everything before `moment` (epoch ms) is read, and `known` ids at it.

    `floor` is where this read began. `after_id` is set while more records share one moment than fit a page: then it
    goes on by id within that moment.
    """

    def __init__(self, moment: int, floor: int, known: Sequence[str] = (), after_id: str = "") -> None:
        self.moment, self.floor, self.known, self.after_id = moment, floor, set(known), after_id
        self.finished = False

    @classmethod
    def start(cls, query: ReadQuery) -> _Position:
        if query.cursor is not None:
            cursor = query.cursor
            moment = int(cursor["moment"])
            return cls(moment, int(cursor["floor"]), cursor["known"], str(cursor["after_id"]))
        moment = round(query.since.timestamp() * 1000) if query.since else 0
        return cls(moment, moment)

    def cursor(self) -> dict[str, Any]:
        return {"moment": self.moment, "floor": self.floor, "known": sorted(self.known), "after_id": self.after_id}

    def search(self) -> dict[str, Any]:
        if not self.after_id:
            filters = [{"propertyName": MODIFIED, "operator": "GTE", "value": str(self.moment)}]
            order = MODIFIED
        else:
            filters = [
                {"propertyName": MODIFIED, "operator": "EQ", "value": str(self.moment)},
                {"propertyName": "hs_object_id", "operator": "GT", "value": self.after_id},
            ]
            order = "hs_object_id"
        return {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": order, "direction": "ASCENDING"}],
        }

    def take(self, records: Sequence[RemoteRecord], *, full: bool) -> list[RemoteRecord]:
        """Moves past a page; answers those of its records that no earlier page had."""
        fresh = [r for r in records if r.id not in self.known]
        if self.after_id:
            self._take_by_id(records, full=full)
        elif full:
            self._take_by_time(records)
        else:
            latest = max(map(_millis, records), default=0)
            self.moment = self.floor = max(self.floor, latest - OVERLAP_MS)
            self.known = set()
            self.finished = True
        return fresh

    def _take_by_time(self, records: Sequence[RemoteRecord]) -> None:
        latest = max(map(_millis, records))
        at_latest = {r.id for r in records if _millis(r) == latest}
        if latest > self.moment:
            self.moment, self.known = latest, at_latest
        else:
            self.known |= at_latest
            self.after_id = "0"

    def _take_by_id(self, records: Sequence[RemoteRecord], *, full: bool) -> None:
        if full:
            self.after_id = max((r.id for r in records), key=int)
        else:
            self.moment, self.after_id, self.known = self.moment + 1, "", set()
