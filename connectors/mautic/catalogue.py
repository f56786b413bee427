"""The site's contact fields: read once a run, our own one created when missing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import Call
from connectors.core.types import FieldSpec, Prepared
from connectors.mautic.client import FIELDS, MauticClient
from connectors.mautic.marks import MARK
from connectors.mautic.wire import field_spec, members

LABEL = "crmsync id"
# The flag had a misspelt name before version 5; both are accepted (sheet 8).
_UNIQUE = ("isUniqueIdentifier", "isUniqueIdentifer")
_BY_HAND = (
    "crmsync may not create its field in Mautic: create a custom field of the type text with the alias crmsync_id and"
    " “Is Unique Identifier” switched on. Until then contacts are told apart by e-mail alone."
)
_WAITING = "Mautic has yet to create the column of the field crmsync_id; it does so by its own schedule."


class Catalogue:
    """`specs` are the fields that a contact has now."""

    def __init__(self, client: MauticClient) -> None:
        self._client = client
        self._unusable: set[str] = set()
        self._unique: set[str] = set()

    @cached_property
    def specs(self) -> dict[str, FieldSpec]:
        """Every published field by alias, in one request. Raises ApiError."""
        reply = self._client.get(FIELDS, params={"limit": 0})
        if not isinstance(reply.member("fields"), list | dict):
            raise ApiError(ErrorKind.TRANSIENT, "Mautic did not list its fields.")
        definitions = [d for d in members(reply.member("fields")) if d.get("alias")]
        self._unusable = {str(d["alias"]) for d in definitions if d.get("isPublished") is False}
        self._unique = {str(d["alias"]) for d in definitions if any(d.get(flag) for flag in _UNIQUE)}
        found = (field_spec(d) for d in definitions)
        return {spec.key: spec for spec in found if spec.key not in self._unusable}

    @property
    def marks(self) -> bool:
        """Whether contacts can carry our mark: only then does a lost answer show."""
        return MARK in self.specs

    def prepare(self, wanted: Sequence[str]) -> Prepared:
        """The writable fields among `wanted`; our own one exists afterwards, or a warning says what to do."""
        warnings = list(self._own())
        warnings += [
            f"Mautic has no field {name}; create it there or remove it from the field rules."
            for name in wanted
            if name not in self.specs
        ]
        fields = {name: self.specs[name] for name in wanted if name in self.specs and not self.specs[name].read_only}
        return Prepared(fields=fields, warnings=tuple(warnings))

    def _own(self) -> Sequence[str]:
        if MARK in self.specs:
            return () if MARK in self._unique else (_NOT_UNIQUE,)
        if MARK in self._unusable:
            return (_WAITING,)
        definition = {
            "label": LABEL,
            "alias": MARK,
            "type": "text",
            "group": "core",
            "isUniqueIdentifier": True,
            "isPubliclyUpdatable": False,
        }
        try:
            # Not blindly repeated: the second answer would only say that the alias is taken.
            reply = self._client.send(Call("POST", f"{FIELDS}/new", json=definition, repeatable=False))
        except ApiError as e:
            if e.kind not in (ErrorKind.CONFIG, ErrorKind.DATA, ErrorKind.UNKNOWN):
                raise
            # After a lost answer the next run sees whether it is there.
            return (_BY_HAND,)
        if reply.status == 202 or reply.member("field", "isPublished") is False:
            return (_WAITING,)
        self.specs[MARK] = field_spec(definition)
        self._unique.add(MARK)
        return ()


_NOT_UNIQUE = (
    "Mautic's field crmsync_id is not a unique identifier; switch that on, so that no contact can be created twice."
)
