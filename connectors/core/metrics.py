"""What the HTTP client reports of every request, for counters and run totals."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it went over the wire. `endpoint` is a template without ids; `waited` seconds for the limit.

    `status` is None when no answer came; `auth_error` tells that the credentials were refused.
    """

    method: str
    endpoint: str
    status: int | None
    seconds: float
    waited: float
    retry: bool
    auth_error: bool = False


class Recorder(Protocol):
    def record(self, exchange: Exchange) -> None: ...


@dataclass
class Totals:
    """Counts what a run's requests cost; one lock, because requests fly in several threads."""

    requests: int = 0
    retries: int = 0
    rate_limit_hits: int = 0
    waited: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def record(self, exchange: Exchange) -> None:
        with self._lock:
            self.requests += 1
            self.retries += exchange.retry
            self.rate_limit_hits += exchange.status == 429
            self.waited += exchange.waited
