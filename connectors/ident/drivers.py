"""Django's database settings for an address, by the driver: mssql-python, FreeTDS, or Microsoft's ODBC driver."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.ident.address import POSTGRESQL, Address
from connectors.ident.configuration import ISOLATION, refused, setting, whole_number

ENGINES = "connectors.ident.readonly"
PYTHON_DRIVER, FREETDS = "mssql-python", "FreeTDS"
# Options that carry secrets or another server have settings of their own.
_OPTIONS = re.compile(r"(?:(?!pwd|password|uid|user|server|driver|database)[\w ]+=[\w .:-]+;?)*", re.IGNORECASE)


def database_settings(address: Address, config: Mapping[str, Any], time_zone: str) -> dict[str, Any]:
    """A whole entry of DATABASES. Raises ApiError (CONFIG) that names the setting at fault."""
    merged = {**config, **address.settings}
    options = _postgresql(merged) if address.engine == POSTGRESQL else _sql_server(merged)
    return {
        "ENGINE": f"{ENGINES}.{address.engine}",
        "NAME": address.name,
        "USER": address.user,
        "PASSWORD": address.password,
        "HOST": address.host,
        "PORT": address.port,
        "OPTIONS": options,
        "TIME_ZONE": time_zone,
        "ATOMIC_REQUESTS": False,
        "AUTOCOMMIT": True,
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
        "TEST": {"CHARSET": None, "COLLATION": None, "MIGRATE": False, "MIRROR": None, "NAME": None},
    }


def _timeouts(config: Mapping[str, Any]) -> tuple[int, int, int]:
    """Seconds for a lock, a statement, a connection."""
    return (
        whole_number(config, "lock_timeout", 1, 600),
        whole_number(config, "query_timeout", 1, 3600),
        whole_number(config, "connect_timeout", 1, 600),
    )


def _sql_server(config: Mapping[str, Any]) -> dict[str, Any]:
    lock, query, connect = _timeouts(config)
    options: dict[str, Any] = {
        "connection_timeout": connect,
        "query_timeout": query,
        "lock_timeout": lock * 1000,
        # Reading anew is decided by the kind of failure, not by numbers of a cloud.
        "connection_retries": 0,
    }
    isolation = str(setting(config, "isolation") or "")
    if isolation and isolation not in ISOLATION:
        raise refused(f"Isolation level must be one of {', '.join(ISOLATION)}.")
    if isolation:
        options["isolation_level"] = isolation
    return options | _driver(config)


def _driver(config: Mapping[str, Any]) -> dict[str, Any]:
    name = str(setting(config, "driver") or PYTHON_DRIVER).strip().strip("{}")
    encrypt = bool(setting(config, "encrypt"))
    if name.lower().replace("_", "-") == PYTHON_DRIVER:
        return {"python_driver": "mssql_python", "extra_params": _glued(_tls(config, encrypt), config)}
    if re.fullmatch(r"[\w .()/-]+", name) is None:
        raise refused("Driver is not the name of a driver.")
    if name.lower() == FREETDS.lower():
        # Without host_is_server the engine takes the host for an entry of freetds.conf.
        words = ["TDS_Version=7.4", "ClientCharset=UTF-8", *([] if encrypt else ["Encryption=off"])]
        return {"driver": FREETDS, "host_is_server": True, "extra_params": _glued(words, config)}
    return {"driver": name, "extra_params": _glued(_tls(config, encrypt), config)}


def _tls(config: Mapping[str, Any], encrypt: bool) -> list[str]:
    trust = "yes" if setting(config, "trust_certificate") else "no"
    return [f"Encrypt={'yes' if encrypt else 'no'}", f"TrustServerCertificate={trust}"]


def _glued(words: list[str], config: Mapping[str, Any]) -> str:
    """The engine appends this as it is; what the settings say replaces ours of the same name."""
    further = str(setting(config, "driver_options") or "").strip()
    if not _OPTIONS.fullmatch(further):
        raise refused("Further driver options must be written KEY=value;KEY=value, without login and server.")
    given = [word.strip() for word in further.split(";") if word.strip()]
    named = {word.partition("=")[0].strip().lower() for word in given}
    return ";".join([*(word for word in words if word.partition("=")[0].lower() not in named), *given])


def _postgresql(config: Mapping[str, Any]) -> dict[str, Any]:
    lock, query, connect = _timeouts(config)
    limits = {"default_transaction_read_only": "on", "lock_timeout": lock * 1000, "statement_timeout": query * 1000}
    options = " ".join(f"-c {name}={value}" for name, value in limits.items())
    return {"connect_timeout": connect, "options": options}
