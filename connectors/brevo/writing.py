"""Contacts to Brevo: known ones in batches of updates, new ones singly or by import."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from connectors.brevo.catalogue import Catalogue
from connectors.brevo.client import BrevoClient, refused_phone
from connectors.brevo.imports import Importer
from connectors.brevo.reading import ONE
from connectors.brevo.rows import DELETE, IMPORT, UPDATE, RowBatch, email_of, row_of, unfit_warning
from connectors.brevo.singles import Singles
from connectors.brevo.wire import EMAIL, PHONES
from connectors.core.delivery import Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.types import Change, Outcome, Result

_RECORD_ERRORS = (ErrorKind.DATA, ErrorKind.CONFLICT, ErrorKind.GONE)


class Writer:
    """`send` of a Delivery."""

    def __init__(self, client: BrevoClient, catalogue: Catalogue, singles: Singles, importer: Importer) -> None:
        self._client, self._catalogue = client, catalogue
        self._singles, self._importer = singles, importer

    def send(self, ledger: Ledger) -> None:
        batch = ledger.batch
        if isinstance(batch, RowBatch):
            if batch.lane == IMPORT:
                self._importer.send(ledger, batch)
            else:
                self._singles.send(ledger, batch.rows)
        elif batch.lane == UPDATE:
            self._update(ledger)
        elif batch.lane == DELETE:
            for change in batch.changes:
                self._delete(ledger, change)

    def _delete(self, ledger: Ledger, change: Change) -> None:
        try:
            self._client.send(self._one("DELETE", change))
        except ApiError as e:
            if e.kind not in _RECORD_ERRORS:
                raise
            if e.kind is not ErrorKind.GONE:
                ledger.fail(change, e)
                return
        ledger.settle(_outcome(change, Result.DELETED))

    def _update(self, ledger: Ledger) -> None:
        for change in ledger.open:
            if not change.values:
                ledger.settle(_outcome(change, Result.UNCHANGED))
        if ledger.open:
            self._batch(ledger, ledger.open)

    def _batch(self, ledger: Ledger, changes: Sequence[Change]) -> None:
        """All or nothing: what the refusal names is sent singly, the rest again."""
        rows = [{**_target(change), **self._body(change)} for change in changes]
        try:
            self._client.send(Call("POST", "/contacts/batch", json={"contacts": rows}, expects_json=False))
        except ApiError as e:
            if e.kind not in _RECORD_ERRORS:
                raise
            if len(changes) == 1:
                self._singly(ledger, changes[0])
                return
            self._refused(ledger, changes, e)
            return
        for change in changes:
            ledger.settle(self._updated(change))

    def _refused(self, ledger: Ledger, changes: Sequence[Change], error: ApiError) -> None:
        suspects = _suspects(error, len(changes))
        if not suspects:
            middle = len(changes) // 2
            for half in (changes[:middle], changes[middle:]):
                self._batch(ledger, half)
            return
        for index in suspects:
            self._singly(ledger, changes[index])
        rest = [change for index, change in enumerate(changes) if index not in suspects]
        if rest:
            self._batch(ledger, rest)

    def _singly(self, ledger: Ledger, change: Change) -> None:
        """One contact by its id; one that is gone by its address instead."""
        warning = ""
        try:
            try:
                self._put(change, self._body(change))
            except ApiError as e:
                warning = refused_phone(e)
                if not warning:
                    raise
                body = self._body(change)
                body["attributes"] = {k: v for k, v in body["attributes"].items() if k not in PHONES}
                self._put(change, body)
        except ApiError as e:
            if e.kind not in _RECORD_ERRORS:
                raise
            if e.kind is ErrorKind.GONE and email_of(change):
                self._singles.send(ledger, [row_of(change, self._catalogue)[0]])
                return
            e.body = None
            ledger.fail(change, e)
            return
        ledger.settle(self._updated(change, warning))

    def _put(self, change: Change, body: dict[str, Any]) -> None:
        self._client.send(self._one("PUT", change, body))

    def _one(self, method: str, change: Change, body: dict[str, Any] | None = None) -> Call:
        kind = "email_id" if "@" in change.external_id else "contact_id"
        return Call(
            method,
            f"/contacts/{change.external_id.replace('@', '%40')}",
            endpoint=ONE,
            params={"identifierType": kind},
            json=body,
            expects_json=False,
        )

    def _body(self, change: Change) -> dict[str, Any]:
        attributes, _unfit = self._catalogue.attributes(change.values)
        email = change.values.get(EMAIL)
        if email:
            attributes[EMAIL] = str(email).strip()
        return {"attributes": attributes}

    def _updated(self, change: Change, warning: str = "") -> Outcome:
        _attributes, unfit = self._catalogue.attributes(change.values)
        return _outcome(change, Result.UPDATED, " ".join(filter(None, (unfit_warning(unfit), warning))))


def _target(change: Change) -> dict[str, Any]:
    """How a batch names a contact. An e-mail is kept as the id by links that older tools made."""
    number = change.external_id
    return {"id": int(number)} if number.isdigit() else {"email": number}


def _outcome(change: Change, result: Result, warning: str = "") -> Outcome:
    return Outcome(change.ref, result, change.external_id, email_of(change), warning=warning)


def _suspects(error: ApiError, size: int) -> set[int]:
    """The rows a 404 may mean. Whether it counts from 0 or 1 is not documented, so both are looked at singly."""
    body = error.body if isinstance(error.body, dict) else {}
    message = str(body.get("message") or "").lower()
    _before, named, listed = message.partition("indexes")
    if error.kind is not ErrorKind.GONE or not named:
        return set()
    numbers = {int(n) for n in re.findall(r"\d+", listed)}
    return {i for n in numbers for i in (n - 1, n) if 0 <= i < size}
