"""The answers of the seed that describes the sync of two address books."""

from __future__ import annotations

from django.http import JsonResponse

from connectors import oauth
from connectors.models import Connection

SLUG = "google"
START = "/auth/google/start"


def access_missing(key: str = SLUG) -> JsonResponse | None:
    """The seed's 401 for whoever needs this connection's access where there is none that works, else None.

    The token itself is not tried, only whether one is held that may still be renewed.
    """
    connection = Connection.objects.filter(key=key).first()
    if connection is not None and oauth.access(connection).usable:
        return None
    query = "" if key == SLUG else f"?connection={key}"
    return JsonResponse({"detail": "Google auth required", "auth_url": START + query}, status=401)
