"""Links follow records whose remote id has changed, as when two were merged there."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection as database

from connectors.core.types import RemoteRecord
from connectors.models import Connection

# A link that is there for the new id already stays the one: the other is told as deleted by whoever reads its old id.
_MOVE = """
UPDATE syncjobs_contactsync s SET external_id = m.now,
    external_ref = CASE WHEN s.external_ref = s.external_id THEN m.now ELSE s.external_ref END
FROM (SELECT DISTINCT ON (now) former, now FROM unnest(%(former)s::text[], %(now)s::text[]) AS pair(former, now)
      WHERE EXISTS (SELECT 1 FROM syncjobs_contactsync own
                    WHERE own.connection_id = %(connection)s AND own.external_id = former)
      ORDER BY now, former) AS m
WHERE s.connection_id = %(connection)s AND s.external_id = m.former
  AND NOT EXISTS (SELECT 1 FROM syncjobs_contactsync other
                  WHERE other.connection_id = %(connection)s AND other.external_id = m.now)
"""


def follow(connection: Connection, records: Iterable[RemoteRecord]) -> int:
    """Moves the links of records that are known under a former id; answers how many. One statement, or none."""
    pairs = [(former, record.id) for record in records for former in record.former_ids if former != record.id]
    if not pairs:
        return 0
    former, now = zip(*pairs, strict=True)
    with database.cursor() as cursor:
        cursor.execute(_MOVE, {"connection": connection.pk, "former": list(former), "now": list(now)})
        return cursor.rowcount
