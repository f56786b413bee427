"""Keeps the hub's models away from the clinic's database, whose aliases are known by their beginning."""

from __future__ import annotations

from typing import Any

ALIAS_PREFIX = "ident-"


class WriteRefused(RuntimeError):
    """Something was to be written to a database that is only read."""


class Router:
    """No model belongs there: nothing is written, related or migrated."""

    def db_for_write(self, model: Any, **hints: Any) -> None:
        """Raises WriteRefused for an object that was read from there."""
        if _is_foreign(hints.get("instance")):
            raise WriteRefused("This database is only read.")

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool | None:
        return False if _is_foreign(one) or _is_foreign(other) else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db.startswith(ALIAS_PREFIX) else None


def _is_foreign(instance: Any) -> bool:
    state = getattr(instance, "_state", None)
    return str(getattr(state, "db", None) or "").startswith(ALIAS_PREFIX)
