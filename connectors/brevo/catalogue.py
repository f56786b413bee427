"""The account's contact attributes: which exist, what this account calls ours, the two we create."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from connectors.brevo.client import BrevoClient
from connectors.brevo.wire import ALIASES, EMAIL, WrongType, encode, field_spec
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.types import FieldSpec, Prepared

DOMAIN_ID, PAGE_ID = "CRMSYNC_DOMAIN_ID", "CRMSYNC_PAGE_ID"
OWN = (DOMAIN_ID, PAGE_ID)
PATH = "/contacts/attributes"


class Catalogue:
    """Read once a run, on first use."""

    def __init__(self, client: BrevoClient) -> None:
        self._client = client

    @cached_property
    def _definitions(self) -> dict[str, FieldSpec]:
        """The attributes under the account's names. Raises ApiError."""
        listed = self._client.get(PATH).member("attributes")
        if not isinstance(listed, list):
            raise ApiError(ErrorKind.TRANSIENT, "Brevo did not list its attributes.")
        found = [field_spec(d) for d in listed if isinstance(d, dict) and d.get("name")]
        return {spec.key: spec for spec in found}

    @cached_property
    def theirs(self) -> dict[str, str]:
        """The account's name for each of ours that it spells differently."""
        names: dict[str, str] = {}
        for ours, variants in ALIASES.items():
            present = next((v for v in variants if v in self._definitions), ours)
            if present != ours:
                names[ours] = present
        return names

    @cached_property
    def ours(self) -> dict[str, str]:
        return {theirs: ours for ours, theirs in self.theirs.items()}

    @cached_property
    def specs(self) -> dict[str, FieldSpec]:
        """Every field by our name for it, the e-mail included."""
        found = {EMAIL: FieldSpec(EMAIL, "E-mail", required=True)}
        for name, spec in self._definitions.items():
            key = self.ours.get(name, name)
            found[key] = FieldSpec(
                key, spec.label, spec.type, spec.read_only, multiple=spec.multiple, options=spec.options,
                custom=spec.custom and key == name,
            )  # fmt: skip
        return found

    def prepare(self, wanted: Sequence[str]) -> Prepared:
        """The writable fields among `wanted`; our own attributes exist afterwards."""
        for name in wanted:
            if name in OWN and name not in self.specs:
                self.specs[name] = self._create(name)
        absent = [name for name in wanted if name not in self.specs]
        return Prepared(
            fields={n: self.specs[n] for n in wanted if n in self.specs and not self.specs[n].read_only},
            warnings=tuple(
                f"Brevo has no attribute {name} and would drop its values: create it there or remove it from the rules."
                for name in absent
            ),
        )

    def _create(self, name: str) -> FieldSpec:
        try:
            self._client.send(Call("POST", f"{PATH}/normal/{name}", json={"type": "text"}, expects_json=False))
        except ApiError as e:
            if e.kind not in (ErrorKind.DATA, ErrorKind.CONFLICT):  # which is how it says "exists already"
                raise
        return FieldSpec(name, name, custom=True)

    def attributes(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Values as attributes under the account's names, and the fields whose value does not fit their type."""
        encoded: dict[str, Any] = {}
        unfit: list[str] = []
        for key, value in values.items():
            spec = self.specs.get(key)
            if key == EMAIL or spec is None:
                continue
            try:
                encoded[self.theirs.get(key, key)] = encode(value, spec.type)
            except WrongType:
                unfit.append(key)
        return encoded, unfit
