"""Questions that runs leave to people, and what those have said: stored and loaded by set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection as database
from django.utils.dateparse import parse_datetime

from connectors.models import Connection
from contacts.merge import Policy, Rule, Side
from contacts.store import Stored
from syncjobs.models import ReviewItem
from syncjobs.questions import Question

_ASK = """
INSERT INTO syncjobs_reviewitem (connection_id, kind, external_id, contact_id, field, ours, theirs, candidates, message,
                                 created_at, decided_by)
SELECT %(connection)s, kind, external_id, contact_id, field, ours, theirs, candidates, message, now(), ''
FROM jsonb_to_recordset(%(rows)s::jsonb) AS q(kind text, external_id text, contact_id uuid, field text, ours jsonb,
                                              theirs jsonb, candidates jsonb, message text)
ON CONFLICT (connection_id, kind, external_id, field) WHERE decided_at IS NULL
DO UPDATE SET contact_id = excluded.contact_id, ours = excluded.ours, theirs = excluded.theirs,
    candidates = excluded.candidates, message = excluded.message
"""

_HELD = """
SELECT contact_id, field FROM syncjobs_reviewitem
WHERE connection_id = %(connection)s AND kind = 'conflict' AND decided_at IS NULL AND contact_id = ANY(%(contacts)s)
"""

_DISPUTED = """
SELECT DISTINCT candidate FROM syncjobs_reviewitem r, jsonb_array_elements_text(r.candidates) AS candidate
WHERE r.connection_id = %(connection)s AND r.kind = 'ambiguous' AND r.contact_id IS NULL
  AND (r.decided_at IS NULL OR (r.decision IS NOT NULL AND NOT r.decision ? 'used'))
  AND candidate = ANY(%(contacts)s)
"""

_WITHDRAW = """
DELETE FROM syncjobs_reviewitem WHERE connection_id = %(connection)s AND decided_at IS NULL AND external_id <> '' AND (
    (kind = 'ambiguous' AND external_id = ANY(%(placed)s))
    OR (kind = 'conflict' AND (external_id, field) IN (SELECT * FROM unnest(%(ids)s::text[], %(fields)s::text[]))))
RETURNING candidates
"""

_MOOT = """
UPDATE syncjobs_reviewitem SET decision = decision || '{"used": true}'
WHERE connection_id = %(connection)s AND kind IN ('conflict', 'ambiguous') AND external_id = ANY(%(ids)s)
  AND external_id <> '' AND decision IS NOT NULL AND NOT decision ? 'used'
RETURNING candidates
"""
_DROP = """
DELETE FROM syncjobs_reviewitem
WHERE connection_id = %(connection)s AND kind IN ('conflict', 'ambiguous') AND external_id = ANY(%(ids)s)
  AND external_id <> '' AND decided_at IS NULL
RETURNING candidates
"""

_USED = """
UPDATE syncjobs_reviewitem SET decision = decision || '{"used": true}', contact_id = coalesce(d.contact, contact_id)
FROM unnest(%(ids)s::bigint[], %(contacts)s::uuid[]) AS d(id, contact) WHERE syncjobs_reviewitem.id = d.id
"""


def rule(policy: Policy, before: Stored, remote_at: datetime | None, decided: Mapping[str, Side] | None = None) -> Rule:
    """Decides about fields that both sides changed; the hub's time of a field is when it was last set.

    `decided` are the fields about which a person has said whose value counts.
    """

    def local_at(field: str) -> datetime | None:
        stamp = before.provenance.get(field.partition(".")[0]) or {}
        return parse_datetime(stamp.get("at", ""))

    return Rule(policy=policy, local_at=local_at, remote_at=remote_at, decided=decided or {})


def ask(connection: Connection, questions: Sequence[Question]) -> None:
    """Stores the questions in one statement; open ones about the same field are brought up to date."""
    if questions:
        rows = [{**asdict(question), "candidates": [str(i) for i in question.candidates]} for question in questions]
        with database.cursor() as cursor:
            cursor.execute(_ASK, {"connection": connection.pk, "rows": orjson.dumps(rows).decode()})


def has_open(connection: Connection) -> bool:
    """Whether anything about the connection waits for a person."""
    return ReviewItem.objects.filter(connection=connection, decided_at__isnull=True).exists()


def has_unused(connection: Connection) -> bool:
    """Whether a person has said something about the connection that no run has carried out yet."""
    return _unused(connection).exists()


def held_fields(connection: Connection, contact_ids: Sequence[UUID]) -> dict[UUID, frozenset[str]]:
    """By contact, the fields about which a question is open: nobody's value of them is sent. One statement."""
    held: dict[UUID, set[str]] = {}
    with database.cursor() as cursor:
        cursor.execute(_HELD, {"connection": connection.pk, "contacts": list(contact_ids)})
        for contact_id, field in cursor.fetchall():
            held.setdefault(contact_id, set()).add(field)
    return {contact_id: frozenset(fields) for contact_id, fields in held.items()}


def disputed(connection: Connection, contact_ids: Sequence[UUID]) -> frozenset[UUID]:
    """The contacts that a record may belong to, until what a person says of it was carried out. One statement."""
    asked = [str(contact_id) for contact_id in contact_ids]
    with database.cursor() as cursor:
        cursor.execute(_DISPUTED, {"connection": connection.pk, "contacts": asked})
        return frozenset(UUID(row[0]) for row in cursor.fetchall())


def waiting_records(connection: Connection) -> list[str]:
    """The records about which people have decided something that no run has carried out yet."""
    about = _unused(connection).filter(kind__in=[ReviewItem.Kind.CONFLICT, ReviewItem.Kind.AMBIGUOUS])
    return list(about.exclude(external_id="").values_list("external_id", flat=True).distinct().order_by("external_id"))


def said_of_records(connection: Connection, external_ids: Sequence[str]) -> dict[str, list[ReviewItem]]:
    """By record, what people have said of it and no run has carried out yet. One statement."""
    said: dict[str, list[ReviewItem]] = {}
    for item in _unused(connection).filter(external_id__in=external_ids).exclude(external_id=""):
        said.setdefault(item.external_id, []).append(item)
    return said


def said_of_contacts(connection: Connection, contact_ids: Sequence[UUID]) -> dict[UUID, list[ReviewItem]]:
    """By contact, what people have said of its record and no run has carried out yet. One statement."""
    said: dict[UUID, list[ReviewItem]] = {}
    for item in _unused(connection).filter(contact_id__in=contact_ids):
        if item.contact_id is not None:
            said.setdefault(item.contact_id, []).append(item)
    return said


def people_apart(contact_ids: Sequence[UUID]) -> frozenset[UUID]:
    """The contacts of whom a person has said that they are nobody else, whatever they share. One statement."""
    said = ReviewItem.objects.filter(kind=ReviewItem.Kind.AMBIGUOUS, decision__new=True, contact_id__in=contact_ids)
    return frozenset(contact_id for contact_id in said.values_list("contact_id", flat=True) if contact_id is not None)


def used(decisions: Mapping[int, UUID | None]) -> None:
    """Notes that the decisions, by the ids of their items, were carried out, and for which contact. One statement."""
    if decisions:
        with database.cursor() as cursor:
            cursor.execute(_USED, {"ids": list(decisions), "contacts": list(decisions.values())})


def withdraw(connection: Connection, placed: Sequence[str], agreed: Sequence[tuple[str, str]]) -> list[UUID]:
    """Drops open questions that have settled themselves, and answers the contacts that were candidates.

    They are about records that found their contact, and about the fields, as (record, field), in which both sides hold
    the same by now. One statement.
    """
    ids, fields = [pair[0] for pair in agreed], [pair[1] for pair in agreed]
    about = {"placed": list(placed), "ids": ids, "fields": fields}
    with database.cursor() as cursor:
        cursor.execute(_WITHDRAW, {"connection": connection.pk, **about})
        return [UUID(contact_id) for (candidates,) in cursor.fetchall() for contact_id in _listed(candidates)]


def _listed(candidates: Any) -> list[str]:
    return orjson.loads(candidates) if isinstance(candidates, str) else list(candidates or ())


def moot(connection: Connection, external_ids: Sequence[str]) -> list[UUID]:
    """These records are gone: what is asked about them is dropped, and what was decided need not be done any more.

    Answers the contacts that were candidates. Two statements.
    """
    about: dict[str, Any] = {"connection": connection.pk, "ids": list(external_ids)}
    with database.cursor() as cursor:
        cursor.execute(_MOOT, about)
        candidates = [row[0] for row in cursor.fetchall()]
        cursor.execute(_DROP, about)
        candidates += [row[0] for row in cursor.fetchall()]
    return [UUID(contact_id) for found in candidates for contact_id in _listed(found)]


def deletions_allowed(connection: Connection) -> bool:
    """Whether a person has allowed the deletions of contacts last asked about; the word is good for one time."""
    said = _unused(connection).filter(kind=ReviewItem.Kind.DELETIONS, field="", decision__allow=True)
    return bool(said.update(decision={"allow": True, "used": True}))


def _unused(connection: Connection) -> Any:
    return ReviewItem.objects.filter(connection=connection, decision__isnull=False, decision__used__isnull=True)
