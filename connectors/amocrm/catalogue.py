"""An entity's fields as the account has them: its own ones, and the custom ones read once a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from functools import cached_property

from connectors.amocrm.account import Account
from connectors.amocrm.client import AmoClient
from connectors.amocrm.entities import PIPELINE, RESPONSIBLE, STATUS, Entity
from connectors.amocrm.lists import pages
from connectors.amocrm.wire import AmoField, custom_field
from connectors.core.types import FieldSpec, FieldType, Prepared


class Catalogue:
    """The fields of one entity by key."""

    def __init__(self, client: AmoClient, entity: Entity, account: Account) -> None:
        self._client, self.entity, self._account = client, entity, account
        self.own: Mapping[str, FieldSpec] = {spec.key: spec for spec in entity.own}

    @cached_property
    def custom(self) -> dict[str, AmoField]:
        """Custom fields by key. Raises ApiError."""
        found = pages(self._client, self.entity.fields_path, "custom_fields", {})
        known = [custom_field(definition) for page in found for definition in page]
        return {field.spec.key: field for field in known}

    @cached_property
    def by_id(self) -> dict[int, AmoField]:
        return {field.id: field for field in self.custom.values()}

    def forget(self) -> None:
        """The fields have changed: they are read again when they are next asked for."""
        for name in ("custom", "by_id"):
            self.__dict__.pop(name, None)

    def zone_for(self, keys: Sequence[str]) -> tzinfo:
        """The account's zone, asked for only where one of the fields is a date."""
        fields = [self.custom[key] for key in keys if key not in self.own and key in self.custom]
        return self._account.zone if any(field.spec.type in _DATED for field in fields) else UTC

    def specs(self) -> list[FieldSpec]:
        """All fields, without the options that only the account's other lists tell."""
        return [*self.own.values(), *(field.spec for field in self.custom.values())]

    def described(self) -> list[FieldSpec]:
        """All fields with everything they take: people, pipelines, and the statuses of each pipeline."""
        return [self._with_options(spec) for spec in self.specs()]

    def _with_options(self, spec: FieldSpec) -> FieldSpec:
        if spec.key == RESPONSIBLE and self.entity.people:
            return replace(spec, options=self._account.users)
        if spec.key == PIPELINE:
            return replace(spec, options=self._account.pipelines)
        if spec.key == STATUS:
            shares = self._account.statuses
            every = dict(option for _pipeline, options in shares for option in options)
            return replace(spec, options=tuple(every.items()), options_by=shares)
        return spec

    def prepare(self, wanted: Sequence[str]) -> Prepared:
        """The writable fields among `wanted`. Nothing is created in the account."""
        known = {spec.key: spec for spec in self.specs()}
        warnings = [
            f"amoCRM has no {self.entity.noun} field {name}; create it there or remove it from the field rules."
            for name in wanted
            if name not in known
        ]
        fields = {name: known[name] for name in wanted if name in known and not known[name].read_only}
        return Prepared(fields=fields, warnings=tuple(warnings))


_DATED = (FieldType.DATE, FieldType.DATETIME)
