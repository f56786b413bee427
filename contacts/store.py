"""Contacts ↔ records in set-based SQL: a fixed number of statements however many contacts are read or written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.utils import timezone
from psycopg.types.json import Jsonb

from contacts.history import differences
from contacts.hooks import contacts_changed
from contacts.lookup import FIND, Lookup
from contacts.models import Contact
from contacts.records import FIELDS, POINT_FIELDS, SCALAR_FIELDS, ContactRecord, Point
from contacts.text import name_key

SOURCE_LIMIT = 255
# Any number nobody else uses for an advisory lock; it orders batches that match before they write.
_MATCHING_LOCK = 0x636F6E74616374
_COLUMNS = (
    *("id", *SCALAR_FIELDS, "attributes", "email", "phone", "name_hash", "identity_hash"),
    *("provenance", "version", "created_at", "updated_at"),
)
_READ = ("id", *SCALAR_FIELDS, "attributes", "provenance", "version")
_TYPES = (
    *("uuid", *("varchar",) * 5, "date", "varchar", "varchar", "jsonb", "varchar", "varchar", "int8", "int8"),
    *("jsonb", "int4", "timestamptz", "timestamptz"),
)
_POINT_COLUMNS = ("contact_id", "kind", "value", "raw", "label", "is_primary", "position")
_POINT_TYPES = ("uuid", "varchar", "varchar", "varchar", "varchar", "bool", "int2")
_CHANGE_COLUMNS = ("contact_id", "by", "at", "changes")
_CHANGE_TYPES = ("uuid", "varchar", "timestamptz", "jsonb")
_scalars = attrgetter(*SCALAR_FIELDS)
_KINDS = {"emails": "email", "phones": "phone"}

_WRITTEN = ", ".join(f"{name} = t.{name}" for name in _COLUMNS if name not in ("id", "created_at"))
_CREATE_CHANGES = (
    "CREATE TEMP TABLE IF NOT EXISTS contact_change ON COMMIT DELETE ROWS"  # noqa: S608
    f" AS SELECT {', '.join(_COLUMNS)} FROM contacts_contact WITH NO DATA"
)
_APPLY_CHANGES = (
    f"UPDATE contacts_contact c SET {_WRITTEN} FROM contact_change t"  # noqa: S608
    " WHERE c.id = t.id AND c.version = t.version - 1 AND c.deleted_at IS NULL"
)


class ConcurrentChange(Exception):
    """Somebody changed one of the contacts between our reading and our writing: read again and repeat.

    The API answers with `status_code` and `code` when repeating did not help.
    """

    status_code = 503
    code = "concurrent_change"

    def __init__(self) -> None:
        super().__init__("Others keep changing the same contacts: try again in a moment.")


@dataclass(frozen=True, slots=True)
class Stored:
    """A living contact as the database has it. `stamps` is its provenance as JSON text."""

    id: UUID
    record: ContactRecord
    stamps: str
    version: int

    @property
    def provenance(self) -> dict[str, dict[str, str]]:
        """Field → {"by": source, "at": ISO 8601 time}."""
        return orjson.loads(self.stamps)


@dataclass(frozen=True, slots=True)
class Change:
    """What to make of a contact: `before` is None for a new one."""

    contact_id: UUID
    before: Stored | None
    after: ContactRecord
    fields: tuple[str, ...]

    @classmethod
    def between(cls, contact_id: UUID, before: Stored | None, after: ContactRecord) -> Change | None:
        """The change, or None when nothing differs."""
        if before is None:
            return cls(contact_id, None, after, tuple(name for name in FIELDS if getattr(after, name)))
        changed = tuple(before.record.diff(after))
        return cls(contact_id, before, after, changed) if changed else None


@lru_cache(maxsize=16_384)
def hash_of(text: str) -> int:
    """A signed 64-bit hash, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)


def identity_text(name: str, company: str) -> str:
    return f"{name}\x1f{company}"


def lock_matching() -> None:
    """Until the transaction ends nobody else matches and creates: two imports at once make no duplicates."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_MATCHING_LOCK])


def find(lookup: Lookup) -> list[Stored]:
    """Every living contact that any of the keys points to, oldest first. Three or four statements."""
    with connection.cursor() as cursor, _by_index(cursor):
        cursor.execute(FIND.format(columns=", ".join(f"c.{name}" for name in _READ)), lookup.parameters())
        rows = cursor.fetchall()
        points = _points_of([row[0] for row in rows], cursor) if rows else {}
    return [_stored(row, points) for row in rows]


def load(ids: Iterable[UUID]) -> dict[UUID, Stored]:
    """The living contacts among these ids."""
    return {stored.id: stored for stored in find(Lookup(ids=list(ids)))}


@contextmanager
def _by_index(cursor: Any) -> Iterator[None]:
    """A freshly loaded table has no statistics yet and would be scanned whole for every batch."""
    cursor.execute("SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)")
    yield
    cursor.execute("SELECT set_config('enable_seqscan', 'on', true)")


def _points_of(ids: list[UUID], cursor: Any) -> dict[UUID, dict[str, list[Point]]]:
    cursor.execute(
        "SELECT contact_id, kind, value, raw, label, is_primary FROM contacts_contactpoint"
        " WHERE contact_id = ANY(%s) ORDER BY contact_id, kind, position, id",
        [ids],
    )
    points: dict[UUID, dict[str, list[Point]]] = {}
    for contact_id, kind, *values in cursor:
        points.setdefault(contact_id, {}).setdefault(kind, []).append(Point(*values))
    return points


def _stored(row: tuple[Any, ...], points: Mapping[UUID, Mapping[str, list[Point]]]) -> Stored:
    contact_id, first, last, middle, company, job_title, birth_date, domain_id, page_id, attributes, stamps, version = (
        row
    )
    own = points.get(contact_id, {})
    record = ContactRecord(
        *(first, last, middle, company, job_title, birth_date, domain_id, page_id),
        tuple(own.get("email", ())),
        tuple(own.get("phone", ())),
        orjson.loads(attributes),
    )
    return Stored(contact_id, record, stamps, version)


def save(changes: Sequence[Change], source: str, at: datetime | None = None, *, remember: bool = True) -> None:
    """Stores the changes with version, time and provenance, and tells the hooks. Call it inside a transaction.

    `remember` keeps the values before and after for the contact's history; runs keep them with their outcomes.
    Raises ConcurrentChange when a contact is no longer at the version that was read.
    """
    if not changes:
        return
    at = at or timezone.now()
    created = [change for change in changes if change.before is None]
    # One order for everybody: two batches that update the same contacts must not lock each other out.
    updated = sorted((change for change in changes if change.before is not None), key=lambda change: change.contact_id)
    rows = _Rows(source, at)
    with connection.cursor() as cursor:
        if created:
            _copy(cursor, "contacts_contact", _COLUMNS, _TYPES, map(rows.of, created))
        if updated:
            _update(cursor, updated, rows)
        if updated and remember:
            _copy(cursor, "contacts_contactchange", _CHANGE_COLUMNS, _CHANGE_TYPES, map(rows.change, updated))
        _copy(cursor, "contacts_contactpoint", _POINT_COLUMNS, _POINT_TYPES, _point_rows([*created, *updated]))
    contacts_changed.send(
        Contact,
        contact_ids=[change.contact_id for change in changes],
        changed_fields=frozenset(name for change in changes for name in change.fields),
        changes={change.contact_id: change.fields for change in changes},
        created_ids=frozenset(change.contact_id for change in created),
        source=source,
    )


def _update(cursor: Any, updated: Sequence[Change], rows: _Rows) -> None:
    cursor.execute(_CREATE_CHANGES)
    cursor.execute("TRUNCATE contact_change")
    _copy(cursor, "contact_change", _COLUMNS, _TYPES, map(rows.of, updated))
    with _by_index(cursor):
        cursor.execute(_APPLY_CHANGES)
        if cursor.rowcount != len(updated):
            raise ConcurrentChange
        moved = [change.contact_id for change in updated if any(name in POINT_FIELDS for name in change.fields)]
        cursor.execute("DELETE FROM contacts_contactpoint WHERE contact_id = ANY(%s)", [moved])


def _copy(cursor: Any, table: str, columns: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


class _Rows:
    """The rows of one save: who has set a field and when is the same in all of them."""

    def __init__(self, source: str, at: datetime) -> None:
        self._at, self._source = at, source
        self._stamp = {"by": source, "at": at.isoformat().replace("+00:00", "Z")}
        self._of_new: dict[tuple[str, ...], bytes] = {}

    def of(self, change: Change) -> tuple[Any, ...]:
        record, before = change.after, change.before
        email = record.email
        name = name_key(record.first_name, record.last_name, record.middle_name)
        told_by_name = email is None and bool(name or record.company)
        return (
            change.contact_id,
            *_scalars(record),
            Jsonb(dict(record.attributes), orjson.dumps),
            email,
            record.phone,
            hash_of(name),
            hash_of(identity_text(name, record.company.casefold())) if told_by_name else None,
            Jsonb(self._provenance(change), bytes),
            before.version + 1 if before else 1,
            self._at,
            self._at,
        )

    def change(self, change: Change) -> tuple[Any, ...]:
        """The row that remembers what an update changed."""
        if change.before is None:
            raise AssertionError("only updates are remembered")
        told = differences(change.before.record, change.after, change.fields)
        return change.contact_id, self._source[:SOURCE_LIMIT], self._at, Jsonb(told, orjson.dumps)

    def _provenance(self, change: Change) -> bytes:
        stamped = dict.fromkeys(change.fields, self._stamp)
        if change.before is not None:
            return orjson.dumps({**change.before.provenance, **stamped})
        if change.fields not in self._of_new:
            self._of_new[change.fields] = orjson.dumps(stamped)
        return self._of_new[change.fields]


def _point_rows(changes: Iterable[Change]) -> Iterator[tuple[Any, ...]]:
    for change in changes:
        if change.before is None or any(name in POINT_FIELDS for name in change.fields):
            for name in POINT_FIELDS:
                kind = _KINDS[name]
                for position, point in enumerate(getattr(change.after, name)):
                    yield change.contact_id, kind, point.value, point.raw, point.label, point.primary, position
