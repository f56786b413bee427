"""SQL Server's engine without a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from connectors.ident.address import address_of
from connectors.ident.drivers import database_settings

PASSWORD = "pa;ss{w}ord"


def engine() -> Any:
    """The module of the read-only engine. Skips where its driver cannot be loaded."""
    from django.core.exceptions import ImproperlyConfigured

    try:
        from connectors.ident.readonly.sqlserver import base
    except (ImportError, ImproperlyConfigured) as e:
        pytest.skip(f"SQL Server's engine needs requirements/mssql.txt and Debian's libodbc2: {e}")
    return base


def settings_for(config: Mapping[str, Any] | None = None, *, url: str = "") -> dict[str, Any]:
    parts = {"host": "clinic.example.com", "port": "1433", "name": "IDENT", "user": "crmsync_ro", **(config or {})}
    return database_settings(address_of(parts, url, PASSWORD), parts, "Europe/Moscow")


def wrapper(config: Mapping[str, Any] | None = None, alias: str = "ident-test") -> Any:
    """A connection that is not open. Its server's version is given, since asking would connect (sheet 5.4)."""
    base = engine()
    base.DatabaseWrapper._known_versions[alias] = 2012
    base.DatabaseWrapper._known_azures[alias] = False
    return base.DatabaseWrapper(settings_for(config), alias)
