"""The account's contact properties: read once a run, our own two created when missing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.types import FieldSpec, Prepared
from connectors.hubspot.client import Addresses, HubSpotClient
from connectors.hubspot.wire import field_spec

GROUP = "crmsync"


class Catalogue:
    """`own` maps the names of our custom properties to their labels."""

    def __init__(self, client: HubSpotClient, addresses: Addresses, own: dict[str, str]) -> None:
        self._client, self._path, self._own = client, addresses.properties, own

    @cached_property
    def specs(self) -> dict[str, FieldSpec]:
        """Every property by name, in one request. Raises ApiError."""
        definitions = self._client.get(self._path).member("results")
        if not isinstance(definitions, list):
            raise ApiError(ErrorKind.TRANSIENT, "HubSpot did not list its properties.")
        found = [field_spec(d) for d in definitions if isinstance(d, dict) and d.get("name")]
        return {spec.key: spec for spec in found}

    def prepare(self, wanted: Sequence[str]) -> Prepared:
        """The writable properties among `wanted`; our own ones exist afterwards, or a warning says what to do."""
        warnings: list[str] = []
        specs = dict(self.specs)
        missing = [name for name in wanted if name not in specs]
        own = [name for name in missing if name in self._own]
        if own:
            try:
                specs |= {name: self._create(name) for name in own}
                self.specs.update(specs)
            except ApiError as e:
                if e.kind is not ErrorKind.CONFIG:
                    raise
                warnings.append(_by_hand(own))
        absent = [name for name in missing if name not in self._own]
        warnings += [
            f"HubSpot has no property {name}; create it there or remove it from the field rules." for name in absent
        ]
        fields = {name: specs[name] for name in wanted if name in specs and not specs[name].read_only}
        return Prepared(fields=fields, warnings=tuple(warnings))

    def _create(self, name: str) -> FieldSpec:
        group = {"name": GROUP, "label": GROUP, "displayOrder": -1}
        self._ensure(f"{self._path}/groups", group)
        definition = {
            "name": name,
            "label": self._own[name],
            "type": "string",
            "fieldType": "text",
            "groupName": GROUP,
            "formField": False,
        }
        self._ensure(self._path, definition)
        return field_spec(definition)

    def _ensure(self, path: str, definition: dict[str, Any]) -> None:
        try:
            self._client.send(Call("POST", path, json=definition))
        except ApiError as e:
            if e.kind is not ErrorKind.CONFLICT:  # a conflict says that it exists already
                raise


def _by_hand(names: Sequence[str]) -> str:
    listed = " and ".join(names)
    return (
        f"The HubSpot token may not create properties: create {listed} by hand (contact property, single-line text),"
        " or give the token the scope crm.schemas.contacts.write. Until then these values are not sent."
    )
