"""The statement that looks contacts up by all their keys at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from contacts.matching import MOST_HOLDERS

# LATERAL with OFFSET 0 holds the planner to one index probe a key: freshly loaded tables have no statistics, and with a
# few thousand keys it would rather read the whole table for every batch.
_HOLDERS = """(
        SELECT contact_id FROM contacts_contactpoint WHERE kind = '{kind}' AND value = key OFFSET 0) p, LATERAL (
        SELECT id, name_hash FROM contacts_contact WHERE id = p.contact_id AND deleted_at IS NULL OFFSET 0) n"""
_EMAIL, _PHONE = _HOLDERS.format(kind="email"), _HOLDERS.format(kind="phone")
_NAMESAKES = f"""
        SELECT id FROM (
            SELECT n.id, row_number() OVER (PARTITION BY n.name_hash ORDER BY n.id) AS place FROM LATERAL {{holders}}
             WHERE n.name_hash = ANY(%(names)s)
        ) ranked WHERE place <= {MOST_HOLDERS}"""  # noqa: S608
# One holder more than a key may have shows that it is crowded; those with one of the names come from a crowd, too.
FIND = f"""
WITH by_email AS (
    SELECT key, h.id FROM unnest(%(emails)s::varchar[]) AS key, LATERAL (
        SELECT n.id FROM LATERAL {_EMAIL} LIMIT {MOST_HOLDERS + 1}) h
), found AS (
    SELECT id FROM by_email
    UNION
    SELECT h.id FROM (
        SELECT key FROM by_email WHERE %(names)s::int8[] IS NOT NULL GROUP BY key HAVING count(*) > {MOST_HOLDERS}
    ) crowded, LATERAL ({_NAMESAKES.format(holders=_EMAIL)}) h
    UNION
    SELECT h.id FROM unnest(%(phones)s::varchar[]) AS key, LATERAL (
        SELECT n.id FROM LATERAL {_PHONE} LIMIT {MOST_HOLDERS + 1}) h WHERE %(names)s::int8[] IS NULL
    UNION
    SELECT h.id FROM unnest(%(phones)s::varchar[]) AS key, LATERAL ({_NAMESAKES.format(holders=_PHONE)}) h
     WHERE %(names)s::int8[] IS NOT NULL
    UNION
    SELECT n.id FROM unnest(%(identities)s::int8[]) AS key, LATERAL (
        SELECT id FROM contacts_contact WHERE identity_hash = key OFFSET 0) n
    UNION
    SELECT unnest(%(ids)s::uuid[])
)
SELECT {{columns}} FROM found, LATERAL (SELECT * FROM contacts_contact WHERE id = found.id OFFSET 0) c
 WHERE c.deleted_at IS NULL ORDER BY c.id
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Lookup:
    """What to look contacts up by. Of a crowded e-mail or phone enough holders come to tell that it is one, not all.

    With `names`, hashes of full names, only namesakes are found by phone, and all of them by a crowded e-mail.
    """

    emails: Sequence[str] = ()
    phones: Sequence[str] = ()
    names: Sequence[int] | None = None
    identities: Sequence[int] = ()
    ids: Sequence[UUID] = field(default=())

    def parameters(self) -> dict[str, Any]:
        """Those of FIND."""
        return {
            "emails": list(self.emails),
            "phones": list(self.phones),
            "names": None if self.names is None else list(self.names),
            "identities": list(self.identities),
            "ids": list(self.ids),
        }
