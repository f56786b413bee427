"""Contacts to Mautic in batches of up to 200: what became of each, also where no answer came (sheets 4, 5 and 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from connectors.core.batches import Batcher, Place
from connectors.core.delivery import Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.replies import Reply
from connectors.core.types import Change, MatchKey, Op, Outcome, RemoteRecord, Result
from connectors.mautic.client import CONTACTS, MauticClient, complaint_error
from connectors.mautic.marks import MARK
from connectors.mautic.results import Item, items
from connectors.mautic.rows import Row, RowBuilder, email_of
from connectors.mautic.wire import EMAIL, same_email, version_of

BATCH = 200
# A save takes a small host up to 3 s, and many web servers end a request after 60 (sheet 9).
FIRST_BATCH, TARGET_SECONDS = 50, 20.0
CREATE, UPDATE, DELETE = "new", "edit", "delete"
# So many contacts refused each by itself with an error of the server tell that it is the server which is ill.
MOST_ERRORS = 3
_SILENT = "Mautic did not say what became of this contact."

Find = Callable[[Sequence[MatchKey]], dict[MatchKey, list[RemoteRecord]]]


@dataclass
class Writer:
    """`place` and `send` of a Delivery; `batcher` forms its batches, as large as the site is quick."""

    client: MauticClient
    builder: RowBuilder
    find: Find

    def __post_init__(self) -> None:
        self.batcher = Batcher(self.place, FIRST_BATCH)

    def place(self, change: Change) -> Place:
        """Raises ApiError (DATA) for a change that cannot be sent."""
        email = same_email(email_of(change))
        by_email = (f"email:{email}",) if email else ()
        if change.op in (Op.UPSERT, Op.CREATE):
            if not email:
                raise ApiError(ErrorKind.DATA, "The contact has no e-mail address; Mautic needs one.", field=EMAIL)
            return Place(CREATE, by_email)
        if not change.external_id.isdigit():
            # An item without an id would land in the contact of the next one (sheet 5).
            raise ApiError(ErrorKind.BUG, "A change of a linked contact came without Mautic's id.")
        by_id = (f"id:{change.external_id}",)
        return Place(DELETE, by_id) if change.op is Op.DELETE else Place(UPDATE, by_id + by_email)

    def send(self, ledger: Ledger) -> None:
        lane = ledger.batch.lane
        if lane == DELETE:
            self._delete(ledger)
        elif lane == CREATE:
            self._write(ledger, CREATE, [self.builder.creation(change) for change in ledger.open])
        else:
            for change in ledger.open:
                if not change.values:
                    ledger.settle(Outcome(change.ref, Result.UNCHANGED, change.external_id, change.external_id))
            self._write(ledger, UPDATE, [self.builder.edit(change, change.external_id) for change in ledger.open])

    def _delete(self, ledger: Ledger) -> None:
        """Contacts that are gone already are just not mentioned."""
        ids = ",".join(change.external_id for change in ledger.open)
        self.client.send(Call("DELETE", f"{CONTACTS}/batch/delete", params={"ids": ids}))
        for change in ledger.open:
            ledger.settle(Outcome(change.ref, Result.DELETED, change.external_id, change.external_id))

    def _write(self, ledger: Ledger, lane: str, rows: Sequence[Row], tried: int = 1) -> None:
        """As often as there is something to leave out; every round has fewer values to send."""
        while rows:
            try:
                reply = self._carry_out(lane, rows)
            except ApiError as e:
                if e.kind not in (ErrorKind.UNKNOWN, ErrorKind.TRANSIENT):
                    raise
                self._lost(ledger, lane, rows, e, tried)
                return
            rows = self._settle(ledger, lane, rows, reply)

    def _carry_out(self, lane: str, rows: Sequence[Row]) -> Reply:
        # PATCH: PUT would blank every field that is not sent. Creations are not repeated while the first attempt may
        # still be at work: nothing keeps two requests at once from creating one address twice (sheet 7).
        method = "POST" if lane == CREATE else "PATCH"
        try:
            reply = self.client.send(
                Call(method, f"{CONTACTS}/batch/{lane}", json=[row.body for row in rows], repeatable=lane != CREATE)
            )
        except ApiError as e:
            if e.kind in (ErrorKind.UNKNOWN, ErrorKind.TRANSIENT):
                self.batcher.size = max(len(rows) // 2, 1)
            raise
        each = reply.seconds / len(rows)
        most = min(BATCH, 4 * max(len(rows), self.batcher.size))
        self.batcher.size = max(min(int(TARGET_SECONDS / each) if each else BATCH, most), 1)
        return reply

    def _lost(self, ledger: Ledger, lane: str, rows: Sequence[Row], error: ApiError, tried: int) -> None:
        """No usable answer. A 500 may mean one bad contact, or a batch over the site's limit: halve it."""
        last = tried >= self.client.context.max_tries or _still_at_work(error)
        if lane == CREATE:
            if not last:
                # What the site still works on shows a moment later.
                self.client.context.clock.sleep(2.0**tried / 2)
            try:
                rows = self._without_found(ledger, rows)
            except ApiError as e:
                if e.recovery.stops_run:
                    raise
                # They stay unknown: the next attempt finds them by their unique identifiers.
                self.client.context.log.info("what a lost answer created could not be looked up: %s", e.kind)
                last = True
        failures = sum(o.error is not None and o.error.status == 500 for o in ledger.outcomes)
        if error.status == 500 and len(rows) > 1 and failures < MOST_ERRORS:
            middle = len(rows) // 2
            self._write(ledger, lane, rows[:middle])
            self._write(ledger, lane, rows[middle:])
        elif lane == CREATE and not last:
            self._write(ledger, lane, rows, tried + 1)
        else:
            for row in rows:
                ledger.fail(row.change, error)

    def _without_found(self, ledger: Ledger, rows: Sequence[Row]) -> list[Row]:
        """Contacts that carry our marks were created: they are brought up to date by id. Answers the other rows."""
        keys = {row.change.ref: MatchKey(MARK, row.body[MARK]) for row in rows if MARK in row.body}
        found = self.find(list(keys.values()))
        there: list[Row] = []
        rest: list[Row] = []
        for row in rows:
            key = keys.get(row.change.ref)
            records = found[key] if key is not None else []
            if len(records) == 1:
                there.append(replace(self.builder.again(row, records[0].id), created=_untouched(records[0])))
            else:
                rest.append(row)
        self._write(ledger, UPDATE, there)
        return rest

    def _settle(self, ledger: Ledger, lane: str, rows: Sequence[Row], reply: Reply) -> list[Row]:
        """Every item has a status of its own, whatever the answer's is. Answers the rows to be sent again."""
        again: list[Row] = []
        clashing: list[Row] = []
        gone: list[Row] = []
        for row, item in zip(rows, items(reply, len(rows)), strict=True):
            if item.ok:
                self._settle_one(ledger, lane, row, item)
            elif item.status == 422:
                clashing.append(row)
            elif item.status == 404 and lane == UPDATE and email_of(row.change) and not row.found:
                gone.append(self.builder.creation(row.change))
            elif item.status:
                lesser = self.builder.without(row, item.fields)
                if lesser is not None:
                    again.append(lesser)
                else:
                    ledger.fail(row.change, complaint_error(item.complaint, item.status))
            else:
                kind = ErrorKind.UNKNOWN if lane == CREATE else ErrorKind.TRANSIENT
                ledger.fail(row.change, ApiError(kind, _SILENT))
        # Merged or deleted there: by its address the contact is found again, or made anew.
        self._write(ledger, CREATE, gone)
        self._write(ledger, UPDATE, self._by_address(ledger, clashing))
        return again

    def _settle_one(self, ledger: Ledger, lane: str, row: Row, item: Item) -> None:
        number = str(item.contact.get("id") or row.body.get("id") or "")
        if not number:
            ledger.fail(row.change, ApiError(ErrorKind.UNKNOWN, _SILENT))
            return
        created = item.status == 201 if lane == CREATE else row.created
        result = Result.CREATED if created else Result.UPDATED
        version = version_of(item.contact)
        # Before 5.1 contacts of one address were merged: the id is that of the answer.
        ledger.settle(Outcome(row.change.ref, result, number, number, version, warning=row.warning))

    def _by_address(self, ledger: Ledger, rows: Iterable[Row]) -> list[Row]:
        """Rows refused because their address and mark, or id, belong to different contacts (sheet 7).

        A creation becomes an edit of the one contact that has the address; the others fail.
        """
        keys = {row.change.ref: MatchKey(EMAIL, email_of(row.change)) for row in rows}
        if not keys:
            return []
        found = self.find(list(dict.fromkeys(keys.values())))
        edits: list[Row] = []
        for row in rows:
            records = found[keys[row.change.ref]]
            if MARK in row.body and len(records) == 1:
                edits.append(self.builder.again(row, records[0].id))
            else:
                ledger.fail(row.change, _clash(records))
        return edits


def _clash(records: Sequence[RemoteRecord]) -> ApiError:
    numbers = [record.id for record in records]
    sentence = "Mautic has another contact with this e-mail address"
    sentence += f" (record {', '.join(numbers)}); merge the two there." if numbers else "; merge the two there."
    return ApiError(ErrorKind.CONFLICT, sentence, status=422, existing_id=numbers[0] if len(numbers) == 1 else "")


def _still_at_work(error: ApiError) -> bool:
    """Whether the site may go on with a batch that we no longer wait for."""
    return error.status in (502, 504) or "Timeout" in error.detail


def _untouched(record: RemoteRecord) -> bool:
    """Whether nothing has changed since the contact was made; then it was our request that made it."""
    return not record.raw.get("dateModified")


__all__ = ["BATCH", "Writer"]
