"""The `fields` of a record to write, out of values by field key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.bitrix24.catalogue import Catalogue
from connectors.bitrix24.points import changes, comparer, new_rows, points, rows_of
from connectors.bitrix24.wire import encode, is_list
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import Change

REFERENCE = "$result["


class Builder:
    """Makes bodies for one entity; `region` is that of phone numbers without a country code."""

    def __init__(self, catalogue: Catalogue, region: str) -> None:
        self._catalogue, self._region = catalogue, region

    def fields(self, change: Change, held: Mapping[str, Any]) -> dict[str, Any]:
        """What has to be sent, over the lists that the record holds now; empty when nothing has.

        Raises ApiError (DATA), which names the field, for a value that does not fit.
        """
        known = self._catalogue.specs
        made: dict[str, Any] = {}
        for key, value in change.values.items():
            if key not in known:
                noun = self._catalogue.entity.noun
                raise ApiError(ErrorKind.DATA, f"Bitrix24 has no {noun} field {key}.", field=key)
            if is_list(key):
                rows = self._rows(change, key, value, held)
                if rows:
                    made[key] = rows
            elif change.external_id or value not in (None, "", []):
                made[key] = encode(value, known[key])
            _check(made.get(key), key)
        return made

    def _rows(self, change: Change, key: str, value: Any, held: Mapping[str, Any]) -> list[dict[str, str]]:
        if not change.external_id:
            return new_rows(key, points(value))
        before = (change.before or {}).get(key)
        return changes(key, rows_of(held.get(key)), value, before, comparer(key, self._region))


def _check(value: Any, key: str) -> None:
    """Whether a batch takes such a text apart wherever it stands is not documented (sheet 6)."""
    if REFERENCE in str(value):
        sentence = f"Bitrix24 would take {REFERENCE}…] in this value for a reference of its own; write it otherwise."
        raise ApiError(ErrorKind.DATA, sentence, field=key)
