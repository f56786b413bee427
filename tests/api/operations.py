"""Every operation of the schema, for tests that ask something of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

SCHEMA: dict[str, Any] = SchemaGenerator().get_schema(public=True)
METHODS = {"get", "post", "put", "patch", "delete"}
# What stands in an address for its parameters; there is nothing behind these.
PLACES = {
    "contact_id": "01900000-0000-7000-8000-999999999999",
    "key": "anything",
    "id": "1",
    "event_type": "all",
    "entity": "deal",
    "token": "wrong",
}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, its description) of each."""
    for path, described in SCHEMA["paths"].items():
        for method in sorted(METHODS & described.keys()):
            yield method, path, described[method]


def address(path: str, places: dict[str, str] | None = None) -> str:
    return path.format(**{**PLACES, **(places or {})})


def send(client: APIClient, method: str, path: str, body: bytes = b"{}", **headers: Any) -> Any:
    return client.generic(method.upper(), path, body, content_type="application/json", **headers)
