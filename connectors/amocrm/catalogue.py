"""An entity's fields as the account has them: its own ones, and the custom ones read once a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.amocrm.client import AmoClient
from connectors.amocrm.wire import NAME_LENGTH, AmoField, custom_field
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import FieldSpec, FieldType, Prepared

PAGE = 250

OWN_FIELDS: tuple[FieldSpec, ...] = (
    FieldSpec("first_name", "First name", max_length=NAME_LENGTH),
    FieldSpec("last_name", "Last name", max_length=NAME_LENGTH),
    FieldSpec("name", "Full name", max_length=NAME_LENGTH),
    FieldSpec("responsible_user_id", "Responsible user", FieldType.INTEGER),
    FieldSpec("created_at", "Created", FieldType.DATETIME, read_only=True),
    FieldSpec("updated_at", "Updated", FieldType.DATETIME, read_only=True),
)


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
    """Every page of a list. 204 means that there is nothing, or nothing more."""
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


class Catalogue:
    """The contacts' fields by key."""

    own: Mapping[str, FieldSpec] = {spec.key: spec for spec in OWN_FIELDS}

    def __init__(self, client: AmoClient) -> None:
        self._client = client

    @cached_property
    def custom(self) -> dict[str, AmoField]:
        """Custom fields by key. Raises ApiError."""
        found = pages(self._client, "/api/v4/contacts/custom_fields", "custom_fields", {})
        known = [custom_field(definition) for page in found for definition in page]
        return {field.spec.key: field for field in known}

    @cached_property
    def by_id(self) -> dict[int, AmoField]:
        return {field.id: field for field in self.custom.values()}

    @cached_property
    def zone(self) -> tzinfo:
        """The account's time zone, in which its dates begin; UTC where it is not told."""
        reply = self._client.get("/api/v4/account", params={"with": "datetime_settings"})
        name = reply.member("_embedded", "datetime_settings", "timezone")
        try:
            return ZoneInfo(str(name)) if name else UTC
        except (ZoneInfoNotFoundError, ValueError):
            return UTC

    def zone_for(self, keys: Sequence[str]) -> tzinfo:
        """The account's zone, asked for only where one of the fields is a date."""
        dated = any(k in self.custom and self.custom[k].spec.type in _DATED for k in keys)
        return self.zone if dated else UTC

    def specs(self) -> list[FieldSpec]:
        return [*self.own.values(), *(field.spec for field in self.custom.values())]

    def prepare(self, wanted: Sequence[str]) -> Prepared:
        """The writable fields among `wanted`. Nothing is created in the account."""
        known = {spec.key: spec for spec in self.specs()}
        warnings = [
            f"amoCRM has no contact field {name}; create it there or remove it from the field rules."
            for name in wanted
            if name not in known
        ]
        fields = {name: known[name] for name in wanted if name in known and not known[name].read_only}
        return Prepared(fields=fields, warnings=tuple(warnings))


_DATED = (FieldType.DATE, FieldType.DATETIME)
