"""Looks contacts up by e-mail, phone or our own mark, against an index of the whole account.

Google's search finds prefixes, through a cache that lags, 30 at most (sheet 4.8): it is of no use for this. Reading all
of an account is 25 requests at most, as it holds 25,000 contacts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.core.clock import Clock
from connectors.core.errors import CursorExpired
from connectors.core.types import MatchKey, RemoteRecord
from connectors.google.fields import CLIENT_DATA, EMAILS, METADATA, PHONES
from connectors.google.points import points, same_email, same_phone
from connectors.google.reading import Reader
from connectors.google.wire import decode, is_deleted, items, marks_of, name_of

INDEXED_FIELDS = ",".join(sorted((CLIENT_DATA, EMAILS, METADATA, PHONES)))
# How long the index is trusted before the account is asked for what others have added since.
FRESH_SECONDS = 10.0
_LISTS = {EMAILS: "email", PHONES: "phone"}


class Finder:
    """The answers of `find`. `created` and `doubt` are called by the writer, from its threads."""

    def __init__(self, reader: Reader, region: str, clock: Clock) -> None:
        self._reader, self._region, self._clock = reader, region, clock
        self._names: dict[str, set[str]] = {}
        self._sync_token = ""
        self._looked_at: float | None = None
        self._in_doubt = False
        self._lock = threading.RLock()

    def find(self, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        """Hits are read again, as they are now, and compared by their own values."""
        with self._lock:
            self._keep_up()
            names = {name for key in keys for name in self._names.get(self._identity(key.name, key.value), ())}
        found: dict[MatchKey, list[RemoteRecord]] = {key: [] for key in keys}
        wanted: dict[str, list[MatchKey]] = {}
        for key in keys:
            wanted.setdefault(self._identity(key.name, key.value), []).append(key)
        for person in self._reader.people(sorted(names)).values():
            record = decode(person)
            for identity in self._identities(person):
                for key in wanted.get(identity, ()):
                    found[key].append(record)
        return found

    def marked(self, marks: Iterable[str]) -> dict[str, list[str]]:
        """The contacts that carry our marks, by their resource names, as far as the account was read.

        Where nobody has looked anything up yet, the newest ones are looked at: those of a process that died are among
        them. After a doubt everything is read anew: what was just written shows late among the changes (sheet 4.4, 8).
        """
        with self._lock:
            if self._in_doubt:
                self._keep_up()
            elif self._looked_at is None and not self._names:
                self._take(self._reader.newest(INDEXED_FIELDS))
            return {mark: sorted(self._names.get(f"mark:{mark}", ())) for mark in marks}

    def created(self, name: str, mark: str, values: Mapping[str, Any]) -> None:
        """The hub itself has made this contact: it need not be read again to be known."""
        with self._lock:
            given = [(kind, point.value) for member, kind in _LISTS.items() for point in points(values.get(member))]
            self._add(name, {f"mark:{mark}", *(self._identity(kind, text) for kind, text in given)})

    def doubt(self) -> None:
        """An answer was lost: there may be contacts that nobody told us of."""
        with self._lock:
            self._in_doubt = True

    def _keep_up(self) -> None:
        now = self._clock.monotonic()
        if self._looked_at is None or self._in_doubt:
            self._read("")
        elif now - self._looked_at > FRESH_SECONDS:
            try:
                self._read(self._sync_token)
            except CursorExpired:
                self._read("")
        self._looked_at, self._in_doubt = self._clock.monotonic(), False

    def _read(self, sync_token: str) -> None:
        if not sync_token:
            self._names = {}
        for listing in self._reader.pages(INDEXED_FIELDS, sync_token=sync_token):
            self._take(listing.people)
            self._sync_token = listing.sync_token or self._sync_token

    def _take(self, people: Iterable[Mapping[str, Any]]) -> None:
        for person in people:
            if not is_deleted(person):
                self._add(name_of(person), self._identities(person))

    def _add(self, name: str, identities: Iterable[str]) -> None:
        for identity in identities:
            self._names.setdefault(identity, set()).add(name)

    def _identities(self, person: Mapping[str, Any]) -> set[str]:
        listed = ((kind, str(i.get("value") or "")) for m, kind in _LISTS.items() for i in items(person, m))
        told = {self._identity(kind, text) for kind, text in listed if text}
        return told | {f"mark:{mark}" for mark in marks_of(person)}

    def _identity(self, kind: str, text: str) -> str:
        same = same_phone(text, self._region) if kind == "phone" else same_email(text)
        return f"{kind}:{same}"
