"""Many new contacts at once: the import job, its reports, and the ids it does not give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from connectors.brevo.catalogue import Catalogue
from connectors.brevo.client import ACCOUNT, SHARED_PHONE, BrevoClient
from connectors.brevo.lists import Lists
from connectors.brevo.reading import Raw, Reader
from connectors.brevo.results import reported_rows
from connectors.brevo.rows import Row, RowBatch, booleans_of, without_phones
from connectors.brevo.singles import CLOCK_MARGIN, Singles, found, not_shown, server_time
from connectors.brevo.wire import moment, same_email
from connectors.core.delivery import Ledger
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.fanout import batched
from connectors.core.http import Call
from connectors.core.replies import Reply
from connectors.core.types import Outcome, Result

INVALID_EMAILS = "invalid_emails"
PHONE_REPORTS = ("duplicate_phone_id", "duplicate_whatsapp_id", "duplicate_landline_number_id")
PATIENCE_SECONDS = 3600.0
# One row cannot refuse an import as far as is documented; should it, halving finds it. Not if everything is refused.
MOST_REFUSALS = 40
FEW = 100
JUST_CREATED = timedelta(seconds=1)
BATCH = 100


class Importer:
    """Settles a batch of rows by `POST /contacts/import`. `polls` are the seconds before each look at the job."""

    def __init__(
        self, client: BrevoClient, reader: Reader, lists: Lists, catalogue: Catalogue, singles: Singles,
        polls: Sequence[float],
    ) -> None:  # fmt: skip
        self._client, self._reader, self._lists = client, reader, lists
        self._catalogue, self._singles, self._polls = catalogue, singles, polls

    def send(self, ledger: Ledger, batch: RowBatch) -> None:
        todo: list[Sequence[Row]] = [batch.rows]
        refusals = 0
        while todo:
            rows = todo.pop()
            if refusals and len(rows) <= FEW:
                self._singles.send(ledger, rows)
                continue
            try:
                self._import(ledger, rows, batch)
            except ApiError as e:
                refusals += 1
                if e.kind not in (ErrorKind.DATA, ErrorKind.CONFLICT, ErrorKind.GONE) or refusals > MOST_REFUSALS:
                    raise
                if e.kind is ErrorKind.GONE:
                    raise ApiError(ErrorKind.CONFIG, "Brevo has no list with the id of the settings.") from e
                middle = max(len(rows) // 2, 1)
                todo += [half for half in (rows[:middle], rows[middle:]) if half]

    def _import(self, ledger: Ledger, rows: Sequence[Row], batch: RowBatch) -> None:
        before = self._client.context.clock.monotonic()
        reply = self._start(rows, batch.clears)
        took = timedelta(seconds=self._client.context.clock.monotonic() - before)
        at = server_time(reply)
        since = at - took if at is not None else None
        reports = self._wait(reply.member("processId"))
        self._settle_reported(ledger, rows, reports, batch)
        rest = [row for row in rows if ledger.is_open(row.change)]
        for outcome in self._outcomes(rest, since, batch.booleans):
            ledger.settle(outcome)
        absent = [row for row in rest if ledger.is_open(row.change)]
        if len(absent) <= FEW:
            self._singles.send(ledger, absent)
        for row in absent:
            ledger.fail(row.change, not_shown())

    def _start(self, rows: Sequence[Row], clears: bool) -> Reply:
        options = {
            "listIds": [self._lists.for_imports],
            "updateExistingContacts": True,
            "emptyContactsAttributes": clears,
            "disableNotification": True,
        }
        body = b'{"jsonBody":[' + b",".join(row.content for row in rows) + b"]," + orjson.dumps(options)[1:]
        headers = {"Content-Type": "application/json"}
        return self._client.send(Call("POST", "/contacts/import", body=body, headers=headers))

    def _wait(self, process: Any) -> Mapping[str, Any]:
        """The reports of the finished job: their names and links. Raises ApiError when it does not finish."""
        waited = 0.0
        for seconds in self._pauses():
            self._client.context.clock.sleep(seconds)
            waited += seconds
            reply = self._client.get(f"/processes/{process}", endpoint="/processes/{id}", limits=(ACCOUNT,))
            status = str(reply.member("status") or "")
            if status == "completed":
                reports = reply.member("info", "import")
                return reports if isinstance(reports, dict) else {}
            if status in ("failed", "cancelled"):
                raise ApiError(ErrorKind.TRANSIENT, f"Brevo's import ended as {status}; it is tried again.")
            if waited > PATIENCE_SECONDS:
                break
        raise ApiError(ErrorKind.TRANSIENT, "Brevo has not finished the import within an hour; it is sent again later.")

    def _pauses(self) -> Iterator[float]:
        yield from self._polls
        while True:
            yield self._polls[-1]

    def _settle_reported(
        self, ledger: Ledger, rows: Sequence[Row], reports: Mapping[str, Any], batch: RowBatch
    ) -> None:
        """Settles the rows that the job reports: refused, sent again without their phone, or singly."""
        singly: dict[int, Row] = {}
        phoneless: dict[int, Row] = {}
        for name, link in reports.items():
            if not isinstance(link, str) or not link:
                continue
            for row in reported_rows(self._fetch(link), rows):
                if name == INVALID_EMAILS:
                    ledger.fail(row.change, _invalid_email())
                elif name in PHONE_REPORTS:
                    phoneless[row.change.ref] = without_phones(row, SHARED_PHONE)
                else:
                    singly[row.change.ref] = row
        if len(phoneless) > FEW:
            # People of one office share its number: by the hundred, they are worth an import of their own.
            self._import(ledger, list(phoneless.values()), batch)
        else:
            singly |= phoneless
        self._singles.send(ledger, [row for row in singly.values() if ledger.is_open(row.change)])

    def _fetch(self, link: str) -> str:
        try:
            reply = self._client.send(Call("GET", link, endpoint="import report", limits=(), expects_json=False))
        except ApiError as e:
            # Without the report the rows it names are those that Brevo does not show afterwards.
            self._client.context.log.warning("An import report could not be fetched: %s", e.detail or e.kind)
            return ""
        return reply.content.decode("utf-8", "replace")

    def _outcomes(self, rows: Sequence[Row], since: datetime | None, booleans: bool) -> Iterator[Outcome]:
        by_email = {same_email(row.email): row for row in rows}
        margin = since - CLOCK_MARGIN if since is not None else None
        pairs = ((by_email[email], raw) for email, raw in self._reader.by_email(by_email, margin))
        for some in batched(pairs, BATCH):
            if booleans:
                self._set_booleans(some)
            for row, raw in some:
                yield found(row, raw, Result.CREATED if _is_new(raw, since) else Result.UPDATED)

    def _set_booleans(self, pairs: Sequence[tuple[Row, Raw]]) -> None:
        """Sets the boolean attributes that did not arrive with the import."""
        lacking = []
        for row, raw in pairs:
            shown: Mapping[str, Any] = raw.get("attributes") or {}
            lost = {k: v for k, v in booleans_of(row, self._catalogue).items() if shown.get(k) is not v}
            if lost:
                lacking.append((row, {"id": raw["id"], "attributes": lost}))
        if not lacking:
            return
        try:
            body = {"contacts": [fix for _row, fix in lacking]}
            self._client.send(Call("POST", "/contacts/batch", json=body, expects_json=False))
        except ApiError as e:
            if e.recovery.stops_run:
                raise
            for row, fix in lacking:
                row.warning = f"{row.warning} Not stored by Brevo: {', '.join(fix['attributes'])}.".strip()


def _is_new(raw: Raw, since: datetime | None) -> bool:
    """Created by this import: since it began, and not touched afterwards."""
    created, modified = moment(raw.get("createdAt")), moment(raw.get("modifiedAt"))
    if created is None or since is None:
        return False
    # The server's time of day comes in whole seconds.
    return created >= since - JUST_CREATED and (modified is None or modified - created < JUST_CREATED)


def _invalid_email() -> ApiError:
    return ApiError(ErrorKind.DATA, "Brevo does not accept this e-mail address; correct it.", field="EMAIL")
