"""Records to Bitrix24, up to 50 in a batch: what became of each, also where no answer came (sheets 6, 8 and 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.bitrix24.building import Builder
from connectors.bitrix24.client import BitrixClient
from connectors.bitrix24.commands import MOST, Answer, Command
from connectors.bitrix24.entities import ID, Entity
from connectors.bitrix24.finding import Finder
from connectors.bitrix24.lists import Lists
from connectors.bitrix24.marks import Marks, marked
from connectors.bitrix24.wire import is_list
from connectors.core.batches import Batcher, Place
from connectors.core.delivery import Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Change, Op, Outcome, Result

CREATE, UPDATE, DELETE = "create", "update", "delete"
_VERBS = {CREATE: "add", UPDATE: "update", DELETE: "delete"}
_RESULTS = {CREATE: Result.CREATED, UPDATE: Result.UPDATED, DELETE: Result.DELETED}
# A write takes the portal up to 1.5 s, and a request may take 30: the first batches are small (sheet 7).
FIRST_BATCH, FEWEST, TARGET_SECONDS = 20, 2, 12.0
MOST_TRIES = 3
_MARKED_TWICE = "Several records in Bitrix24 carry the mark of this one: delete the copies there, or merge them."
_SILENT = "Bitrix24 did not say what became of this record."


@dataclass(frozen=True, slots=True)
class Row:
    """A change as it is sent: `params` are those of its method."""

    change: Change
    params: Mapping[str, Any]


class Writer:
    """`place` and `send` of a Delivery for one entity; `batcher` forms its batches, as large as the portal is quick."""

    def __init__(self, client: BitrixClient, lists: Lists, finder: Finder, builder: Builder, marks: Marks) -> None:
        self._client, self._lists, self._finder, self._marks = client, lists, finder, marks
        self._builder = builder
        self._entity: Entity = lists.entity
        self.batcher = Batcher(self.place, FIRST_BATCH)

    def place(self, change: Change) -> Place:
        """Raises ApiError (DATA) for a change that cannot be sent."""
        if change.op in (Op.UPDATE, Op.DELETE):
            if not change.external_id.isdigit():
                raise ApiError(ErrorKind.BUG, f"A change of a linked {self._entity.noun} came without Bitrix24's id.")
            lane = UPDATE if change.op is Op.UPDATE else DELETE
            return Place(lane, (f"id:{change.external_id}",))
        if change.op is not Op.CREATE:
            raise ApiError(ErrorKind.BUG, "Bitrix24 has no upserts.")
        if change.key is None and not change.idempotency_key:
            raise ApiError(ErrorKind.DATA, _NAMELESS.format(self._entity.noun))
        # People who share a phone are different people; of one address there is only one.
        by_email = change.key is not None and change.key.name == "email"
        return Place(CREATE, (f"email:{change.key.value.strip().lower()}",) if by_email and change.key else ())

    def send(self, ledger: Ledger) -> None:
        match ledger.batch.lane:
            case "create":
                self._create(ledger)
            case "update":
                self._update(ledger, ledger.open)
            case _:
                rows = [Row(change, {"id": change.external_id}) for change in ledger.open]
                self._settle(ledger, DELETE, rows, self._carry_out(DELETE, rows, repeatable=True))

    def _create(self, ledger: Ledger) -> None:
        """What carries our mark already was made by an earlier attempt: it is brought up to date instead."""
        marks = {change.ref: self._marks.of(change) for change in ledger.open}
        known = self._finder.marked(list(marks.values()))
        rows, there = [], []
        for change in ledger.open:
            ids = known[marks[change.ref]]
            if len(ids) > 1:
                ledger.fail(change, ApiError(ErrorKind.DATA, _MARKED_TWICE))
            elif ids:
                there.append(replace(change, op=Op.UPDATE, external_id=ids[0]))
            else:
                rows += self._row(ledger, change, {}, marked(marks[change.ref]))
        if rows:
            self._add(ledger, rows, marks)
        if there:
            self._update(ledger, there)

    def _add(self, ledger: Ledger, rows: Sequence[Row], marks: Mapping[int, str]) -> None:
        try:
            # There is no idempotency key: what may have arrived is looked for, never sent again blindly.
            answer = self._carry_out(CREATE, rows, repeatable=False)
        except ApiError as e:
            if e.kind is not ErrorKind.UNKNOWN:
                raise
            self._take_found(ledger, rows, marks)
            for row in rows:
                ledger.fail(row.change, e)
            return
        self._settle(ledger, CREATE, rows, answer)
        silent = [row for row in rows if ledger.is_open(row.change)]
        if silent:
            self._take_found(ledger, silent, marks)
            for row in silent:
                ledger.fail(row.change, ApiError(ErrorKind.UNKNOWN, _SILENT))

    def _take_found(self, ledger: Ledger, rows: Sequence[Row], marks: Mapping[int, str]) -> None:
        """After a lost answer: what the portal shows with our marks was created."""
        try:
            found = self._finder.marked([marks[row.change.ref] for row in rows])
        except ApiError as e:
            # They stay unknown, and are looked for again before the next attempt.
            self._client.context.log.info("what a lost answer created could not be looked up: %s", e.kind)
            return
        for row in rows:
            ids = found[marks[row.change.ref]]
            if len(ids) == 1:
                ledger.settle(_outcome(row.change, Result.CREATED, ids[0]))

    def _update(self, ledger: Ledger, changes: Sequence[Change]) -> None:
        """Phones and addresses are read first: without their ids they would be added once more (sheet 9).

        So a lost answer is not met by sending the same again, but by looking anew at what there is to do.
        """
        for tried in range(1, MOST_TRIES + 1):
            rows = self._prepared(ledger, [change for change in changes if ledger.is_open(change)])
            if not rows:
                return
            try:
                answer = self._carry_out(UPDATE, rows, repeatable=False)
            except ApiError as e:
                if e.kind is not ErrorKind.UNKNOWN or tried == MOST_TRIES:
                    raise
                self._client.context.clock.sleep(2.0**tried / 2)
                continue
            self._settle(ledger, UPDATE, rows, answer)
            return

    def _prepared(self, ledger: Ledger, changes: Sequence[Change]) -> list[Row]:
        ids = [c.external_id for c in changes if any(is_list(key) for key in c.values)]
        held: dict[str, dict[str, Any]] = {}
        for _asked, found in self._lists.by_ids(ids, [ID, *self._entity.multifields]):
            held |= found
        rows: list[Row] = []
        for change in changes:
            if change.external_id in ids and change.external_id not in held:
                ledger.fail(change, self._gone())
                continue
            made = self._row(ledger, change, held.get(change.external_id, {}), {})
            if not made and ledger.is_open(change):
                ledger.settle(_outcome(change, Result.UNCHANGED, change.external_id))
            rows += made
        return rows

    def _row(self, ledger: Ledger, change: Change, held: Mapping[str, Any], more: Mapping[str, Any]) -> list[Row]:
        """Nothing, and a failure in the ledger, for values that do not fit; nothing where nothing is to be sent."""
        try:
            fields = {**self._builder.fields(change, held), **more}
        except ApiError as e:
            ledger.fail(change, e)
            return []
        named = {"id": change.external_id} if change.external_id else {}
        # Without it every write would appear in the portal's news.
        quiet = {"REGISTER_SONET_EVENT": "N"}
        return [Row(change, {**named, "fields": fields, "params": quiet})] if fields else []

    def _carry_out(self, lane: str, rows: Sequence[Row], *, repeatable: bool) -> Answer:
        method = self._entity.method(_VERBS[lane])
        try:
            answer = self._client.batch_write(
                [Command(f"w{n}", method, row.params) for n, row in enumerate(rows)], repeatable=repeatable
            )
        except ApiError as e:
            if e.kind in (ErrorKind.UNKNOWN, ErrorKind.TRANSIENT):
                self.batcher.size = max(self.batcher.size // 2, FEWEST)
            raise
        each = answer.seconds / len(rows)
        self.batcher.size = min(max(int(TARGET_SECONDS / each) if each else MOST, FEWEST), MOST)
        return answer

    def _settle(self, ledger: Ledger, lane: str, rows: Sequence[Row], answer: Answer) -> None:
        """Every command has an answer of its own: one that is refused costs only its record."""
        for number, row in enumerate(rows):
            error = answer.error(f"w{number}")
            result = answer.results.get(f"w{number}")
            if error is None and lane == CREATE and str(result or "").isdigit():
                ledger.settle(_outcome(row.change, Result.CREATED, str(result)))
            elif error is None and lane != CREATE and result:
                ledger.settle(_outcome(row.change, _RESULTS[lane], row.change.external_id))
            elif error is not None and error.kind is ErrorKind.GONE and lane == DELETE:
                ledger.settle(_outcome(row.change, Result.DELETED, row.change.external_id))
            elif error is not None and f"w{number}" in answer.errors:
                ledger.fail(row.change, self._of_one(error))
            elif lane != CREATE:
                ledger.fail(row.change, ApiError(ErrorKind.TRANSIENT, _SILENT))

    def _of_one(self, error: ApiError) -> ApiError:
        """What stops a whole run where a request meets it concerns one record only where a command does."""
        if error.kind in (ErrorKind.CONFIG, ErrorKind.AUTH):
            return ApiError(ErrorKind.DATA, _MAY_NOT.format(self._entity.noun), detail=error.detail)
        return self._gone() if error.kind is ErrorKind.GONE else error

    def _gone(self) -> ApiError:
        noun = self._entity.noun
        return ApiError(ErrorKind.GONE, f"Bitrix24 no longer has this {noun}: it was deleted or merged there.")


_NAMELESS = "The {} has nothing by which Bitrix24 could tell it from others, such as an e-mail address, phone or name."
_MAY_NOT = "The employee behind the connection may not change this {} in Bitrix24."


def _outcome(change: Change, result: Result, number: str) -> Outcome:
    return Outcome(change.ref, result, external_id=number, external_ref=number)
