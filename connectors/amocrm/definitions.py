"""Custom fields that an account is given: missing ones are made, lists get the options they lack (sheet 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.amocrm.catalogue import Catalogue
from connectors.amocrm.client import AmoClient
from connectors.amocrm.wire import AmoField
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.types import FieldSpec, FieldType

_KINDS = {
    FieldType.INTEGER: "numeric",
    FieldType.NUMBER: "numeric",
    FieldType.BOOLEAN: "checkbox",
    FieldType.DATE: "date",
    FieldType.DATETIME: "date_time",
    FieldType.CHOICE: "select",
    FieldType.CHOICES: "multiselect",
}
_LISTS = (FieldType.CHOICE, FieldType.CHOICES)
# The number that a field made in the web interface is sorted by.
_FIRST_SORT = 511


class Definitions:
    """The definitions of one entity's custom fields, as far as they may be added to."""

    def __init__(self, client: AmoClient, catalogue: Catalogue) -> None:
        self._client, self._catalogue = client, catalogue
        self._path = catalogue.entity.fields_path

    def ensure(self, wanted: Sequence[FieldSpec]) -> list[FieldSpec]:
        """The wanted fields as the account has them afterwards. At most two requests write, and only where needed.

        Raises ApiError: CONFIG where only an administrator may, or where a field is named by an id that is not there.
        """
        found = [self._find(spec) for spec in wanted]
        missing = [spec for spec, known in zip(wanted, found, strict=True) if known is None]
        poorer = [
            (known, lacking)
            for spec, known in zip(wanted, found, strict=True)
            if known is not None and (lacking := _lacking(spec, known))
        ]
        if missing:
            bodies = [_body(spec, _FIRST_SORT + place) for place, spec in enumerate(missing)]
            self._client.post(self._path, json=bodies)
        if poorer:
            bodies = [_richer(known, lacking) for known, lacking in poorer]
            self._client.send(Call("PATCH", self._path, json=bodies, repeatable=True))
        if missing or poorer:
            self._catalogue.forget()
            found = [self._find(spec) for spec in wanted]
        return [self._made(spec, known) for spec, known in zip(wanted, found, strict=True)]

    def _find(self, spec: FieldSpec) -> AmoField | None:
        if spec.remote_id:
            known = self._catalogue.by_id.get(int(spec.remote_id))
            if known is None:
                sentence = f"amoCRM has no {self._catalogue.entity.noun} field with the id {spec.remote_id}."
                raise ApiError(ErrorKind.CONFIG, sentence, field=spec.label)
            return known
        name = _folded(spec.label)
        return next((field for field in self._catalogue.custom.values() if _folded(field.spec.label) == name), None)

    @staticmethod
    def _made(spec: FieldSpec, known: AmoField | None) -> FieldSpec:
        if known is None:
            raise ApiError(ErrorKind.TRANSIENT, f"amoCRM does not show the new field “{spec.label}” yet.")
        return known.spec


def _body(spec: FieldSpec, sort: int) -> dict[str, Any]:
    plain = "text" if spec.max_length is not None else "textarea"
    body: dict[str, Any] = {"name": spec.label, "type": _KINDS.get(spec.type, plain), "sort": sort}
    if spec.type in _LISTS:
        body["enums"] = [{"value": value, "sort": place} for place, (value, _label) in enumerate(spec.options, 1)]
    return body


def _lacking(spec: FieldSpec, known: AmoField) -> list[str]:
    """The options that a list of the account does not have; another type's field has none to add."""
    if known.spec.type not in _LISTS:
        return []
    there = {_folded(text) for text in known.enums}
    return [value for value, _label in spec.options if _folded(value) not in there]


def _richer(known: AmoField, lacking: Sequence[str]) -> dict[str, Any]:
    """What is sent replaces the options: each one that is there has to come along with its id (sheet 7)."""
    kept = [{"id": number, "value": text, "sort": place} for place, (text, number) in enumerate(known.enums.items(), 1)]
    added = [{"value": text, "sort": len(kept) + place} for place, text in enumerate(lacking, 1)]
    return {"id": known.id, "enums": [*kept, *added]}


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
