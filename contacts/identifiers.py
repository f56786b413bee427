"""Time-ordered UUIDs (RFC 9562, version 7): new rows land at the end of the index."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def uuid7() -> uuid.UUID:
    """A new UUIDv7, strictly growing within one process."""
    global _last
    with _lock:
        # 48 bits of milliseconds and 12 bits of their fraction: the sub-millisecond counter of RFC 9562, method 3.
        now = time.time_ns()
        stamp = (now // 1_000_000 << 12) | (now % 1_000_000 * 4096 // 1_000_000)
        _last = stamp = max(stamp, _last + 1)
    tail = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return uuid.UUID(int=((stamp >> 12) << 80) | (0x7 << 76) | ((stamp & 0xFFF) << 64) | (0b10 << 62) | tail)
