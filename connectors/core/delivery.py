"""One call of `write`: pulls changes, sends them in batches, and accounts for everything it pulled."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator

from connectors.core.batches import Batch, Batcher, failed
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.fanout import fan_out
from connectors.core.types import Change, Outcome

# A server that fails this many whole batches in a row is down; going on would only wait for each of the others.
GIVE_UP_AFTER = 4


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


class Delivery:
    """Sends a lazy stream of changes in batches, several in flight; one outcome for every change pulled.

    `send` settles the changes of a ledger, in a worker thread; what it leaves open is failed with the ApiError it
    raised. An error that stops the run ends the pulling; what was pulled already is failed with it, unsent; then it is
    raised.
    """

    def __init__(
        self,
        changes: Iterable[Change],
        batcher: Batcher,
        send: Callable[[Ledger], None],
        *,
        in_flight: int,
        log: logging.Logger,
    ) -> None:
        self._changes, self._batcher, self._send = changes, batcher, send
        self._in_flight, self._log = in_flight, log
        self._stop: ApiError | None = None
        self._source_failure: Exception | None = None
        self._lost_in_a_row = 0

    def run(self) -> Iterator[Outcome]:
        """Raises the run-level ApiError, or what `changes` itself raised, after the last outcome."""
        for ledger in fan_out(self._carry_out, self._batches(), self._in_flight):
            self._batcher.release(ledger.batch)
            yield from ledger.outcomes
        if self._stop is not None:
            raise self._stop
        if self._source_failure is not None:
            raise self._source_failure

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
            yield from self._batcher.add(change)
        yield from self._batcher.flush()

    def _carry_out(self, batch: Batch) -> Ledger:
        ledger = Ledger(batch)
        try:
            if batch.changes:
                self._settle(ledger)
        finally:
            if batch.finished is not None:
                batch.finished()
        return ledger

    def _settle(self, ledger: Ledger) -> None:
        error = self._stop or self._guarded_send(ledger)
        whole = len(ledger.open) == len(ledger.batch.changes)
        self._lost_in_a_row = self._lost_in_a_row + 1 if whole and _lost(error) else 0
        if error is not None and (error.recovery.stops_run or self._lost_in_a_row >= GIVE_UP_AFTER):
            self._stop = self._stop or error
        ledger.fail_rest(error or ApiError(ErrorKind.BUG, "The connector gave no outcome for this contact."))

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


def _lost(error: ApiError | None) -> bool:
    return error is not None and error.kind in (ErrorKind.TRANSIENT, ErrorKind.UNKNOWN)
