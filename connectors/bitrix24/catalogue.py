"""An entity's fields as the portal has them now: one request for the fields, the lists and the user fields' ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from connectors.bitrix24.client import BitrixClient
from connectors.bitrix24.commands import Answer, Command
from connectors.bitrix24.entities import Entity
from connectors.bitrix24.fields import field_spec, status_lists, with_definition
from connectors.bitrix24.wire import Reader, reader_of
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import FieldSpec, Prepared

_FIELDS, _STATUSES, _DEFINITIONS = "fields", "statuses", "definitions"


Beside = tuple[Sequence[Command], Callable[[Answer], None]]


class Catalogue:
    """The fields of one entity by key, read when they are first needed.

    The commands of `beside` go along with the next such request, and its function is given the answer.
    """

    def __init__(self, client: BitrixClient, entity: Entity) -> None:
        self._client, self.entity = client, entity
        self.beside: Beside | None = None

    @cached_property
    def specs(self) -> dict[str, FieldSpec]:
        """Raises ApiError."""
        asked = {
            _FIELDS: Command(_FIELDS, self.entity.method("fields")),
            _STATUSES: Command(_STATUSES, "crm.status.list", {"order": {"SORT": "ASC"}}),
            _DEFINITIONS: Command(_DEFINITIONS, self.entity.method("userfield.list"), {"order": {"ID": "ASC"}}),
        }
        (more, take), self.beside = self.beside or ([], _ignore), None
        answer = self._client.batch([*asked.values(), *more])
        take(answer)
        error = answer.error(_FIELDS)
        described = answer.results.get(_FIELDS)
        if error is not None:
            raise error
        if not isinstance(described, dict) or not described:
            raise ApiError(ErrorKind.TRANSIENT, "Bitrix24's answer does not describe fields.")
        lists = status_lists(self._rows(answer, asked[_STATUSES]))
        found = {key: field_spec(key, told, lists) for key, told in described.items() if isinstance(told, dict)}
        for definition in self._rows(answer, asked[_DEFINITIONS]):
            name = str(definition.get("FIELD_NAME") or "")
            if name in found:
                found[name] = with_definition(found[name], definition)
        return found

    def forget(self) -> None:
        """The fields are read anew when they are needed next."""
        self.__dict__.pop("specs", None)
        self.__dict__.pop("readers", None)

    @cached_property
    def readers(self) -> dict[str, Reader]:
        return {key: reader_of(spec) for key, spec in self.specs.items()}

    def prepare(self, wanted: Sequence[str]) -> Prepared:
        """The writable fields among `wanted`. Nothing is created in the portal."""
        warnings = [
            f"Bitrix24 has no {self.entity.noun} field {name}; create it there or remove it from the field rules."
            for name in wanted
            if name not in self.specs
        ]
        found = {name: self.specs[name] for name in wanted if name in self.specs}
        return Prepared({name: spec for name, spec in found.items() if not spec.read_only}, tuple(warnings))

    def _rows(self, answer: Answer, command: Command) -> list[Mapping[str, Any]]:
        """All rows of a list, of which the batch holds the first page; none where only administrators may see them."""
        error = answer.error(command.key)
        if error is not None:
            if error.kind is ErrorKind.CONFIG:
                return []
            raise error
        rows = _dicts(answer.results[command.key])
        start = answer.nexts.get(command.key)
        while isinstance(start, int) and start > 0:
            more = self._client.batch([Command(command.key, command.method, {**command.params, "start": start})])
            rows += _dicts(more.rows(command.key))
            following = more.nexts.get(command.key)
            start = following if isinstance(following, int) and following > start else None
        return rows


def _ignore(answer: Answer) -> None:
    """Nothing went along."""


def _dicts(found: Any) -> list[Mapping[str, Any]]:
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
