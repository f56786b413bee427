"""What a record can be found by: its id, its name, its e-mail addresses and phones, in spellings that compare."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.amocrm.points import points, same_email, same_phone
from connectors.amocrm.wire import EMAIL, PHONE
from connectors.core.types import MatchKey

_NOT_DIGITS = re.compile(r"\D", re.ASCII)
_FIELDS = {EMAIL: "email", PHONE: "phone"}


class Identities:
    """The identities of records of one entity, as texts. `names` are the match keys by which they are told apart."""

    def __init__(self, names: tuple[str, ...], region: str) -> None:
        self._names, self._region = names, region

    def of_key(self, key: MatchKey) -> str:
        return self._identity(key.name, key.value)

    def of_record(self, raw: Mapping[str, Any]) -> set[str]:
        """Of a record as amoCRM shows it."""
        return {f"id:{raw['id']}", *self._told(raw.get("name"), _points(raw))}

    def of_values(self, number: str, values: Mapping[str, Any]) -> set[str]:
        """Of a record that was created with these values."""
        given = ((code, point.value) for code in _FIELDS for point in points(values.get(code)))
        return {f"id:{number}", *self._told(values.get("name"), given)}

    def _told(self, name: Any, listed: Iterator[tuple[str, str]]) -> set[str]:
        pairs = [("name", str(name or "")), *((_FIELDS[code], text) for code, text in listed)]
        found = {self._identity(kind, text) for kind, text in pairs if kind in self._names and text}
        return {identity for identity in found if not identity.endswith(":")}

    def _identity(self, kind: str, text: str) -> str:
        match kind:
            case "email":
                return f"email:{same_email(text)}"
            case "phone":
                return f"phone:{same_phone(text, self._region)}"
            case "name":
                return f"name:{' '.join(text.split()).casefold()}"
        return f"{kind}:{text}"


def _points(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for held in raw.get("custom_fields_values") or ():
        code = held.get("field_code") if isinstance(held, dict) else None
        for row in (held.get("values") or ()) if code in _FIELDS else ():
            yield str(code), str(row.get("value") or "")


def query_of(key: MatchKey) -> str:
    """Words that full-text search finds the key by. The last ten digits find a number however it is written."""
    return _NOT_DIGITS.sub("", key.value)[-10:] if key.name == "phone" else key.value.strip()
