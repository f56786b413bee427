"""Contacts from Mautic: all of them, the changed ones, or some by id, e-mail or our mark (sheet 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.fanout import batched
from connectors.core.replies import Reply, http_date
from connectors.core.types import FieldSpec, MatchKey, Page, ReadMode, ReadQuery, RemoteRecord
from connectors.mautic.catalogue import Catalogue
from connectors.mautic.client import CONTACTS, MauticClient
from connectors.mautic.marks import MARK
from connectors.mautic.wire import EMAIL, decode_record, members, same_email, values_of

PAGE = 500
LOOKUP = 100
# Of one list of values in an address: web servers refuse addresses longer than 8 KB.
LONGEST_LIST = 5000
# Times there are whole seconds, by a clock that is not ours.
OVERLAP = timedelta(minutes=2)
DEFAULT_FIELDS = (EMAIL, "firstname", "lastname", "phone", "company", "position")
# A list of values is split at commas; what could break out of one is not asked for.
_UNASKABLE = frozenset(",\"'\\ \t\r\n")

Where = list[tuple[str, str, Any]]


class Reader:
    """The pages of `read` and the answers of `find`. Every page starts after the id at which the one before ended:

    by offset, a contact that is deleted meanwhile would shift another one past us.
    """

    def __init__(self, client: MauticClient, catalogue: Catalogue) -> None:
        self._client, self._catalogue = client, catalogue

    @property
    def _specs(self) -> Mapping[str, FieldSpec]:
        return self._catalogue.specs

    def read(self, query: ReadQuery) -> Iterator[Page]:
        if query.mode is ReadMode.IDS:
            return self._by_ids(query)
        return self._changes(query) if query.mode is ReadMode.CHANGES else self._everything(query)

    def _everything(self, query: ReadQuery) -> Iterator[Page]:
        after = int((query.cursor or {}).get("after") or 0)
        for records, full, _reply in self._chain([], after, _size(query), self._fields(query)):
            cursor = {"after": int(records[-1].id)} if full else None
            yield Page(records, cursor, last=not full)

    def _changes(self, query: ReadQuery) -> Iterator[Page]:
        """Those changed since a moment that stays the same over all pages, so that equal times need no care.

        Whoever changes meanwhile is met by the next read, which starts before this one did.
        """
        cursor = query.cursor or {}
        since = str(cursor.get("since") or _stamp(query.since or datetime.fromtimestamp(0, UTC)))
        upto = str(cursor.get("upto") or "")
        changed: Where = [("", "orX", [("dateAdded", "gte", since), ("dateModified", "gte", since)])]
        asked_at = self._client.context.clock.now()
        for records, full, reply in self._chain(
            changed, int(cursor.get("after") or 0), _size(query), self._fields(query)
        ):
            upto = upto or _stamp((http_date(reply.headers.get("date", "")) or asked_at) - OVERLAP)
            more = {"since": since, "upto": upto, "after": int(records[-1].id)} if full else None
            # A cursor never moves back: the overlap of two reads may be longer than the time between them.
            yield Page(records, more or {"since": max(since, upto)}, last=not full)

    def _by_ids(self, query: ReadQuery) -> Iterator[Page]:
        batches = list(batched(query.ids, LOOKUP))
        for number, ids in enumerate(batches, 1):
            records = self._listed("id", [i for i in ids if i.isdigit()], self._fields(query))
            found = {record.id for record in records}
            absent = [i for i in ids if i not in found]
            yield Page(records, last=number == len(batches), deleted_ids=absent)

    def find(self, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
        """Keys are named `email`, `id` or `crmsync_id`. Several contacts may have one address: nothing forbids it."""
        found: dict[MatchKey, list[RemoteRecord]] = {key: [] for key in keys}
        for name in dict.fromkeys(key.name for key in keys):
            wanted: dict[str, list[MatchKey]] = {}
            for key in keys:
                if key.name == name:
                    wanted.setdefault(same_email(key.value), []).append(key)
            fields = [f for f in (*DEFAULT_FIELDS, MARK) if f in self._specs]
            for record in self._listed(name, list(wanted), fields):
                # Checked on the answer: an expression that a version does not know would list everybody.
                held = record.id if name == "id" else same_email(str(values_of(record.raw).get(name) or ""))
                for key in wanted.get(held, ()):
                    found[key].append(record)
        return found

    def _listed(self, column: str, values: Sequence[str], fields: Sequence[str]) -> list[RemoteRecord]:
        found: list[RemoteRecord] = []
        for some in _lists([v for v in values if v and _UNASKABLE.isdisjoint(v)]):
            for records, _full, _reply in self._chain([(column, "in", ",".join(some))], 0, PAGE, fields):
                found += records
                if len(found) > 10 * (len(values) + PAGE):
                    raise ApiError(ErrorKind.TRANSIENT, "Mautic lists contacts that were not asked for.")
        return found

    def _chain(
        self, where: Where, after: int, limit: int, fields: Sequence[str]
    ) -> Iterator[tuple[list[RemoteRecord], bool, Reply]]:
        """Records by id after `after`, whether the page was full, and its answer; ends after a page that was not."""
        full = True
        while full:
            conditions: Where = [("id", "gt", str(after)), *where]
            params = {"limit": limit, "orderBy": "id", "orderByDir": "asc"} | _flat(conditions)
            params |= {f"select[{n}]": name for n, name in enumerate(fields)}
            reply = self._client.get(CONTACTS, params=params)
            listed = reply.member("contacts")
            if not isinstance(listed, dict | list):
                raise ApiError(ErrorKind.TRANSIENT, "Mautic's answer does not list contacts.")
            rows = [row for row in members(listed) if str(row.get("id") or "").isdigit()]
            records = sorted((decode_record(row, fields, self._specs) for row in rows), key=lambda r: int(r.id))
            full = len(records) >= limit
            if full and int(records[-1].id) <= after:
                raise ApiError(ErrorKind.TRANSIENT, "Mautic does not list contacts by id.")
            yield records, full, reply
            after = int(records[-1].id) if full else after

    def _fields(self, query: ReadQuery) -> list[str]:
        wanted = list(query.fields) or list(DEFAULT_FIELDS)
        return [name for name in wanted if name in self._specs]


def _size(query: ReadQuery) -> int:
    return min(query.limit or PAGE, PAGE)


def _stamp(at: datetime) -> str:
    """A time as filters compare it: UTC, whole seconds, no zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _lists(values: Sequence[str]) -> Iterator[list[str]]:
    """Parts of which each fits into an address."""
    some: list[str] = []
    length = 0
    for value in values:
        size = len(quote(value)) + 3
        if some and (len(some) >= LOOKUP or length + size > LONGEST_LIST):
            yield some
            some, length = [], 0
        some.append(value)
        length += size
    if some:
        yield some


def _flat(conditions: Where, prefix: str = "where") -> dict[str, str]:
    """Conditions in PHP's brackets: where[0][col]=id; those in a list are inside the `val` of theirs."""
    params: dict[str, str] = {}
    for number, (column, expression, value) in enumerate(conditions):
        at = f"{prefix}[{number}]"
        params[f"{at}[expr]"] = expression
        if column:
            params[f"{at}[col]"] = column
        params |= _flat(value, f"{at}[val]") if isinstance(value, list) else {f"{at}[val]": str(value)}
    return params
