"""Python's search for unreachable cycles of objects, made rarer while many records are worked through."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# New objects between two searches.
_COLLECT_EVERY = 50_000

_lock = threading.Lock()
_users = 0
_usual = gc.get_threshold()


@contextmanager
def rare_collection() -> Iterator[None]:
    """Records make many objects and hardly a cycle: searching at the usual pace costs a fifth of the time.

    The pace is the whole process's, and usual again once nobody wants it rarer.
    """
    global _users, _usual
    with _lock:
        if not _users:
            _usual = gc.get_threshold()
            gc.set_threshold(max(_COLLECT_EVERY, _usual[0]), *_usual[1:])
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                gc.set_threshold(*_usual)
