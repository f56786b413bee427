"""Which request a change belongs to, and the deletions; creating and updating are modules of their own."""

from __future__ import annotations

from connectors.core.batches import Batcher, Place
from connectors.core.delivery import Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.types import Change, Op, Outcome, Result
from connectors.google.client import GoogleClient
from connectors.google.creating import Creator
from connectors.google.fields import METADATA
from connectors.google.points import same_email
from connectors.google.quotas import BATCH_DELETE
from connectors.google.reading import Reader
from connectors.google.updating import Updater

BATCH, DELETE_BATCH = 200, 500
CREATE, UPDATE, DELETE = "create", "update", "delete"
BATCH_DELETE_PATH = "/v1/people:batchDeleteContacts"
_NAMELESS = "The contact has neither e-mail address nor phone: nothing could tell it from others in Google."


class Writer:
    """`place` and `send` of a Delivery; `batcher` forms its batches."""

    def __init__(self, client: GoogleClient, reader: Reader, creator: Creator, updater: Updater) -> None:
        self._client, self._reader = client, reader
        self._creator, self._updater = creator, updater
        self.batcher = Batcher(self.place, BATCH, {DELETE: DELETE_BATCH})

    def place(self, change: Change) -> Place:
        """Raises ApiError (DATA) for a change that cannot be sent."""
        if change.op in (Op.UPDATE, Op.DELETE):
            if not change.external_id:
                raise ApiError(ErrorKind.BUG, "A change of a linked contact came without Google's resource name.")
            return Place(UPDATE if change.op is Op.UPDATE else DELETE, (f"id:{change.external_id}",))
        if change.op is not Op.CREATE:
            raise ApiError(ErrorKind.BUG, "Google Contacts has no upserts.")
        if change.key is None:
            raise ApiError(ErrorKind.DATA, _NAMELESS)
        # People who share a phone are different people; of one address there is only one.
        return Place(CREATE, (f"email:{same_email(change.key.value)}",) if change.key.name == "email" else ())

    def send(self, ledger: Ledger) -> None:
        lanes = {CREATE: self._creator.send, UPDATE: self._update, DELETE: self._delete}
        lanes[ledger.batch.lane](ledger)

    def _update(self, ledger: Ledger) -> None:
        self._updater.write(ledger, ledger.open)

    def _delete(self, ledger: Ledger) -> None:
        """One unknown name may refuse the whole request (sheet 4.7): the missing ones are then left out."""
        try:
            self._delete_all(ledger)
        except ApiError as e:
            if e.kind is not ErrorKind.GONE:
                raise
            there = self._reader.people([change.external_id for change in ledger.open], METADATA)
            for change in ledger.open:
                if change.external_id not in there:
                    ledger.settle(_deleted(change))
            if ledger.open:
                self._delete_all(ledger)
        for change in ledger.open:
            ledger.settle(_deleted(change))

    def _delete_all(self, ledger: Ledger) -> None:
        names = [change.external_id for change in ledger.open]
        call = Call("POST", BATCH_DELETE_PATH, json={"resourceNames": names}, limits=BATCH_DELETE)
        self._client.mutate(call)


def _deleted(change: Change) -> Outcome:
    return Outcome(change.ref, Result.DELETED, external_id=change.external_id, external_ref=change.external_id)
