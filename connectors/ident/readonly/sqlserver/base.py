"""SQL Server, for reading only."""

from __future__ import annotations

import logging
from typing import Any

from mssql import base, creation

from connectors.ident.readonly.refusals import ReadOnlyWrapper, RefusingCreation

log = logging.getLogger(__name__)


class DatabaseCreation(RefusingCreation, creation.DatabaseCreation):
    """Makes no databases."""


class DatabaseWrapper(ReadOnlyWrapper, base.DatabaseWrapper):
    """Our settings beside the engine's own: OPTIONS["lock_timeout"], in milliseconds."""

    creation_class = DatabaseCreation
    brackets = True

    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        options = dict(settings_dict["OPTIONS"])
        self._lock_timeout = int(options.pop("lock_timeout", 5000))
        super().__init__({**settings_dict, "OPTIONS": options}, alias)

    def init_connection_state(self) -> None:
        """Waits briefly for locks, and gives way when two wait for each other.

        The engine's own statements at connect, and these, do not pass through the execute wrappers.
        """
        super().init_connection_state()
        cursor = self.create_cursor()
        try:
            cursor.execute(f"SET LOCK_TIMEOUT {self._lock_timeout}")
            self._give_way(cursor)
        finally:
            cursor.close()

    def _give_way(self, cursor: Any) -> None:
        try:
            cursor.execute("SET DEADLOCK_PRIORITY LOW")
        except self.Database.Error:
            # Only a courtesy, which servers that merely speak the protocol may not know.
            log.warning("the server does not know deadlock priorities")
