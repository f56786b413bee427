"""Where the clinic's database is: from one address, an ODBC connection string, or single settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SQL_SERVER, POSTGRESQL = "sqlserver", "postgresql"
_SCHEMES = {
    "mssql": SQL_SERVER,
    "sqlserver": SQL_SERVER,
    "mssql+pyodbc": SQL_SERVER,
    "postgres": POSTGRESQL,
    "postgresql": POSTGRESQL,
}
# What a person or another program may have put into an address, by the names of our settings.
_QUERY = {"driver": "driver", "encrypt": "encrypt", "trustservercertificate": "trust_certificate"}
_ODBC = {
    "server": "host", "address": "host", "addr": "host", "port": "port", "database": "name", "uid": "user",
    "user": "user", "user id": "user", "pwd": "password", "password": "password",
}  # fmt: skip
_PART = re.compile(r"\s*([^=;]+?)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*)\s*(?:;|$)")


class AddressInvalid(ValueError):
    """The address cannot be read; the message says what is wrong and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Address:
    """`host` may carry an instance (SERVER\\NAME). `settings` are those of the connection that it also names."""

    engine: str
    host: str
    name: str
    user: str = ""
    password: str = field(default="", repr=False)
    port: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


def address_of(values: Mapping[str, Any], database_url: str, password: str) -> Address:
    """The address that the settings give; a whole address goes before single settings. Raises AddressInvalid."""
    if not database_url:
        host, port = _host_and_port(str(values.get("host") or ""), str(values.get("port") or ""))
        return Address(SQL_SERVER, host, str(values.get("name") or ""), str(values.get("user") or ""), password, port)
    return _from_url(database_url) if "://" in database_url else _from_odbc(database_url)


def _from_url(text: str) -> Address:
    try:
        parts = urlsplit(text)
        port = str(parts.port or "")
    except ValueError:
        raise AddressInvalid("The database address cannot be read; put %XX for special characters in it.") from None
    engine = _SCHEMES.get(parts.scheme)
    if engine is None:
        raise AddressInvalid("The database address must begin with mssql://.")
    query = {name.lower().replace("_", ""): value for name, value in parse_qsl(parts.query)}
    host = query.get("host") or unquote(parts.hostname or "")
    # urlsplit writes host names small, which an instance's name may not bear.
    written = unquote(parts.netloc.rpartition("@")[2].partition(":")[0])
    name = unquote(parts.path.strip("/"))
    if not host or not name:
        raise AddressInvalid("The database address needs a host and a database: mssql://user:password@host:1433/IDENT.")
    return Address(
        engine,
        written if written.lower() == host.lower() else host,
        name,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        port,
        _settings(query),
    )


def _from_odbc(text: str) -> Address:
    """ "Driver={…};Server=host,1433;Database=IDENT;UID=…;PWD=…", as other programs write it."""
    pairs = {key.lower(): _unbraced(value) for key, value in _PART.findall(text)}
    found = {_ODBC[key]: value for key, value in pairs.items() if key in _ODBC}
    if not found.get("host") or not found.get("name"):
        raise AddressInvalid("The database address must begin with mssql://, or name Server= and Database=.")
    host, port = _host_and_port(found["host"].removeprefix("tcp:"), found.get("port", ""))
    user, password = found.get("user", ""), found.get("password", "")
    return Address(SQL_SERVER, host, found["name"], user, password, port, _settings(pairs))


def _settings(given: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for theirs, ours in _QUERY.items():
        if given.get(theirs):
            value = given[theirs]
            found[ours] = value if ours == "driver" else value.lower() not in ("no", "false", "0", "off", "optional")
    return found


def _host_and_port(host: str, port: str) -> tuple[str, str]:
    """SQL Server's own way of writing a port is host,1433."""
    name, comma, number = host.partition(",")
    return (name.strip(), number.strip()) if comma else (host.strip(), port)


def _unbraced(value: str) -> str:
    return value[1:-1].replace("}}", "}") if value.startswith("{") and value.endswith("}") else value.strip()
