"""The stand-in's custom field definitions: listed, made and given options, as an administrator may (sheet 7)."""

from __future__ import annotations

from typing import Any

from connectors.amocrm import sandbox_refusals as refusals
from connectors.amocrm import sandbox_settings as settings

_KINDS = frozenset(
    {"text", "textarea", "numeric", "checkbox", "select", "multiselect", "radiobutton", "date", "date_time", "birthday",
     "url", "streetaddress", "multitext"}
)  # fmt: skip
_WITH_OPTIONS = ("select", "multiselect", "radiobutton")


class FieldDefinitions:
    """The definitions of one account, by entity and id."""

    def __init__(self, fields: dict[str, dict[int, dict[str, Any]]]) -> None:
        self._fields = fields
        self._next = 4460001

    def listed(self, entity: str) -> list[dict[str, Any]]:
        return list(self._fields[entity].values())

    def make(self, entity: str, items: Any) -> list[dict[str, Any]]:
        """An `id` that is sent means nothing: ids are the account's own to give (sheet 7)."""
        self._examine(items, lambda item: self._wrong_new(item))
        made = []
        for place, item in enumerate(items):
            number, self._next = self._next, self._next + 2
            options = [str(option["value"]) for option in item.get("enums") or ()]
            known = settings.definition(number, item["name"], item["type"], item.get("code"), options, entity)
            known |= {"is_deletable": True, "is_predefined": False, "sort": item.get("sort", 511)}
            self._fields[entity][number] = known
            made.append({**known, "request_id": str(item.get("request_id", place))})
        return made

    def change(self, entity: str, items: Any) -> list[dict[str, Any]]:
        """The options that are sent replace those that were there; the answer numbers them (sheet 7)."""
        self._examine(items, lambda item: self._wrong_change(entity, item))
        changed = []
        for item in items:
            known = self._fields[entity][item["id"]]
            known |= {name: item[name] for name in ("name", "sort") if name in item}
            if "enums" in item:
                known["enums"] = [self._option(option, known, place) for place, option in enumerate(item["enums"], 1)]
            numbered = {str(i): option for i, option in enumerate(known["enums"] or ())}
            changed.append({**known, "enums": numbered})
        return changed

    def _option(self, option: dict[str, Any], known: dict[str, Any], place: int) -> dict[str, Any]:
        highest = max((held["id"] for held in known["enums"] or ()), default=known["id"] * 10)
        number = option.get("id") or highest + place
        return {"id": number, "value": option["value"], "sort": option.get("sort", place)}

    @staticmethod
    def _examine(items: Any, wrong: Any) -> None:
        if not isinstance(items, list) or not items:
            raise refusals.bad_request("Request body must be a non-empty array")
        found = [(str(i), *complaint) for i, item in enumerate(items) if (complaint := wrong(item)) is not None]
        if found:
            raise refusals.invalid(found)

    @staticmethod
    def _wrong_new(item: Any) -> tuple[str, str] | None:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            return "FieldMissing", "name"
        if item.get("type") not in _KINDS:
            return ("NotSupportedChoice" if item.get("type") else "FieldMissing"), "type"
        if item.get("enums") and item["type"] not in _WITH_OPTIONS:
            return "NotSupportedChoice", "enums"
        return None

    def _wrong_change(self, entity: str, item: Any) -> tuple[str, str] | None:
        known = self._fields[entity].get(item.get("id", 0)) if isinstance(item, dict) else None
        if known is None:
            return "NotSupportedChoice", "id"
        if "type" in item and item["type"] != known["type"]:
            return "NotSupportedChoice", "type"
        there = {option["id"] for option in known["enums"] or ()}
        if any(option.get("id") and option["id"] not in there for option in item.get("enums") or ()):
            return "NotSupportedChoice", "enums"
        return None
