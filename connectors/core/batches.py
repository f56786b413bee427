"""Groups changes into requests: by lane, to a size, never two of one identity under way at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Change, Outcome, Result


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change belongs: the lane it shares a request with, and the identities no other change may hold."""

    lane: str
    keys: tuple[str, ...] = ()


@dataclass(slots=True)
class Batch:
    """Changes of one lane for one request; `refused` were settled while it was put together.

    `finished` is called once nothing of the batch is under way any more, sent or not.
    """

    lane: str
    changes: list[Change] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    refused: list[Outcome] = field(default_factory=list)
    finished: Callable[[], None] | None = None


def failed(change: Change, error: ApiError) -> Outcome:
    """The outcome of a change that `error` stopped: UNKNOWN when it may have been carried out."""
    result = Result.UNKNOWN if error.kind is ErrorKind.UNKNOWN else Result.FAILED
    return Outcome(change.ref, result, external_id=change.external_id, error=error)


class Batcher:
    """Takes changes one by one, gives batches as they fill up. Used in one thread.

    `place` answers where a change belongs, or raises ApiError to refuse it alone. `size` changes fill a batch, or what
    `sizes` says for its lane. An identity stays held until its batch is released.
    """

    def __init__(self, place: Callable[[Change], Place], size: int, sizes: Mapping[str, int] | None = None) -> None:
        self.place, self.size, self.sizes = place, size, sizes or {}
        self._held: set[str] = set()
        self._lanes: dict[str, Batch] = {}
        self._refused: list[Outcome] = []

    def add(self, change: Change) -> Iterator[Batch]:
        """The batches that are full now."""
        try:
            place = self.place(change)
            self.hold(place)
        except ApiError as e:
            self._refused.append(failed(change, e))
            if len(self._refused) >= self.size:
                yield self.take("")
            return
        yield from self.put(change, place)

    def hold(self, place: Place) -> None:
        if not self._held.isdisjoint(place.keys):
            raise ApiError(
                ErrorKind.DATA,
                "Another contact with the same e-mail address or id is being sent; merge the two or change one.",
            )
        self._held.update(place.keys)

    def put(self, change: Change, place: Place) -> Iterator[Batch]:
        """Adds a change to its lane; a lane that needs other rules overrides this."""
        batch = self._lanes.setdefault(place.lane, Batch(place.lane))
        batch.changes.append(change)
        batch.keys.extend(place.keys)
        if len(batch.changes) >= self.sizes.get(place.lane, self.size):
            yield self.take(place.lane)

    def flush(self) -> Iterator[Batch]:
        """Everything still held back, once there are no more changes."""
        for lane in list(self._lanes):
            yield self.take(lane)
        if self._refused:
            yield self.take("")

    def take(self, lane: str) -> Batch:
        batch = self._lanes.pop(lane, None) or Batch(lane)
        batch.refused, self._refused = self._refused, []
        return batch

    def release(self, batch: Batch) -> None:
        self._held.difference_update(batch.keys)
