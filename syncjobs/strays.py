"""Remote records without a contact, kept by pulls that only look: found by keys in one statement, without a request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection as database
from django.utils import timezone

from connectors.core.types import MatchKey, RemoteRecord
from connectors.models import Connection
from contacts.matching import MOST_HOLDERS
from contacts.text import name_key
from syncjobs.models import Cursor, Route, Stray, StrayKey

REFERENCE = "reference"
# How long what a pull has seen stands for the whole account.
FRESH = timedelta(minutes=2)
_POINTS = ("email", "phone")

# A phone or an e-mail that too many carry, here or there, is left out: alone it tells nobody from others.
_FIND = f"""
WITH told AS MATERIALIZED (
    SELECT asked.key, k.ids
    FROM unnest(%(keys)s::varchar[], %(kinds)s::varchar[], %(points)s::varchar[]) AS asked(key, kind, point), LATERAL (
        SELECT array_agg(external_id) AS ids FROM (
            SELECT external_id FROM syncjobs_straykey WHERE connection_id = %(connection)s AND key = asked.key
            LIMIT {MOST_HOLDERS + 1}) first) k
    WHERE k.ids IS NOT NULL AND (asked.kind = '' OR cardinality(k.ids) <= {MOST_HOLDERS} AND NOT EXISTS (
        SELECT 1 FROM (
            SELECT contact_id FROM contacts_contactpoint WHERE kind = asked.kind AND value = asked.point OFFSET 0
        ) p, LATERAL (
            SELECT 1 FROM contacts_contact WHERE id = p.contact_id AND deleted_at IS NULL OFFSET 0
        ) c OFFSET {MOST_HOLDERS}))
)
SELECT told.key, s.external_id, s.version, s.name, s.reference, s.values::text
FROM told, LATERAL unnest(told.ids) AS k(external_id), LATERAL (
    SELECT * FROM syncjobs_stray WHERE connection_id = %(connection)s AND external_id = k.external_id OFFSET 0) s
WHERE NOT EXISTS (
    SELECT 1 FROM syncjobs_contactsync l WHERE l.connection_id = %(connection)s AND l.external_id = s.external_id
      AND l.external_id <> '' OFFSET 0)
ORDER BY s.id
"""

_CLAIMANTS = """
SELECT p.value, c.id, c.first_name, c.last_name, c.middle_name
FROM unnest(%(phones)s::varchar[]) AS asked(phone), LATERAL (
    SELECT value, contact_id FROM contacts_contactpoint WHERE kind = 'phone' AND value = asked.phone OFFSET 0) p,
LATERAL (
    SELECT * FROM contacts_contact WHERE id = p.contact_id AND deleted_at IS NULL OFFSET 0) c
WHERE EXISTS (
    SELECT 1 FROM syncjobs_contactsync l WHERE l.connection_id = %(connection)s AND l.contact_id = c.id
      AND l.external_id = '' OFFSET 0)
"""

_CLEAR = """
DELETE FROM syncjobs_straykey WHERE connection_id = %(connection)s AND external_id = ANY(%(ids)s);
DELETE FROM syncjobs_stray WHERE connection_id = %(connection)s AND external_id = ANY(%(ids)s)
"""

_CLEAR_UNSEEN = """
WITH unseen AS (
    SELECT external_id FROM syncjobs_stray WHERE connection_id = %(connection)s
    EXCEPT SELECT external_id FROM syncjobs_scanned WHERE cursor_id = %(cursor)s AND scan = %(scan)s
), gone AS (
    DELETE FROM syncjobs_stray s USING unseen u WHERE s.connection_id = %(connection)s AND s.external_id = u.external_id
)
DELETE FROM syncjobs_straykey k USING unseen u WHERE k.connection_id = %(connection)s AND k.external_id = u.external_id
"""


@dataclass(frozen=True, slots=True)
class Met:
    """A record without a contact, as a pull met it."""

    external_id: str
    version: str
    name: str
    reference: str
    keys: Sequence[str]
    values: dict[str, Any]
    seen_hash: bytes


@dataclass(frozen=True, slots=True)
class Claimant:
    """A contact without a record that has a phone of a stray."""

    contact_id: UUID
    name: str


def key_text(key: MatchKey) -> str:
    return f"{key.name}:{key.value}"[:300]


def looked_at(connection: Connection) -> bool:
    """Whether pulls of this connection only look: contacts come to it over one-way routes alone."""
    into = list(Route.objects.filter(destination=connection, enabled=True))
    out = Route.objects.filter(source=connection, enabled=True).exists()
    return bool(into) and not out and not any(route.two_way for route in into)


def indexed(connection: Connection) -> bool:
    """Whether the strays are all there: a full read has come to its end."""
    return Cursor.objects.filter(connection=connection, entity="contacts", full_at__isnull=False).exists()


def fresh(connection: Connection) -> bool:
    """Whether a pull that takes contacts in has just seen all there is: every record is linked, or a stray."""
    since = timezone.now() - FRESH
    cursors = Cursor.objects.filter(connection=connection, entity="contacts", keeps_strays=True, updated_at__gte=since)
    return cursors.filter(full_at__isnull=False, full_since__isnull=True).exists()


def has_any(connection: Connection) -> bool:
    """Whether any record is known that belongs to nobody."""
    return Stray.objects.filter(connection=connection).exists()


def hashes(connection: Connection, ids: Sequence[str]) -> dict[str, bytes]:
    """The digests of the strays among these records, as they were last seen."""
    found = Stray.objects.filter(connection=connection, external_id__in=ids).values_list("external_id", "seen_hash")
    return {external_id: bytes(digest) for external_id, digest in found}


def store(connection: Connection, met: Sequence[Met]) -> None:
    """Stores the records in place of what was known of them: four statements."""
    if not met:
        return
    clear(connection, [record.external_id for record in met])
    with database.cursor() as cursor:
        columns = "connection_id, external_id, version, name, reference, values, seen_hash"
        with cursor.copy(f"COPY {Stray._meta.db_table} ({columns}) FROM STDIN") as copy:
            for record in met:
                values = orjson.dumps(dict(record.values)).decode()
                copy.write_row(
                    (
                        *(connection.pk, record.external_id, record.version, record.name, record.reference),
                        *(values, record.seen_hash),
                    )
                )
        with cursor.copy(f"COPY {StrayKey._meta.db_table} (connection_id, key, external_id) FROM STDIN") as copy:
            for record in met:
                for key in record.keys:
                    copy.write_row((connection.pk, key, record.external_id))


def clear(connection: Connection, ids: Iterable[str]) -> None:
    """Forgets these records: they were linked, or are gone."""
    with database.cursor() as cursor:
        cursor.execute(_CLEAR, {"connection": connection.pk, "ids": list(ids)})


def clear_unseen(connection: Connection, cursor: Cursor) -> None:
    """Forgets the records that a finished full read has not met."""
    with database.cursor() as sql:
        sql.execute(_CLEAR_UNSEEN, {"connection": connection.pk, "cursor": cursor.pk, "scan": cursor.scan})


def find(connection: Connection, keys: Sequence[MatchKey]) -> dict[MatchKey, list[RemoteRecord]]:
    """The strays that carry each key, oldest first; their `raw` has the name and the reference.

    None for a phone or an e-mail that more than MOST_HOLDERS strays, or contacts of the hub, carry.
    """
    by_text = {key_text(key): key for key in keys}
    found: dict[MatchKey, list[RemoteRecord]] = {key: [] for key in keys}
    asked = {
        "keys": list(by_text),
        "kinds": [key.name if key.name in _POINTS else "" for key in by_text.values()],
        "points": [key.value for key in by_text.values()],
    }
    with database.cursor() as cursor:
        cursor.execute(_FIND, {"connection": connection.pk, **asked})
        for text, external_id, version, name, reference, values in cursor.fetchall():
            raw = {"name": name, "reference": reference}
            record = RemoteRecord(external_id, orjson.loads(values), version, raw=raw)
            found[by_text[text]].append(record)
    return found


def claimants(connection: Connection, phones: Sequence[str]) -> dict[str, list[Claimant]]:
    """By phone, the contacts that have it and wait to be given a record of this connection."""
    found: dict[str, list[Claimant]] = defaultdict(list)
    if phones:
        with database.cursor() as cursor:
            cursor.execute(_CLAIMANTS, {"connection": connection.pk, "phones": list(phones)})
            for phone, contact_id, *names in cursor.fetchall():
                found[phone].append(Claimant(contact_id, name_key(*names)))
    return found
