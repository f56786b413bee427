"""Google's quotas: per minute and user, in units of which one request may cost several (sheet 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.core.types import RateLimit

MINUTE = 60.0
CRITICAL_READS, CRITICAL_WRITES, DELETES = "critical_reads", "critical_writes", "deletes"
# The figures are not published; this one is what most projects have.
USUAL = 90

# A write reads as well; a batch costs the same whatever its size.
READ = {CRITICAL_READS: 1}
SINGLE_WRITE = {CRITICAL_READS: 1, CRITICAL_WRITES: 1}
BATCH_WRITE = {CRITICAL_READS: 6, CRITICAL_WRITES: 6}
BATCH_DELETE = {DELETES: 10}
# From one more than this on, a batch is the cheaper way.
SINGLES = 6

_SETTINGS = {
    CRITICAL_READS: "reads_per_minute",
    CRITICAL_WRITES: "writes_per_minute",
    DELETES: "deletes_per_minute",
}
_BY_METRIC = {
    "critical_read_requests": CRITICAL_READS,
    "critical_write_requests": CRITICAL_WRITES,
    "write_requests": DELETES,
}

QUOTAS = tuple(RateLimit(USUAL, MINUTE, name, rolling=True) for name in _SETTINGS)


def quotas(config: Mapping[str, Any]) -> tuple[RateLimit, ...]:
    """The limits by the settings: each quota's own, or `rps` for all of them, where 0 ends them."""
    rps = config.get("rps")
    if rps not in (None, "") and float(rps) <= 0:
        return ()
    every = None if rps in (None, "") else max(float(rps) * MINUTE, 1.0)
    return tuple(
        RateLimit(every or float(config.get(setting) or USUAL), MINUTE, name, rolling=True)
        for name, setting in _SETTINGS.items()
    )


def quota_of(metric: str) -> str:
    """Our name of the quota that a refusal speaks of, "" for one that we do not count."""
    return _BY_METRIC.get(metric.rpartition("/")[2], "")
