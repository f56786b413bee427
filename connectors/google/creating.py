"""New contacts, 200 in a request, each with our own mark: what became of them, also when no answer came."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.core.delivery import Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.types import Change, Op, Outcome, Result
from connectors.google.building import Builder, Lists
from connectors.google.client import CONTACT_SOURCE, GoogleClient
from connectors.google.fields import CLIENT_DATA, METADATA
from connectors.google.finding import Finder
from connectors.google.marks import Marks, client_data
from connectors.google.quotas import BATCH_WRITE, SINGLE_WRITE, SINGLES
from connectors.google.refusals import ACCOUNT_FULL, FULL, contact_errors, error_of_code
from connectors.google.updating import Updater
from connectors.google.wire import marks_of, name_of, version_of

BATCH_CREATE, CREATE = "/v1/people:batchCreateContacts", "/v1/people:createContact"
ANSWERED_FIELDS = f"{CLIENT_DATA},{METADATA}"
_MARKED_TWICE = "Several contacts in Google carry the mark of this one: delete the copies there, or merge them."
_SILENT = "Google did not say what became of this contact."


@dataclass(frozen=True, slots=True)
class Row:
    change: Change
    mark: str
    body: Lists


class Creator:
    """Creates what a ledger of the lane of creations holds. Lives as long as one call of `write`."""

    def __init__(self, client: GoogleClient, finder: Finder, marks: Marks, builder: Builder, updater: Updater) -> None:
        self._client, self._finder, self._marks = client, finder, marks
        self._builder, self._updater = builder, updater
        self._full = False
        # Whether a refused batch may have been written in part, which the reference leaves open (sheet 4.7).
        self._writes_in_part: bool | None = None

    def send(self, ledger: Ledger) -> None:
        if self._full:
            ledger.fail_rest(ApiError(ErrorKind.DATA, ACCOUNT_FULL, detail=FULL))
            return
        marked = {change.ref: self._marks.of(change) for change in ledger.open}
        known = self._finder.marked(marked.values())
        rows, there = [], []
        for change in ledger.open:
            mark = marked[change.ref]
            if len(known[mark]) > 1:
                ledger.fail(change, ApiError(ErrorKind.DATA, _MARKED_TWICE))
            elif known[mark]:
                # An earlier attempt arrived after all.
                there.append(replace(change, op=Op.UPDATE, external_id=known[mark][0]))
            elif (body := self._body(ledger, change, mark)) is not None:
                rows.append(Row(change, mark, body))
        self._write(ledger, rows)
        self._updater.write(ledger, there)

    def _body(self, ledger: Ledger, change: Change, mark: str) -> Lists | None:
        """None, and a failure in the ledger, for values that do not fit."""
        try:
            lists = self._builder.changed({}, {key: v for key, v in change.values.items() if v is not None})
        except ApiError as e:
            ledger.fail(change, e)
            return None
        return {**lists, CLIENT_DATA: [client_data(mark)]}

    def _write(self, ledger: Ledger, rows: Sequence[Row]) -> None:
        if len(rows) > SINGLES:
            self._write_batch(ledger, rows)
            return
        lost: list[tuple[Row, ApiError]] = []
        for row in rows:
            if self._full:
                ledger.fail(row.change, ApiError(ErrorKind.DATA, ACCOUNT_FULL, detail=FULL))
            elif (error := self._write_alone(ledger, row)) is not None:
                lost.append((row, error))
        if lost:
            self._look_for(ledger, [row for row, _error in lost], lost[-1][1])

    def _write_batch(self, ledger: Ledger, rows: Sequence[Row]) -> None:
        contacts = [{"contactPerson": row.body} for row in rows]
        body = {"contacts": contacts, "readMask": ANSWERED_FIELDS, "sources": [CONTACT_SOURCE]}
        # There is no idempotency key: what may have arrived is looked for, never sent again blindly.
        call = Call("POST", BATCH_CREATE, json=body, limits=BATCH_WRITE, repeatable=False)
        try:
            reply = self._client.mutate(call)
        except ApiError as e:
            self._failed(ledger, rows, e)
            return
        self._settle(ledger, rows, reply.member("createdPeople"))

    def _write_alone(self, ledger: Ledger, row: Row) -> ApiError | None:
        """The error of a lost answer, which leaves the row open."""
        path = f"{CREATE}?personFields={ANSWERED_FIELDS}&sources={CONTACT_SOURCE}"
        call = Call("POST", path, endpoint=CREATE, json=row.body, limits=SINGLE_WRITE, repeatable=False)
        try:
            reply = self._client.mutate(call)
        except ApiError as e:
            if e.kind is ErrorKind.UNKNOWN:
                return e
            self._failed(ledger, [row], e)
            return None
        person = reply.json if isinstance(reply.json, dict) else {}
        if not name_of(person):
            return ApiError(ErrorKind.UNKNOWN, _SILENT)
        self._created(ledger, row, person)
        return None

    def _settle(self, ledger: Ledger, rows: Sequence[Row], answers: Any) -> None:
        """By the mark: the order of the answer is not promised (sheet 4.7)."""
        by_mark = {row.mark: row for row in rows}
        for answer in answers if isinstance(answers, list) else ():
            person = answer.get("person") if isinstance(answer, dict) else None
            if not isinstance(person, dict) or not name_of(person):
                continue
            for row in (by_mark[mark] for mark in marks_of(person) if mark in by_mark):
                self._created(ledger, row, person)
        silent = [row for row in rows if ledger.is_open(row.change)]
        if silent:
            self._look_for(ledger, silent, ApiError(ErrorKind.UNKNOWN, _SILENT))

    def _created(self, ledger: Ledger, row: Row, person: Mapping[str, Any]) -> None:
        self._finder.created(name_of(person), row.mark, row.change.values)
        ledger.settle(_made(row.change, name_of(person), version_of(person)))

    def _failed(self, ledger: Ledger, rows: Sequence[Row], error: ApiError) -> None:
        """A refusal: those whom the answer names are left out and the rest sent again, else the batch is halved."""
        if error.detail == FULL:
            self._full = True
        elif error.kind is ErrorKind.UNKNOWN:
            self._look_for(ledger, rows, error)
            return
        elif error.kind not in (ErrorKind.DATA, ErrorKind.CONFLICT, ErrorKind.GONE):
            raise error
        named = {} if self._full else contact_errors(error.body)
        error.body = None
        for index, code in named.items():
            if index.isdigit() and int(index) < len(rows):
                ledger.fail(rows[int(index)].change, error_of_code(code))
        rest = [row for row in rows if ledger.is_open(row.change)]
        if self._full or len(rows) == 1:
            for row in rest:
                ledger.fail(row.change, error)
        elif len(rest) < len(rows):
            self._again(ledger, rest)
        else:
            middle = len(rest) // 2
            self._again(ledger, rest[:middle])
            self._again(ledger, rest[middle:])

    def _again(self, ledger: Ledger, rows: Sequence[Row]) -> None:
        if self._writes_in_part is not False:
            self._finder.doubt()
            self._writes_in_part = self._take_found(ledger, rows) > 0
        rest = [row for row in rows if ledger.is_open(row.change)]
        if rest and not self._full:
            self._write(ledger, rest)

    def _look_for(self, ledger: Ledger, rows: Sequence[Row], error: ApiError) -> None:
        """After a lost answer: what the account shows by our marks was created, the rest stays unknown."""
        if not rows:
            return
        self._finder.doubt()
        try:
            self._take_found(ledger, rows)
        except ApiError as e:
            logging.getLogger(__name__).info("what a lost answer created could not be looked up: %s", e.kind)
            if e.recovery.stops_run:
                _fail_open(ledger, rows, error)
                raise
        _fail_open(ledger, rows, error)

    def _take_found(self, ledger: Ledger, rows: Sequence[Row]) -> int:
        """Settles those whom the account shows; answers how many."""
        found = self._finder.marked([row.mark for row in rows])
        for row in rows:
            if len(found[row.mark]) == 1:
                ledger.settle(_made(row.change, found[row.mark][0]))
            elif found[row.mark]:
                ledger.fail(row.change, ApiError(ErrorKind.DATA, _MARKED_TWICE))
        return sum(bool(names) for names in found.values())


def _fail_open(ledger: Ledger, rows: Sequence[Row], error: ApiError) -> None:
    for row in rows:
        ledger.fail(row.change, error)


def _made(change: Change, name: str, version: str = "") -> Outcome:
    return Outcome(change.ref, Result.CREATED, external_id=name, external_ref=name, version=version)
