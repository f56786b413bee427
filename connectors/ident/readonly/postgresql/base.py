"""PostgreSQL, for reading only: every transaction is read-only by the session's settings, too."""

from __future__ import annotations

from django.db.backends.postgresql import base, creation

from connectors.ident.readonly.refusals import ReadOnlyWrapper, RefusingCreation


class DatabaseCreation(RefusingCreation, creation.DatabaseCreation):
    """Makes no databases."""


class DatabaseWrapper(ReadOnlyWrapper, base.DatabaseWrapper):  # type: ignore[misc]
    creation_class = DatabaseCreation
