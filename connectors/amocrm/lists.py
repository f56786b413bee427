"""List answers: their records, and whether another page follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.amocrm.client import AmoClient
from connectors.core.errors import ApiError, ErrorKind

PAGE = 250


def listed(body: Any, name: str) -> list[dict[str, Any]]:
    """The records of a list answer. Raises ApiError (TRANSIENT) when it is none."""
    embedded = body.get("_embedded") if isinstance(body, dict) else None
    found = embedded.get(name) if isinstance(embedded, dict) else None
    if not isinstance(found, list):
        raise ApiError(ErrorKind.TRANSIENT, "amoCRM's answer does not list records.")
    return [item for item in found if isinstance(item, dict) and item.get("id")]


def has_next(body: Any) -> bool:
    links = body.get("_links") if isinstance(body, dict) else None
    return isinstance(links, dict) and bool(links.get("next"))


def pages(client: AmoClient, path: str, name: str, params: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Every page of a list, one after the other. 204 means that there is nothing, or nothing more."""
    number = 1
    while True:
        reply = client.get(path, params={"limit": PAGE, **params, "page": number})
        if reply.status == 204:
            return
        found = listed(reply.json, name)
        yield found
        if not found or not has_next(reply.json):
            return
        number += 1
