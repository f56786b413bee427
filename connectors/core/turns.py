"""Turns: where a remote system wants one request of a kind at a time, whoever sends it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Turns(Protocol):
    """Shared by everything that calls one remote account."""

    def taken(self, key: str) -> AbstractContextManager[None]:
        """Waits until nobody else is inside. Raises ApiError (TRANSIENT) when that takes too long."""


class MemoryTurns:
    """Turns of one process: for tests and single-process tools. The hub takes them in PostgreSQL."""

    def __init__(self) -> None:
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def taken(self, key: str) -> Iterator[None]:
        with self._locks[key]:
            yield
