"""What the clinic's database has and lacks: objects, columns, rights, how it keeps readers apart. Shows no data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from connectors.core.errors import ApiError, ErrorKind
from connectors.ident.address import SQL_SERVER
from connectors.ident.database import Database
from connectors.ident.statements import Statements

_SERVER = (
    "SELECT CAST(SERVERPROPERTY('ProductVersion') AS varchar(50)), CAST(SERVERPROPERTY('Edition') AS varchar(100)), "
    "CAST(is_read_committed_snapshot_on AS int), CAST(snapshot_isolation_state AS int) "
    "FROM sys.databases WHERE name = DB_NAME()"
)
_RIGHTS = (
    "SELECT HAS_PERMS_BY_NAME(%s, 'OBJECT', 'UPDATE'), IS_SRVROLEMEMBER('sysadmin'), IS_MEMBER('db_owner'), "
    "IS_MEMBER('db_datawriter'), IS_MEMBER('db_datareader')"
)
_TOO_MANY = (
    "The login may change {patients}: give it SELECT and nothing else.",
    "The login is an administrator of the server (sysadmin): use one that may only read the views.",
    "The login owns the database (db_owner): use one that may only read the views.",
    "The login may change every table (db_datawriter): use one that may only read the views.",
    "The login may read every table (db_datareader): SELECT on the views is enough.",
)


class Inspector:
    """Looks at one database. `engine` tells whether it has SQL Server's catalogues."""

    def __init__(self, database: Database, statements: Statements, engine: str) -> None:
        self._database, self._statements, self._engine = database, statements, engine

    def missing(self) -> list[str]:
        """A sentence for every object or column that is not there. Raises ApiError for all other trouble."""
        return [sentence for name, wanted in self._statements.objects.items() for sentence in self._lacks(name, wanted)]

    def require_everything(self) -> None:
        """Raises ApiError (CONFIG) that names what is missing."""
        missing = self.missing()
        if missing:
            raise ApiError(ErrorKind.CONFIG, " ".join(missing))

    def excess(self) -> list[str]:
        """A sentence for every right that reading does not need."""
        if self._engine != SQL_SERVER:
            return []
        patients = next(iter(self._statements.objects))
        held = self._database.rows("rights", _RIGHTS, [patients])[0]
        return [text.format(patients=patients) for text, has in zip(_TOO_MANY, held, strict=True) if has]

    def server(self) -> dict[str, Any]:
        """The server's version and how it keeps readers and writers apart."""
        if self._engine != SQL_SERVER:
            return {"version": str(self._database.rows("server", "SELECT version()")[0][0]).split(",")[0]}
        rows = self._database.rows("server", _SERVER)
        if not rows:
            return {"version": "unknown"}
        version, edition, committed, snapshot = rows[0]
        return {
            "version": str(version),
            "edition": str(edition),
            "read_committed_snapshot": bool(committed),
            "snapshot_isolation": bool(snapshot),
        }

    def _lacks(self, name: str, wanted: Sequence[str]) -> Iterator[str]:
        shown = name.replace("[", "").replace("]", "").replace('"', "")
        try:
            there = set(self._database.columns("shape", self._statements.shape(name)))
        except ApiError as e:
            if e.kind is not ErrorKind.CONFIG or "may not read" in e.message:
                raise
            yield f"The view {shown} is missing or broken: run the set-up script, or correct its name in the settings."
            return
        absent = [column for column in wanted if column not in there]
        if absent:
            word = "columns" if len(absent) > 1 else "column"
            yield f"The view {shown} lacks the {word} {', '.join(absent)}: adapt the set-up script and run it again."
