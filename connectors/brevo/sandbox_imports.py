"""The stand-in's import jobs: they take their time, and report what they did not take as CSV files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.brevo.sandbox_records import Account
from connectors.core.sandbox import Refused

REPORTS = (
    "invalid_emails",
    "duplicate_contact_id",
    "duplicate_ext_id",
    "duplicate_email_id",
    "duplicate_phone_id",
    "duplicate_whatsapp_id",
    "duplicate_landline_number_id",
)
_BY_IDENTIFIER = {
    "SMS": "duplicate_phone_id",
    "WHATSAPP": "duplicate_whatsapp_id",
    "LANDLINE_NUMBER": "duplicate_landline_number_id",
    "email": "duplicate_email_id",
}


@dataclass
class Process:
    """An import from the request to its end at `due`; `reports` hold the refused rows by report."""

    id: int
    order: Mapping[str, Any]
    due: float
    status: str = "queued"
    reports: dict[str, list[str]] = field(default_factory=dict)

    def shown(self, files: str) -> dict[str, Any]:
        body: dict[str, Any] = {"id": self.id, "name": "IMPORTUSER", "status": self.status}
        if self.status == "completed":
            links = {name: f"{files}/{self.id}/{name}.csv" if name in self.reports else None for name in REPORTS}
            body["info"] = {"import": links}
        return body

    def csv(self, name: str) -> bytes:
        return "\n".join(["EMAIL;REASON", *(f"{email};refused" for email in self.reports[name])]).encode()


class Imports:
    """`seconds` plus a second for every `rows_per_second` rows is what a job takes."""

    def __init__(self, account: Account, seconds: float, rows_per_second: float, drops_booleans: bool) -> None:
        self.seconds, self.rows_per_second, self.drops_booleans = seconds, rows_per_second, drops_booleans
        self.processes: dict[int, Process] = {}
        self._account = account
        self._next = 78

    def start(self, order: Mapping[str, Any], now: float) -> Process:
        takes = self.seconds + len(order["jsonBody"]) / self.rows_per_second
        process = Process(self._next, order, now + takes)
        self._next += 1
        self.processes[process.id] = process
        return process

    def advance(self, now: float) -> None:
        """Carries out every job that is due."""
        for process in self.processes.values():
            if process.status == "queued" and process.due <= now:
                self._carry_out(process)

    def _carry_out(self, process: Process) -> None:
        order = process.order
        updates = order.get("updateExistingContacts", True)
        for row in order["jsonBody"]:
            try:
                self._take(row, order, updates)
            except Refused as refusal:
                process.reports.setdefault(_report_of(refusal), []).append(str(row.get("email") or ""))
        process.status, process.order = "completed", {}

    def _take(self, row: Mapping[str, Any], order: Mapping[str, Any], updates: bool) -> None:
        lists = order["listIds"]
        attributes = row.get("attributes") or {}
        if self.drops_booleans:
            attributes = {k: v for k, v in attributes.items() if not isinstance(v, bool)}
        row = {"email": row.get("email"), "attributes": attributes, "listIds": lists}
        person = self._account.find(str(row["email"]), "email_id")
        if person is None:
            self._account.create(row, lists)
        elif updates:
            self._account.update(person, row, clears=bool(order.get("emptyContactsAttributes")))


def _report_of(refusal: Refused) -> str:
    body = refusal.reply.body
    names = (body.get("metadata") or {}).get("duplicate_identifiers") or []
    if names:
        return _BY_IDENTIFIER[names[0]]
    return "duplicate_phone_id" if "phone" in body["message"] else "invalid_emails"
