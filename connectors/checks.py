"""Connections whose stored secrets cannot be read, for `manage.py doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.translation import gettext as _

from connectors.crypto import SecretUnreadable, decrypt
from connectors.models import Connection


@register(Tags.database)
def secrets_are_readable(app_configs: Any, databases: Sequence[str] | None, **__: Any) -> list[CheckMessage]:
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    database, table = connections[DEFAULT_DB_ALIAS], Connection._meta.db_table
    with database.cursor() as cursor:
        if table not in database.introspection.table_names(cursor):
            return []  # before the first `setup`; that is another check's to say
        # As it is stored: the model would decrypt it, and fail at the first.
        cursor.execute(f"SELECT key, secrets FROM {table} WHERE secrets <> '' ORDER BY key")  # noqa: S608 - our own table
        unreadable = [key for key, secrets in cursor.fetchall() if not _is_readable(secrets)]
    if not unreadable:
        return []
    text = _("The stored secrets of %(connections)s cannot be read.") % {"connections": ", ".join(unreadable)}
    hint = _("Add the key that they were stored with to CREDENTIAL_KEYS, or enter them anew.")
    return [Error(text, hint=hint, id="connectors.E001")]


def _is_readable(stored: str) -> bool:
    try:
        decrypt(stored)
    except SecretUnreadable:
        return False
    return True
