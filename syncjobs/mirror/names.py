"""What schemas, tables and columns are called. Names come from remote systems, so they are quoted wherever used."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from psycopg import sql

from connectors.core.spec import ConnectorSpec

# PostgreSQL cuts names off after so many bytes; a view's column has a suffix of its own behind it.
_LONGEST, LABEL_SUFFIX = 63, "_label"
ID, SYNCED_AT, DELETED_AT, HASH, RAW = "id", "_synced_at", "_deleted_at", "_hash", "_raw"
OWN_COLUMNS = (ID, SYNCED_AT, DELETED_AT, HASH, RAW)


def schema_of(key: str) -> str:
    """The schema of a connection's tables. Names that PostgreSQL keeps for itself are given a prefix."""
    reserved = key.lower() in ("public", "information_schema") or key.lower().startswith("pg_")
    return f"mirror_{key}" if reserved else key


def table_of(entity: str) -> str:
    """An entity's table, in the singular: deals → deal, companies → company."""
    if entity.endswith("ies"):
        return f"{entity[:-3]}y"
    return entity.removesuffix("s")


def entity_of(spec: ConnectorSpec, word: str) -> str | None:
    """The readable entity that a word names, in the singular or the plural; None where there is none."""
    return next((e for e, can in spec.entities.items() if can.read and word in (e, table_of(e))), None)


def column_of(key: str, taken: Collection[str]) -> str:
    """A column for a field that none of the `taken` ones is called: lower case, cut to what PostgreSQL keeps."""
    wanted = key.replace("\0", "").lower() or "field"
    name = _cut(wanted)
    if name != wanted or name in taken or name in OWN_COLUMNS:
        mark = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=4).hexdigest()
        name = _cut(wanted, f"_{mark}")
    number = 2
    while name in taken:
        name, number = _cut(wanted, f"_{number}"), number + 1
    return name


def quoted(*names: str) -> sql.Identifier:
    """A name for SQL, quoted; several are parts of one name."""
    return sql.Identifier(*names)


def _cut(text: str, suffix: str = "") -> str:
    room = _LONGEST - len(LABEL_SUFFIX) - len(suffix)
    return text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") + suffix
