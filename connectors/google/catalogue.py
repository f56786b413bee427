"""The fields of this account's contacts: Google's own, and the labels that people have made."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.core.types import FieldSpec, Prepared
from connectors.google.fields import PLACES, USER_DEFINED, custom_key, spec_of
from connectors.google.reading import Reader
from connectors.google.wire import labels_of


class Catalogue:
    """`named` are labels that the settings name besides."""

    def __init__(self, reader: Reader, named: Sequence[str]) -> None:
        self._reader, self._named = reader, named

    def described(self) -> list[FieldSpec]:
        """Raises ApiError."""
        keys = [*PLACES, *(custom_key(label) for label in sorted({*self._named, *self._in_use()}))]
        return [spec for key in keys if (spec := spec_of(key)) is not None]

    def prepare(self, wanted: Sequence[str]) -> Prepared:
        """The writable fields among `wanted`. A label needs no making: it is there with its first value."""
        known = {key: spec for key in wanted if (spec := spec_of(key)) is not None}
        warnings = [f"Google contacts have no field {key}; remove it from the field rules." for key in wanted]
        return Prepared(known, tuple(w for key, w in zip(wanted, warnings, strict=True) if key not in known))

    def _in_use(self) -> set[str]:
        # Labels are nowhere listed: those in use among the contacts that were changed last are offered.
        return {label for person in self._reader.newest(USER_DEFINED) for label in labels_of(person)}
