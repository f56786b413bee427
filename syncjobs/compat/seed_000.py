"""The answers of the seed that describes the sync of two address books."""

from __future__ import annotations

from django.http import JsonResponse

from connectors import oauth
from connectors.models import Connection

AMO, GOOGLE = "amocrm", "google"
LABELS = {AMO: "AmoCRM", GOOGLE: "Google"}


def needed(key: str = GOOGLE) -> dict[str, str]:
    """The seed's words for access that a person has to give first, and where."""
    return {"detail": f"{LABELS[key]} auth required", "auth_url": f"/auth/{key}/start"}


def access_missing(key: str = GOOGLE) -> JsonResponse | None:
    """The seed's 401 for whoever needs this connection's access where there is none that works, else None.

    The token itself is not tried, only whether one is held that may still be renewed.
    """
    connection = Connection.objects.filter(key=key).first()
    if connection is not None and oauth.access(connection).usable:
        return None
    return JsonResponse(needed(key), status=401)
