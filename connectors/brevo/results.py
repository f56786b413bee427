"""The CSV files in which an import reports what it did not take. Their columns are not documented."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from connectors.brevo.rows import Row
from connectors.brevo.wire import PHONES, same_email


def reported_rows(text: str, rows: Sequence[Row]) -> list[Row]:
    """The rows that a report speaks of: by an address in any column, else by a phone in any column."""
    cells = list(_cells(text))
    by_email = {same_email(row.email): row for row in rows}
    found = [by_email[cell] for cell in map(same_email, cells) if cell in by_email]
    if not found:
        by_phone = _by_phone(rows)
        found = [row for cell in map(_digits, cells) for row in by_phone.get(cell, ())]
    return list({row.change.ref: row for row in found}.values())


def _cells(text: str) -> Iterable[str]:
    text = text.lstrip("\ufeff")
    head = text.partition("\n")[0]
    delimiter = max(";,\t", key=head.count)
    for record in csv.reader(io.StringIO(text), delimiter=delimiter):
        yield from record


def _by_phone(rows: Sequence[Row]) -> dict[str, list[Row]]:
    index: dict[str, list[Row]] = {}
    for row in rows:
        attributes = row.body()["attributes"]
        for name in PHONES:
            number = _digits(str(attributes.get(name) or ""))
            if number:
                index.setdefault(number, []).append(row)
    return index


def _digits(text: str) -> str:
    number = re.sub(r"\D", "", text).removeprefix("00")
    return number if len(number) >= 7 else ""
