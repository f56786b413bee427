"""Contacts to a workflow: what failed as a whole is halved, down to the contact that is to blame (sheet 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from connectors.core.delivery import Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.replies import Reply
from connectors.core.types import Change, Outcome, Result
from connectors.n8n.client import WebhookClient
from connectors.n8n.packing import Parcel, SizedBatcher
from connectors.n8n.refusals import (
    A_PAGE,
    FAILS_WITH_IT,
    NO_RESPONSE_NODE,
    REFUSED,
    TOO_LARGE,
    is_oversize,
    is_unread,
    is_workflow_failure,
)

# A workflow that fails may have met a passing trouble: it is tried once more before contacts are blamed.
TRIES_OF_A_FAILURE = 2
TRIES_OF_A_PAGE = 4
# So many contacts failing one after the other, while none gets through, tell that it is the workflow which is broken.
MOST_FAILING = 5
# What a person sees of a contact is the id that the workflow gives it; a column holds no more.
LONGEST_ID = 255


class Writer:
    """`send` of a Delivery whose batches `batcher` forms."""

    def __init__(self, client: WebhookClient, size: int, most_bytes: int) -> None:
        self.client = client
        self.batcher = SizedBatcher(size, most_bytes)
        # Whether the workflow has taken anything in this run: if so, one that fails does for a contact's sake.
        self.works = False

    def send(self, ledger: Ledger) -> None:
        sending = Sending(self, ledger)
        try:
            sending.deliver([self.batcher.parcels[change.ref] for change in ledger.open])
        finally:
            sending.blame()


@dataclass
class Sending:
    """One batch on its way. `failing` are contacts that were refused all by themselves."""

    writer: Writer
    ledger: Ledger
    failing: list[tuple[Change, ApiError]] = field(default_factory=list)
    _delivered: bool = False

    def deliver(self, parcels: Sequence[Parcel]) -> None:
        """Raises ApiError for what concerns more than a single contact; what was settled before stays settled."""
        error = self._attempt(parcels)
        if error is None:
            return
        if len(parcels) == 1:
            self.failing.append((parcels[0].change, error))
            if len(self.failing) >= MOST_FAILING and not self._delivered and error.kind is ErrorKind.UNKNOWN:
                raise error
            return
        middle = len(parcels) // 2
        self.deliver(parcels[:middle])
        self.deliver(parcels[middle:])

    def _attempt(self, parcels: Sequence[Parcel]) -> ApiError | None:
        """What to halve the batch for, None when it has arrived."""
        client = self.writer.client
        for tried in count(1):
            try:
                self._settle(parcels, client.deliver(parcels))
            except ApiError as e:
                if is_oversize(e):
                    self._shrink(parcels)
                    return e
                if e.kind is ErrorKind.DATA:
                    return e
                if tried < min(_tries(e), client.context.max_tries):
                    client.context.clock.sleep(2.0**tried)
                elif is_workflow_failure(e):
                    return e
                else:
                    raise
            else:
                break
        return None

    def _shrink(self, parcels: Sequence[Parcel]) -> None:
        """Later batches start at half of what was too large."""
        size = sum(len(parcel.body) + 1 for parcel in parcels)
        self.writer.batcher.most_bytes = min(self.writer.batcher.most_bytes, max(size // 2, 1))

    def _settle(self, parcels: Sequence[Parcel], reply: Reply) -> None:
        """By the status alone; the answer may tell ids of the workflow's own besides."""
        ids = told_ids(reply)
        for parcel in parcels:
            result = Result.UPDATED if parcel.change.external_id else Result.CREATED
            shown = ids.get(parcel.contact) or parcel.contact
            self.ledger.settle(Outcome(parcel.change.ref, result, parcel.contact, shown, parcel.delivery))
        self._delivered = self.writer.works = True

    def blame(self) -> None:
        """Contacts that failed alone: for good where the workflow takes others, else to be tried again."""
        others_pass = self._delivered or (self.writer.works and len(self.failing) < MOST_FAILING)
        for change, error in self.failing:
            self.ledger.fail(change, _verdict(error) if others_pass or is_oversize(error) else error)


def _tries(error: ApiError) -> int:
    """How often in all; what the client has tried in vain already is not repeated here."""
    if is_workflow_failure(error):
        return TRIES_OF_A_FAILURE
    return TRIES_OF_A_PAGE if error.message == A_PAGE else 1


def _verdict(error: ApiError) -> ApiError:
    if is_oversize(error):
        sentence = TOO_LARGE
    elif error.message == NO_RESPONSE_NODE or is_unread(error):
        sentence = error.message
    else:
        sentence = FAILS_WITH_IT if is_workflow_failure(error) else REFUSED
    return ApiError(ErrorKind.DATA, sentence, status=error.status)


def told_ids(reply: Reply) -> Mapping[str, str]:
    """Ids by ours where the answer follows `{"results": [{"crmsync_id", "id"}]}`; any other answer tells none."""
    results = reply.member("results")
    listed = [r for r in results if isinstance(r, dict)] if isinstance(results, list) else []
    pairs = ((r.get("crmsync_id"), r.get("id")) for r in listed)
    return {
        str(ours): str(theirs)
        for ours, theirs in pairs
        if ours and isinstance(theirs, str | int) and not isinstance(theirs, bool) and len(str(theirs)) <= LONGEST_ID
    }
