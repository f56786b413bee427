"""Records as amoCRM's own users write them: `custom_fields_values` taken apart into values by field key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.amocrm.catalogue import Catalogue
from connectors.amocrm.wire import AmoField, decode
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import FieldType

CUSTOM = "custom_fields_values"


def values_of(body: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Values by field key. Raises ApiError (DATA) that names the member which is not as the API takes it (sheet 6)."""
    values = {name: value for name, value in body.items() if name != CUSTOM}
    listed = body.get(CUSTOM)
    if listed is not None and not isinstance(listed, list):
        raise _wrong(CUSTOM, f"{CUSTOM} must be a list of fields with their values.")
    for position, held in enumerate(listed or ()):
        at = f"{CUSTOM}.{position}"
        if not isinstance(held, dict) or "values" not in held:
            raise _wrong(at, f"{at} must have field_id or field_code, and values.")
        known = _field(held, catalogue)
        if known is None:
            raise _wrong(at, f"{at} names no field of this account's {catalogue.entity.name}.")
        values[known.spec.key] = _value(held["values"], known, catalogue, at)
    return values


def _field(held: Mapping[str, Any], catalogue: Catalogue) -> AmoField | None:
    number, code = held.get("field_id"), held.get("field_code")
    if isinstance(number, int):
        return catalogue.by_id.get(number)
    return next((f for f in catalogue.custom.values() if code and f.spec.key == code), None)


def _value(rows: Any, known: AmoField, catalogue: Catalogue, at: str) -> Any:
    if rows in (None, []):
        return None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _wrong(f"{at}.values", f"{at}.values must be a list of objects, or null to empty the field.")
    if known.spec.type in (FieldType.CHOICE, FieldType.CHOICES):
        rows = [{"value": _option(row, known, at)} for row in rows]
    return decode(rows, known, catalogue.zone_for([known.spec.key]))


def _option(row: Mapping[str, Any], known: AmoField, at: str) -> Any:
    """The text of an option that is named by its text, id or code."""
    if row.get("enum_id") is not None:
        found = next((text for text, number in known.enums.items() if number == row["enum_id"]), None)
    elif row.get("enum_code") is not None:
        found = known.codes.get(str(row["enum_code"]))
    else:
        return row.get("value")
    if found is None:
        options = ", ".join(f"{number} ({text})" for text, number in known.enums.items())
        raise _wrong(f"{at}.values", f"“{known.spec.label}” has no such option; it has {options}.")
    return found


def _wrong(field: str, sentence: str) -> ApiError:
    return ApiError(ErrorKind.DATA, sentence, field=field)
