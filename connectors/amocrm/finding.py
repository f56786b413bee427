"""Looks contacts up by e-mail or phone: a few by search, many against an index of the whole account."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from connectors.amocrm.catalogue import PAGE, Catalogue, listed, pages
from connectors.amocrm.client import AmoClient
from connectors.amocrm.points import same_email, same_phone
from connectors.amocrm.reading import CONTACTS_PATH, IDS_AT_ONCE, Reader
from connectors.amocrm.wire import EMAIL, PHONE
from connectors.core.fanout import batched
from connectors.core.types import MatchKey, RemoteRecord

# One search each costs less than reading the whole account only for a few.
FEW = 25
_NOT_DIGITS = re.compile(r"\D", re.ASCII)
_FIELDS = {"email": EMAIL, "phone": PHONE}


class Finder:
    """The answers of `find`. Every record is compared by its own values: search and filters answer near misses."""

    def __init__(self, client: AmoClient, catalogue: Catalogue, reader: Reader, region: str) -> None:
        self._client, self._catalogue, self._reader, self._region = client, catalogue, reader, region
        self._index: Index | None = None

    def find(self, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        by_id = [key for key in keys if key.name == "id"]
        named = [key for key in keys if key.name in _FIELDS]
        raw: dict[str, dict[str, Any]] = {}
        for some in batched(by_id, IDS_AT_ONCE):
            raw |= self._reader.raw_by_ids([key.value for key in some])
        if self._index is None and len(named) <= FEW:
            raw |= self._searched(named)
        elif named:
            raw |= self._indexed(named)
        return self._matched(keys, list(raw.values()))

    def close(self) -> None:
        if self._index is not None:
            self._index.close()

    def _searched(self, keys: Sequence[MatchKey]) -> dict[str, dict[str, Any]]:
        """By full-text search, and among the newest: what was created a moment ago may not be searchable yet."""
        if not keys:
            return {}
        found: dict[str, dict[str, Any]] = {}
        params: list[dict[str, Any]] = [{"query": _query(key)} for key in keys]
        for asked in [*params, {"order[id]": "desc"}]:
            reply = self._client.get(CONTACTS_PATH, params={"limit": PAGE, **asked})
            if reply.status != 204:
                found |= {str(r["id"]): r for r in listed(reply.json, "contacts")}
        return found

    def _indexed(self, keys: Sequence[MatchKey]) -> dict[str, dict[str, Any]]:
        """By an index of all contacts, read once and then kept up; the hits are read again as they are now."""
        if self._index is None:
            self._index = Index()
            newest_first, floor = False, 0
        else:
            newest_first, floor = True, self._index.newest
        for page in self._pages(newest_first):
            self._index.add((int(r["id"]), _digest(i)) for r in page for i in self._identities(r))
            self._index.newest = max([self._index.newest, *(int(r["id"]) for r in page)])
            if newest_first and any(int(r["id"]) <= floor for r in page):
                break
        ids = self._index.ids([_digest(self._identity(key)) for key in keys])
        raw: dict[str, dict[str, Any]] = {}
        for some in batched(ids, IDS_AT_ONCE):
            raw |= self._reader.raw_by_ids(some)
        return raw

    def _pages(self, newest_first: bool) -> Iterator[list[dict[str, Any]]]:
        order = {"order[id]": "desc" if newest_first else "asc"}
        return pages(self._client, CONTACTS_PATH, "contacts", order)

    def _matched(self, keys: Sequence[MatchKey], raw: Sequence[dict[str, Any]]) -> dict[MatchKey, list[RemoteRecord]]:
        wanted: dict[str, list[MatchKey]] = {}
        for key in keys:
            wanted.setdefault(self._identity(key), []).append(key)
        found: dict[MatchKey, list[RemoteRecord]] = {key: [] for key in keys}
        hits = [r for r in raw if not wanted.keys().isdisjoint(self._identities(r))]
        for record in self._reader.decode(hits):
            for identity in self._identities(record.raw):
                for key in wanted.get(identity, ()):
                    found[key].append(record)
        return found

    def _identity(self, key: MatchKey) -> str:
        if key.name == "email":
            return f"{EMAIL}:{same_email(key.value)}"
        return f"{PHONE}:{same_phone(key.value, self._region)}" if key.name == "phone" else f"id:{key.value}"

    def _identities(self, raw: Any) -> set[str]:
        found = {f"id:{raw['id']}"}
        for held in raw.get("custom_fields_values") or ():
            code = held.get("field_code") if isinstance(held, dict) else None
            for row in (held.get("values") or ()) if code in (EMAIL, PHONE) else ():
                text = str(row.get("value") or "")
                same = same_email(text) if code == EMAIL else same_phone(text, self._region)
                if same:
                    found.add(f"{code}:{same}")
        return found


def _query(key: MatchKey) -> str:
    """The last ten digits find a number however it is written."""
    return _NOT_DIGITS.sub("", key.value)[-10:] if key.name == "phone" else key.value.strip()


def _digest(identity: str) -> int:
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest(), "big", signed=True)


class Index:
    """Which contacts carry an identity: two numbers a row, in a file that is gone with it.

    Not in memory, which must not grow with the account; and only hashes, as the file lies outside our database.
    """

    def __init__(self) -> None:
        self.newest = 0
        self._rows = sqlite3.connect("", check_same_thread=False)
        self._rows.execute("CREATE TABLE identity (digest INTEGER, id INTEGER, PRIMARY KEY (digest, id)) WITHOUT ROWID")

    def add(self, rows: Iterable[tuple[int, int]]) -> None:
        """(id, digest) of every identity of some contacts."""
        self._rows.executemany("INSERT OR IGNORE INTO identity (id, digest) VALUES (?, ?)", rows)

    def ids(self, digests: Sequence[int]) -> list[str]:
        found: dict[str, None] = {}
        for some in batched(digests, 500):
            marks = ",".join("?" * len(some))
            asked = self._rows.execute(f"SELECT id FROM identity WHERE digest IN ({marks})", some)  # noqa: S608 - marks
            found.update((str(row[0]), None) for row in asked)
        return list(found)

    def close(self) -> None:
        self._rows.close()
