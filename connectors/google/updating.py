"""Changed contacts, 200 in a request: read, laid over, and written against the etag that was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.core.delivery import Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.types import Change, Outcome, Result
from connectors.google.building import Builder, Lists, unchanged
from connectors.google.client import CONTACT_SOURCE, GoogleClient
from connectors.google.fields import METADATA
from connectors.google.quotas import BATCH_WRITE, SINGLE_WRITE, SINGLES
from connectors.google.reading import Reader
from connectors.google.refusals import CHANGED, GONE, contact_errors, error_of_code
from connectors.google.wire import name_of, version_of

BATCH_UPDATE, UPDATE_ENDPOINT = "/v1/people:batchUpdateContacts", "/v1/people/{id}:updateContact"
# How often a contact that somebody else keeps changing is read and laid over anew.
TRIES = 3


@dataclass(frozen=True, slots=True)
class Row:
    """`lists` are those that change; `person` is as it was read, and its name may be another than was asked for."""

    change: Change
    person: Mapping[str, Any]
    lists: Lists

    @property
    def name(self) -> str:
        return name_of(self.person)

    def body(self, mask: Sequence[str]) -> dict[str, Any]:
        """With every list of the mask: the others as they were read, as the mask is one for a whole batch."""
        lists = {m: self.lists[m] if m in self.lists else unchanged(self.person, m) for m in mask}
        return {"etag": self.person.get("etag", ""), **lists}


class Updater:
    """Updates contacts by their resource names."""

    def __init__(self, client: GoogleClient, reader: Reader, builder: Builder) -> None:
        self._client, self._reader, self._builder = client, reader, builder

    def write(self, ledger: Ledger, changes: Sequence[Change]) -> None:
        """Settles every one of the changes; a stale etag is read and laid over again, a few times."""
        stale = list(changes)
        for _ in range(TRIES):
            if not stale:
                return
            stale = self._write(ledger, self._rows(ledger, stale))
        for change in stale:
            ledger.fail(change, ApiError(ErrorKind.CONFLICT, CHANGED))

    def _rows(self, ledger: Ledger, changes: Sequence[Change]) -> list[Row]:
        people = self._reader.people([change.external_id for change in changes])
        rows = []
        for change in changes:
            person = people.get(change.external_id)
            if person is None:
                ledger.fail(change, ApiError(ErrorKind.GONE, GONE))
                continue
            try:
                lists = self._builder.changed(person, change.values, change.before)
            except ApiError as e:
                ledger.fail(change, e)
                continue
            if lists:
                rows.append(Row(change, person, lists))
            else:
                ledger.settle(_outcome(change, Result.UNCHANGED, name_of(person), version_of(person)))
        return rows

    def _write(self, ledger: Ledger, rows: Sequence[Row]) -> list[Change]:
        """Answers those whose etag had grown old."""
        if len(rows) > SINGLES:
            return self._write_batch(ledger, rows)
        return [change for row in rows for change in self._write_one(ledger, row)]

    def _write_batch(self, ledger: Ledger, rows: Sequence[Row]) -> list[Change]:
        mask = sorted({member for row in rows for member in row.lists})
        body = {
            "contacts": {row.name: row.body(mask) for row in rows},
            "updateMask": ",".join(mask),
            "readMask": METADATA,
            "sources": [CONTACT_SOURCE],
        }
        try:
            # Repeated after a lost answer, it meets its own newer etag, and then nothing that differs.
            reply = self._client.mutate(Call("POST", BATCH_UPDATE, json=body, limits=BATCH_WRITE))
        except ApiError as e:
            return self._refused(ledger, rows, e)
        results = reply.member("updateResult")
        if not isinstance(results, dict):
            raise ApiError(ErrorKind.TRANSIENT, "Google's answer does not list what it wrote.", status=reply.status)
        return [change for row in rows for change in _settle(ledger, row, results.get(row.name))]

    def _write_one(self, ledger: Ledger, row: Row) -> list[Change]:
        mask = sorted(row.lists)
        path = f"/v1/{row.name}:updateContact?updatePersonFields={','.join(mask)}&personFields={METADATA}"
        call = Call(
            "PATCH",
            f"{path}&sources={CONTACT_SOURCE}",
            endpoint=UPDATE_ENDPOINT,
            json=row.body(mask),
            limits=SINGLE_WRITE,
        )
        try:
            reply = self._client.mutate(call)
        except ApiError as e:
            return self._refused(ledger, [row], e)
        return _settle(ledger, row, {"httpStatusCode": reply.status, "person": reply.json})

    def _refused(self, ledger: Ledger, rows: Sequence[Row], error: ApiError) -> list[Change]:
        """Those whom the answer names are settled and the rest sent again; without names the batch is halved."""
        if error.kind not in (ErrorKind.DATA, ErrorKind.CONFLICT, ErrorKind.GONE):
            raise error
        named = contact_errors(error.body)
        error.body = None
        if len(rows) == 1:
            return _take(ledger, rows[0].change, error)
        culprits = [row for row in rows if row.name in named]
        stale = [c for row in culprits for c in _take(ledger, row.change, error_of_code(named[row.name]))]
        rest = [row for row in rows if row.name not in named]
        middle = 0 if culprits else len(rest) // 2
        for part in (rest[:middle], rest[middle:]):
            stale += self._write(ledger, part)
        return stale


def _settle(ledger: Ledger, row: Row, answer: Any) -> list[Change]:
    held = answer if isinstance(answer, dict) else {}
    person, status = held.get("person"), held.get("status")
    if held.get("httpStatusCode") == 200:
        version = version_of(person) if isinstance(person, dict) else ""
        ledger.settle(_outcome(row.change, Result.UPDATED, row.name, version))
        return []
    code = int(status.get("code") or 0) if isinstance(status, dict) else 0
    silent = ApiError(ErrorKind.TRANSIENT, "Google did not say what became of this contact.")
    return _take(ledger, row.change, error_of_code(code) if code else silent)


def _take(ledger: Ledger, change: Change, error: ApiError) -> list[Change]:
    """A change that failed, or the change itself where only its etag was old."""
    if error.kind is ErrorKind.CONFLICT:
        return [change]
    ledger.fail(change, error)
    return []


def _outcome(change: Change, result: Result, name: str, version: str) -> Outcome:
    return Outcome(change.ref, result, external_id=name, external_ref=name, version=version)
