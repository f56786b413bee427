"""What differs between T-SQL, for the clinic's server, and PostgreSQL, for the stand-in."""

from __future__ import annotations

from typing import Protocol

from connectors.ident.address import POSTGRESQL, SQL_SERVER


class Dialect(Protocol):
    """`now` is the server's own naive time; `moment` a parameter that is a naive datetime in whole seconds."""

    now: str
    moment: str

    def quoted(self, *names: str) -> str: ...

    def first(self, count: int, columns: str, rest: str) -> str:
        """The first `count` rows of `SELECT columns rest`."""
        ...

    def stamp(self, expression: str) -> str:
        """A naive time as ISO text, exactly as the server has it."""
        ...

    def milliseconds(self, expression: str) -> str:
        """A naive time as a big number."""
        ...


class SqlServer:
    """T-SQL as SQL Server 2012 has it."""

    now = "GETDATE()"
    # Drivers send a datetime as datetime2, whose comparison with a datetime column loses rows and indexes (sheet 4.1).
    moment = "CAST(%s AS datetime)"

    def quoted(self, *names: str) -> str:
        return ".".join(f"[{name.replace(']', ']]')}]" for name in names)

    def first(self, count: int, columns: str, rest: str) -> str:
        return f"SELECT TOP ({count}) {columns} {rest}"

    def stamp(self, expression: str) -> str:
        return f"CONVERT(varchar(23), {expression}, 126)"

    def milliseconds(self, expression: str) -> str:
        # By minutes, because a difference in seconds overflows within a lifetime.
        minutes = f"CAST(DATEDIFF(minute, '20000101', {expression}) AS bigint)"
        return f"{minutes} * 60000 + DATEPART(second, {expression}) * 1000 + DATEPART(millisecond, {expression})"


class PostgreSQL:
    """The stand-in's. The session's time zone is the clinic's."""

    now = "LOCALTIMESTAMP"
    moment = "CAST(%s AS timestamp)"

    def quoted(self, *names: str) -> str:
        return ".".join('"' + name.replace('"', '""') + '"' for name in names)

    def first(self, count: int, columns: str, rest: str) -> str:
        return f"SELECT {columns} {rest} LIMIT {count}"

    def stamp(self, expression: str) -> str:
        return f"""to_char({expression}, 'YYYY-MM-DD"T"HH24:MI:SS.MS')"""

    def milliseconds(self, expression: str) -> str:
        return f"CAST(EXTRACT(EPOCH FROM {expression}) * 1000 AS bigint)"


DIALECTS: dict[str, Dialect] = {SQL_SERVER: SqlServer(), POSTGRESQL: PostgreSQL()}
