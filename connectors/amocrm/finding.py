"""Looks records up by what identifies them: a few by search, many against an index of the whole account."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.amocrm.identities import Identities, query_of
from connectors.amocrm.index import Index
from connectors.amocrm.lists import PAGE
from connectors.amocrm.reading import IDS_AT_ONCE, Reader
from connectors.core.clock import Clock
from connectors.core.fanout import batched
from connectors.core.types import MatchKey, RemoteRecord

# One search each costs less than reading the whole account only for a few.
FEW = 25
# How long the index is trusted before the account is asked for what others have added since.
FRESH_SECONDS = 10.0


class Finder:
    """The answers of `find` for one entity.

    Every record is compared by its own values: search and filters answer near misses. `created` and `doubt` are called
    by the writer, from its threads.
    """

    def __init__(self, reader: Reader, identities: Identities, clock: Clock) -> None:
        self._reader, self._identities, self._clock = reader, identities, clock
        self._index: Index | None = None
        self._looked_at = 0.0
        self._in_doubt = False

    @property
    def has_index(self) -> bool:
        """Whether the whole account has been read."""
        return self._index is not None

    def find(self, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        by_id = [key for key in keys if key.name == "id"]
        named = [key for key in keys if key.name != "id"]
        raw = self._by_ids([key.value for key in by_id])
        if self._index is None and len(named) <= FEW:
            raw |= self._searched(named)
        elif named:
            raw |= self._indexed(named)
        return self._matched(keys, list(raw.values()))

    def created(self, number: str, values: Mapping[str, Any]) -> None:
        """The hub itself has made this record: it need not be read again to be known."""
        if self._index is not None:
            self._index.add(self._rows(int(number), self._identities.of_values(number, values)))

    def doubt(self) -> None:
        """An answer was lost: there may be records that nobody told us of."""
        self._in_doubt = True

    def close(self) -> None:
        if self._index is not None:
            self._index.close()

    def _searched(self, keys: Sequence[MatchKey]) -> dict[str, dict[str, Any]]:
        """By full-text search, and among the newest: what was created a moment ago may not be searchable yet."""
        if not keys:
            return {}
        found: dict[str, dict[str, Any]] = {}
        params: list[dict[str, Any]] = [{"query": query_of(key)} for key in keys]
        for asked in [*params, {"order[id]": "desc"}]:
            raw, _more = self._reader.page({"limit": PAGE, **asked})
            found |= {str(r["id"]): r for r in raw}
        return found

    def _indexed(self, keys: Sequence[MatchKey]) -> dict[str, dict[str, Any]]:
        """By an index of all records, read once and then kept up; the hits are read again as they are now."""
        if self._index is None:
            self._index = Index()
            self._looked_at, self._in_doubt = self._clock.monotonic(), False
            for raw, _more in self._reader.all_pages():
                self._take(self._index, raw)
        elif self._in_doubt or self._clock.monotonic() - self._looked_at > FRESH_SECONDS:
            self._keep_up(self._index)
        return self._by_ids(self._index.ids([_digest(self._identities.of_key(key)) for key in keys]))

    def _keep_up(self, index: Index) -> None:
        """The newest records, back to a page that is known already; after a lost answer, to where all was read."""
        floor, thorough = index.read_up_to, self._in_doubt
        self._looked_at, self._in_doubt = self._clock.monotonic(), False
        newest = floor
        for raw in self._newest_first():
            known = index.holds([_digest(f"id:{r['id']}") for r in raw])
            newest = max([newest, *(int(r["id"]) for r in raw)])
            index.add(row for r in raw for row in self._rows_of(r))
            if any(int(r["id"]) <= floor for r in raw) or (known and not thorough):
                break
        if thorough:
            index.read_up_to = newest

    def _newest_first(self) -> Iterator[list[dict[str, Any]]]:
        number, more = 1, True
        while more:
            raw, more = self._reader.page({"limit": PAGE, "page": number, "order[id]": "desc"})
            yield raw
            number += 1

    def _take(self, index: Index, raw: Sequence[dict[str, Any]]) -> None:
        index.add(row for r in raw for row in self._rows_of(r))
        index.read_up_to = max([index.read_up_to, *(int(r["id"]) for r in raw)])

    def _rows_of(self, raw: Mapping[str, Any]) -> Iterable[tuple[int, int]]:
        return self._rows(int(raw["id"]), self._identities.of_record(raw))

    @staticmethod
    def _rows(number: int, identities: Iterable[str]) -> list[tuple[int, int]]:
        return [(number, _digest(identity)) for identity in identities]

    def _by_ids(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        raw: dict[str, dict[str, Any]] = {}
        for some in batched(ids, IDS_AT_ONCE):
            raw |= self._reader.raw_by_ids(some)
        return raw

    def _matched(self, keys: Sequence[MatchKey], raw: Sequence[dict[str, Any]]) -> dict[MatchKey, list[RemoteRecord]]:
        wanted: dict[str, list[MatchKey]] = {}
        for key in keys:
            wanted.setdefault(self._identities.of_key(key), []).append(key)
        found: dict[MatchKey, list[RemoteRecord]] = {key: [] for key in keys}
        hits = [r for r in raw if not wanted.keys().isdisjoint(self._identities.of_record(r))]
        for record in self._reader.decode(hits):
            for identity in self._identities.of_record(record.raw):
                for key in wanted.get(identity, ()):
                    found[key].append(record)
        return found


def _digest(identity: str) -> int:
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest(), "big", signed=True)
