"""New contacts one by one: upserts by e-mail, and the ids that Brevo does not give for those that existed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from connectors.brevo.client import BrevoClient, refused_phone
from connectors.brevo.lists import Lists
from connectors.brevo.reading import Raw, Reader
from connectors.brevo.rows import Row, without_phones
from connectors.brevo.wire import same_email
from connectors.core.delivery import Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.replies import Reply, http_date
from connectors.core.types import Outcome, Result

# Brevo's clocks need not agree among themselves to the second.
CLOCK_MARGIN = timedelta(seconds=5)


class Singles:
    """Settles rows by `POST /contacts`."""

    def __init__(self, client: BrevoClient, reader: Reader, lists: Lists) -> None:
        self._client, self._reader, self._lists = client, reader, lists

    def send(self, ledger: Ledger, rows: Sequence[Row]) -> None:
        existed: list[Row] = []
        since: datetime | None = None
        for row in rows:
            try:
                row, reply = self._upsert(row)
            except ApiError as e:
                if e.kind not in (ErrorKind.DATA, ErrorKind.CONFLICT, ErrorKind.GONE):
                    raise
                e.body = None
                ledger.fail(row.change, e)
                continue
            since = since or server_time(reply)
            number = reply.member("id")
            if number is not None:
                ledger.settle(outcome(row, Result.CREATED, str(number)))
            else:
                existed.append(row)
        self._settle_existing(ledger, existed, since)

    def _upsert(self, row: Row) -> tuple[Row, Reply]:
        """The answer, and the row as it was accepted: without its phone where that is what Brevo refuses."""
        try:
            return row, self._post(row)
        except ApiError as e:
            bare = without_phones(row, refused_phone(e))
            if not refused_phone(e) or bare.content == row.content:
                raise
        return bare, self._post(bare)

    def _post(self, row: Row) -> Reply:
        body = {**row.body(), "updateEnabled": True}
        if self._lists.chosen is not None:
            body["listIds"] = [self._lists.chosen]
        return self._client.send(Call("POST", "/contacts", json=body, expects_json=False))

    def _settle_existing(self, ledger: Ledger, rows: Sequence[Row], since: datetime | None) -> None:
        if not rows:
            return
        by_email = {same_email(row.email): row for row in rows}
        written = since - CLOCK_MARGIN if since is not None else None
        for email, raw in self._reader.by_email(by_email, written):
            ledger.settle(found(by_email[email], raw, Result.UPDATED))
        for row in rows:
            ledger.fail(row.change, not_shown())


def found(row: Row, raw: Raw, result: Result) -> Outcome:
    """The outcome of a row that Brevo shows as `raw`."""
    return outcome(row, result, str(raw["id"]), str(raw.get("modifiedAt") or ""))


def outcome(row: Row, result: Result, number: str, version: str = "") -> Outcome:
    return Outcome(row.change.ref, result, number, row.email, version, warning=row.warning)


def not_shown() -> ApiError:
    return ApiError(ErrorKind.TRANSIENT, "Brevo took the contact but does not show it yet.")


def server_time(reply: Reply) -> datetime | None:
    """When the answer was given, by the server's clock."""
    return http_date(reply.headers.get("date", ""))
