"""Keyset lists chained in a batch: each page begins after the last id of the one before it (sheets 4 and 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.bitrix24.commands import PAGE, Answer, Command, Reference
from connectors.bitrix24.entities import ID
from connectors.core.errors import ApiError, ErrorKind

UNORDERED = "Bitrix24's answer does not list what was asked for."

Rows = list[dict[str, Any]]


def chain(method: str, select: Sequence[str], filters: Mapping[str, Any], after: int, pages: int) -> list[Command]:
    """Commands p0, p1 …: `pages` pages of the records above the id `after`, in the order of their ids.

    `start=-1` keeps the portal from counting all of them for each page.
    """
    commands = []
    for number in range(pages):
        last: Any = after if number == 0 else Reference(f"$result[p{number - 1}][{PAGE - 1}][{ID}]")
        asked = {"order": {ID: "ASC"}, "filter": {**filters, f">{ID}": last}, "start": -1, "select": list(select)}
        commands.append(Command(f"p{number}", method, asked))
    return commands


@dataclass(slots=True)
class Chained:
    """The pages of one batch in order. `last` is the id up to which all is known, `ended` that nothing lies above.

    `error` is why the chain broke before its end: what comes after `last` is to be asked for again.
    """

    last: int
    pages: list[Rows] = field(default_factory=list)
    ended: bool = False
    error: ApiError | None = None


def ids_of(rows: Rows) -> list[int]:
    """Raises ApiError (TRANSIENT) for what is no record."""
    try:
        return [int(row[ID]) for row in rows]
    except (KeyError, TypeError, ValueError):
        raise ApiError(ErrorKind.TRANSIENT, "Bitrix24's answer lists something that is no record.") from None


def unchain(answer: Answer, commands: int, after: int) -> Chained:
    """Up to the first short page, the first failed command, or ids that do not ascend.

    A reference that does not resolve is empty, and "greater than nothing" answers page one again: what follows a short
    page is worth nothing (sheet 6).
    """
    found = Chained(after)
    for number in range(commands):
        try:
            rows = answer.rows(f"p{number}")
            ids = ids_of(rows)
        except ApiError as e:
            found.error = e
            return found
        if any(one >= other for one, other in zip([found.last, *ids], ids, strict=False)):
            # Page one came back, or the portal ignores order or filter: what is above for certain counts.
            found.error = None if found.pages else ApiError(ErrorKind.TRANSIENT, UNORDERED)
            return found
        if ids:
            found.pages.append(rows)
            found.last = ids[-1]
        if len(ids) < PAGE:
            found.ended = True
            return found
    return found
