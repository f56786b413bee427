"""One call of `write`: pulls changes, groups them into requests, and accounts for everything it pulled."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.fanout import fan_out
from connectors.core.types import Change, Outcome, Result

# A server that fails this many whole batches in a row is down; going on would only wait for each of the others.
GIVE_UP_AFTER = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change belongs: the lane it shares a request with, and the identities no other change may hold."""

    lane: str
    keys: tuple[str, ...] = ()


@dataclass(slots=True)
class Batch:
    """Changes of one lane for one request; `refused` were settled while it was put together."""

    lane: str
    changes: list[Change] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    refused: list[Outcome] = field(default_factory=list)


class Ledger:
    """The outcomes of one batch: what is not settled yet is `open`. A second outcome for a change is ignored."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.outcomes: list[Outcome] = list(batch.refused)
        self._open = {change.ref: change for change in batch.changes}

    @property
    def open(self) -> list[Change]:
        return list(self._open.values())

    def is_open(self, change: Change) -> bool:
        return change.ref in self._open

    def settle(self, outcome: Outcome) -> None:
        if self._open.pop(outcome.ref, None) is not None:
            self.outcomes.append(outcome)

    def fail(self, change: Change, error: ApiError) -> None:
        self.settle(failed(change, error))

    def fail_rest(self, error: ApiError) -> None:
        for change in self.open:
            self.fail(change, error)


def failed(change: Change, error: ApiError) -> Outcome:
    """The outcome of a change that `error` stopped: UNKNOWN when it may have been carried out."""
    result = Result.UNKNOWN if error.kind is ErrorKind.UNKNOWN else Result.FAILED
    return Outcome(change.ref, result, external_id=change.external_id, error=error)


class Delivery:
    """Groups a lazy stream of changes by `place`, sends each group by `send`, yields one outcome per change pulled.

    `place` answers the lane of a change, or raises ApiError to refuse it alone. `send` settles the changes of a ledger,
    in a worker thread; what it leaves open is failed with the ApiError it raised. An error that stops the run ends the
    pulling; what was pulled already is failed with it, unsent; then it is raised.
    """

    def __init__(
        self,
        changes: Iterable[Change],
        place: Callable[[Change], Place],
        send: Callable[[Ledger], None],
        *,
        size: int,
        in_flight: int,
        log: logging.Logger,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        self._changes, self._place, self._send = changes, place, send
        self._size, self._sizes, self._in_flight = size, sizes or {}, in_flight
        self._log = log
        self._held: set[str] = set()
        self._lanes: dict[str, Batch] = {}
        self._refused: list[Outcome] = []
        self._stop: ApiError | None = None
        self._source_failure: Exception | None = None
        self._lost_in_a_row = 0

    def run(self) -> Iterator[Outcome]:
        """Raises the run-level ApiError, or what `changes` itself raised, after the last outcome."""
        for ledger in fan_out(self._carry_out, self._batches(), self._in_flight):
            self._held.difference_update(ledger.batch.keys)
            yield from ledger.outcomes
        yield from self._refused
        if self._stop is not None:
            raise self._stop
        if self._source_failure is not None:
            raise self._source_failure

    def stop(self, error: ApiError) -> None:
        self._stop = self._stop or error

    def _pull(self) -> Iterator[Change]:
        try:
            for change in self._changes:
                yield change
                if self._stop is not None:
                    return
        except Exception as e:  # noqa: BLE001 - raised by `run`, once everything pulled before has its outcome
            self._source_failure = e

    def _batches(self) -> Iterator[Batch]:
        for change in self._pull():
            batch = self._add(change)
            if batch is not None:
                yield batch
            elif len(self._refused) >= self._size:
                yield self._only_refused()
        for lane in list(self._lanes):
            yield self._take(lane)

    def _add(self, change: Change) -> Batch | None:
        """Puts a change into its lane; answers the lane's batch when that is full."""
        try:
            place = self._place(change)
            if not self._held.isdisjoint(place.keys):
                raise same_identity()
        except ApiError as e:
            self._refused.append(failed(change, e))
            return None
        self._held.update(place.keys)
        batch = self._lanes.setdefault(place.lane, Batch(place.lane))
        batch.changes.append(change)
        batch.keys.extend(place.keys)
        full = len(batch.changes) >= self._sizes.get(place.lane, self._size)
        return self._take(place.lane) if full else None

    def _only_refused(self) -> Batch:
        refused, self._refused = self._refused, []
        return Batch("", refused=refused)

    def _take(self, lane: str) -> Batch:
        batch = self._lanes.pop(lane)
        batch.refused, self._refused = self._refused, []
        return batch

    def _carry_out(self, batch: Batch) -> Ledger:
        ledger = Ledger(batch)
        if not batch.changes:
            return ledger
        error: ApiError | None = self._stop
        if error is None:
            error = self._guarded_send(ledger)
        whole = len(ledger.open) == len(batch.changes)
        self._lost_in_a_row = self._lost_in_a_row + 1 if whole and _lost(error) else 0
        if error is not None and (error.recovery.stops_run or self._lost_in_a_row >= GIVE_UP_AFTER):
            self.stop(error)
        ledger.fail_rest(error or ApiError(ErrorKind.BUG, "The connector gave no outcome for this contact."))
        return ledger

    def _guarded_send(self, ledger: Ledger) -> ApiError | None:
        try:
            self._send(ledger)
        except ApiError as e:
            return e
        except Exception as e:  # noqa: BLE001 - one batch must not cost the others their outcomes; logged below
            # Without the exception's own text: that may quote a contact.
            frames = "".join(traceback.format_tb(e.__traceback__))
            self._log.error("A batch of %d failed with %s\n%s", len(ledger.batch.changes), type(e).__name__, frames)
            return ApiError(ErrorKind.BUG, "An error of our own; see the log.", detail=type(e).__name__)
        return None


def same_identity() -> ApiError:
    return ApiError(
        ErrorKind.DATA,
        "Another contact with the same e-mail address or id is being sent; merge the two, or change one of them.",
    )


def _lost(error: ApiError | None) -> bool:
    return error is not None and error.kind in (ErrorKind.TRANSIENT, ErrorKind.UNKNOWN)
