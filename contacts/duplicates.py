"""Looks for contacts that may be one person. Set-based: a few statements however many contacts there are.

A pair shares an e-mail or a phone that few others carry, or, without e-mails, name and company; and neither the names
nor the birth dates speak against it. People who share a family's phone have names that do.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection, transaction
from django.utils import timezone

from contacts.hooks import contacts_kept_apart
from contacts.matching import names_agree
from contacts.models import Contact, Duplicate
from contacts.text import name_key

# More than so many share it, and it tells nobody from others.
MOST_SHARING = 10
_ROWS_AT_ONCE = 5_000

_PAIRS = """
WITH shared AS (
    SELECT p.kind AS by, array_agg(DISTINCT p.contact_id) AS ids
    FROM contacts_contactpoint p JOIN contacts_contact c ON c.id = p.contact_id AND c.deleted_at IS NULL
    WHERE p.kind = 'email' OR p.value LIKE '+%%'
    GROUP BY p.kind, p.value HAVING count(DISTINCT p.contact_id) BETWEEN 2 AND %(most)s
    UNION ALL
    SELECT 'name', array_agg(id) FROM contacts_contact
    WHERE deleted_at IS NULL AND identity_hash IS NOT NULL AND company <> ''
    GROUP BY identity_hash HAVING count(*) BETWEEN 2 AND %(most)s
), pairs AS (
    SELECT a.id AS first, b.id AS second, min(by) AS by
    FROM shared, unnest(ids) AS a(id), unnest(ids) AS b(id) WHERE a.id < b.id GROUP BY 1, 2
)
SELECT first, second, by, a.first_name, a.last_name, a.middle_name, b.first_name, b.last_name, b.middle_name
FROM pairs JOIN contacts_contact a ON a.id = first JOIN contacts_contact b ON b.id = second
WHERE a.birth_date IS NULL OR b.birth_date IS NULL OR a.birth_date = b.birth_date
"""

_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS contacts_pair (first uuid, second uuid, by text) ON COMMIT DELETE ROWS;
DELETE FROM contacts_pair
"""
_FORGET = """
DELETE FROM contacts_duplicate d WHERE verdict IS NULL
AND NOT EXISTS (SELECT 1 FROM contacts_pair p WHERE p.first = d.first_id AND p.second = d.second_id)
"""
_STORE = """
INSERT INTO contacts_duplicate (first_id, second_id, by) SELECT first, second, by FROM contacts_pair
ON CONFLICT (first_id, second_id) DO NOTHING
"""


class AlreadyDecided(Exception):
    """Somebody has said about the pair what there was to say."""


@transaction.atomic
def find() -> int:
    """Stores the pairs found now, forgets undecided ones that no longer fit; the number of new ones."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLE)
        for pairs in _found():
            with cursor.copy("COPY contacts_pair FROM STDIN") as copy:
                for pair in pairs:
                    copy.write_row(pair)
        cursor.execute(_FORGET)
        cursor.execute(_STORE)
        return cursor.rowcount


def _found() -> Iterator[list[tuple[str, str, str]]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(_PAIRS, {"most": MOST_SHARING})
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield [
                (str(first), str(second), by)
                for first, second, by, *names in rows
                if names_agree(name_key(*names[:3]), name_key(*names[3:]))
            ]


def keep_apart(duplicate: Duplicate, by: str) -> None:
    """They are two people: nobody is asked about them again. Raises AlreadyDecided."""
    decided = Duplicate.objects.filter(pk=duplicate.pk, verdict=None).update(
        verdict=Duplicate.Verdict.APART, decided_at=timezone.now(), decided_by=by[:150]
    )
    if not decided:
        raise AlreadyDecided
    contacts_kept_apart.send(Duplicate, first_id=duplicate.first_id, second_id=duplicate.second_id)


def waiting() -> int:
    """How many pairs wait for a verdict."""
    return Duplicate.objects.filter(verdict=None).count()


def partners(contact: Contact) -> list[Duplicate]:
    """The undecided pairs that the contact belongs to."""
    pairs = Duplicate.objects.filter(verdict=None).select_related("first", "second")
    return list(pairs.filter(first=contact) | pairs.filter(second=contact))
