"""Which connections the hub takes contacts from by itself, without anybody asking."""

from __future__ import annotations

from django.db.models import Q

from connectors.core.types import CONTACTS
from connectors.models import Connection
from syncjobs.models import Cursor, Route
from syncjobs.pull import is_readable


def feeds_the_hub(connection: Connection) -> bool:
    """Whether its contacts belong into the hub: a route reads from it, or somebody pulled it before.

    Where people only push to it, its other contacts are nobody's business.
    """
    if not is_readable(connection):
        return False
    reading = Q(source=connection) | Q(destination=connection, two_way=True)
    return (
        Route.objects.filter(reading, enabled=True).exists()
        or Cursor.objects.filter(connection=connection, entity=CONTACTS).exists()
    )
