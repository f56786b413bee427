"""Which records carry an identity, for an account that is too large to be asked about each."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence

from connectors.core.fanout import batched

_AT_ONCE = 500


class Index:
    """Two numbers a row, in a file that is gone with it. Safe to use from several threads.

    Not in memory, which must not grow with the account; and only hashes, as the file lies outside our database. Up to
    the id `read_up_to`, everything that the account has is in it.
    """

    def __init__(self) -> None:
        self.read_up_to = 0
        self._lock = threading.Lock()
        self._rows = sqlite3.connect("", check_same_thread=False)
        self._rows.execute("CREATE TABLE identity (digest INTEGER, id INTEGER, PRIMARY KEY (digest, id)) WITHOUT ROWID")

    def add(self, rows: Iterable[tuple[int, int]]) -> None:
        """(id, digest) of every identity of some records."""
        with self._lock:
            self._rows.executemany("INSERT OR IGNORE INTO identity (id, digest) VALUES (?, ?)", rows)

    def ids(self, digests: Sequence[int]) -> list[str]:
        """The ids of the records that may carry one of the identities."""
        return list(dict.fromkeys(str(number) for _digest, number in self._found(digests)))

    def holds(self, digests: Sequence[int]) -> bool:
        """Whether every one of the identities is known."""
        return {digest for digest, _number in self._found(digests)} >= set(digests)

    def close(self) -> None:
        with self._lock:
            self._rows.close()

    def _found(self, digests: Sequence[int]) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        with self._lock:
            for some in batched(digests, _AT_ONCE):
                marks = ",".join("?" * len(some))
                asked = f"SELECT digest, id FROM identity WHERE digest IN ({marks})"  # noqa: S608 - question marks
                found += self._rows.execute(asked, some).fetchall()
        return found
