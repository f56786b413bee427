"""The time that each method may take on the portal, 480 seconds in ten minutes: counted ahead, told by it (sheet 7)."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.core.pacing import Pacing
from connectors.core.types import RateLimit

WINDOW_SECONDS = 600.0
# Of the documented 480; what is under way when the rest is reached still has to fit.
BUDGET_SECONDS = 400
# Expected of one command before the portal has told: writes take longer than lists.
_READ_SECONDS, _WRITE_SECONDS = 0.1, 0.5
_LONGEST_RESET = 660.0
_CHANGES_RECORDS = (".add", ".update", ".delete")


class Operating:
    """What each method may still take, for one portal. Safe to use from several threads.

    The time of a request is claimed before it is sent, in whole seconds as they add up, from the limiter that all
    processes share; the portal's own count, in its answers, holds a method back where others have used its time.
    """

    def __init__(self, pacing: Pacing, *, enforced: bool) -> None:
        self._pacing, self._enforced = pacing, enforced
        self._seconds: dict[str, float] = {}
        self._unclaimed: dict[str, float] = {}
        self._lock = threading.Lock()

    def cost(self, methods: Iterable[str]) -> dict[str, int]:
        """What a request with these commands costs, by the names of limits. The first one is held on a refusal."""
        counted = Counter(methods)
        if not self._enforced:
            return {}
        units: dict[str, int] = {}
        with self._lock:
            for method, count in counted.items():
                gate, budget = f"gate:{method}", f"operating:{method}"
                self._pacing.limits.setdefault(gate, _gate(gate))
                self._pacing.limits.setdefault(budget, _budget(budget))
                due = self._unclaimed.get(method, 0.0) + count * self._expected(method)
                whole = max(math.floor(due), 0)
                self._unclaimed[method] = due - whole
                units[gate] = 1
                if whole:
                    units[budget] = whole
        return units

    def note(self, methods: Mapping[str, str], times: Mapping[str, Any]) -> None:
        """What the commands took, by their keys; `methods` are theirs."""
        told: dict[str, list[Mapping[str, Any]]] = {}
        for key, method in methods.items():
            time = times.get(key)
            if isinstance(time, Mapping):
                told.setdefault(method, []).append(time)
        for method, answers in told.items() if self._enforced else ():
            spent = [_number(time.get("duration")) for time in answers]
            with self._lock:
                expected = self._expected(method)
                self._unclaimed[method] = self._unclaimed.get(method, 0.0) + sum(spent) - len(spent) * expected
                self._seconds[method] = (expected + sum(spent) / len(spent)) / 2
            self._heed(method, max(answers, key=lambda time: _number(time.get("operating"))))

    def hold(self, method: str, seconds: float) -> None:
        """Nobody calls the method before `seconds` from now."""
        self._pacing.hold((f"gate:{method}",), seconds)

    def _heed(self, method: str, time: Mapping[str, Any]) -> None:
        if _number(time.get("operating")) < BUDGET_SECONDS:
            return
        # By the portal's clock: ours may differ.
        left = _number(time.get("operating_reset_at")) - _number(time.get("finish"))
        self.hold(method, min(max(left, 1.0), _LONGEST_RESET))

    def _expected(self, method: str) -> float:
        known = _WRITE_SECONDS if method.endswith(_CHANGES_RECORDS) else _READ_SECONDS
        return self._seconds.get(method, known)


def _gate(name: str) -> RateLimit:
    """Lets everything pass until it is held; the margin keeps it from minding when."""
    return RateLimit(1e6, 1.0, name=name, margin=0.9)


def _budget(name: str) -> RateLimit:
    return RateLimit(BUDGET_SECONDS, WINDOW_SECONDS, name=name, rolling=True)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
