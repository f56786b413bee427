"""The stand-in's methods: CRM records and their fields, lists of the portal, and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.bitrix24 import sandbox_refusals as refusals
from connectors.bitrix24.entities import ENTITIES
from connectors.bitrix24.sandbox_batch import number_of
from connectors.bitrix24.sandbox_events import Events
from connectors.bitrix24.sandbox_fields import Definitions, statuses
from connectors.bitrix24.sandbox_lists import Lists
from connectors.bitrix24.sandbox_records import Records
from connectors.core.clock import Clock

# (result, total, next); both None for what is no list.
Found = tuple[Any, int | None, int | None]

_BY_CODE = {entity.code: name for name, entity in ENTITIES.items()}
_BY_KIND = {entity.kind: name for name, entity in ENTITIES.items()}
_APPLICATION_ONLY = ("event.bind", "event.unbind", "event.get")
MOST_VALUES = 20


class Portal:
    """What one portal holds. `administrator` is whether the caller is one: only they see definitions of user fields."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.definitions = Definitions()
        self.events = Events(clock)
        self.administrator = True
        self.records = {name: Records(name, clock, self.definitions, self.announce) for name in ENTITIES}
        self._lists = {name: Lists(records, self.definitions) for name, records in self.records.items()}
        self._verbs: dict[str, Callable[[str, dict[str, Any]], Found]] = {
            "list": self._list, "get": self._get, "fields": self._fields, "add": self._add, "update": self._update,
            "delete": self._delete, "userfield.list": self._userfields, "userfield.add": self._add_userfield,
            "userfield.update": self._change_userfield, "userfield.delete": self._delete_userfield,
        }  # fmt: skip
        self._others: dict[str, Callable[[dict[str, Any]], Found]] = {
            "profile": lambda asked: _one(_profile(administrator=self.administrator)),
            "server.time": lambda asked: _one(clock.now().isoformat(timespec="seconds")),
            "crm.status.list": lambda asked: _all(statuses()),
            "crm.category.list": lambda asked: _one({"categories": [{"id": 0, "name": "General"}]}),
            "crm.duplicate.findbycomm": self._duplicates,
            "event.bind": lambda asked: _one(self.events.bind(asked)),
            "event.unbind": lambda asked: _one(self.events.unbind(asked)),
            "event.get": lambda asked: _one(self.events.listed()),
        }

    def announce(self, entity: str, action: str, number: int) -> None:
        self.events.announce(f"ONCRM{ENTITIES[entity].kind}{action}", {"ID": str(number)})

    def run(self, method: str, asked: dict[str, Any], *, by_webhook: bool) -> Found:
        """Names of methods are taken in any case. Raises Refused."""
        name = method.lower()
        if name in _APPLICATION_ONLY and by_webhook:
            raise refusals.application_only()
        if name in self._others:
            return self._others[name](asked)
        group, _, rest = name.partition(".")
        code, _, verb = rest.partition(".")
        if group != "crm" or code not in _BY_CODE or verb not in self._verbs:
            raise refusals.unknown_method()
        # Names at the top may be written in either case, those of fields may not.
        return self._verbs[verb](_BY_CODE[code], {key.lower(): value for key, value in asked.items()})

    def _list(self, entity: str, asked: dict[str, Any]) -> Found:
        return self._lists[entity].answer(asked)

    def _get(self, entity: str, asked: dict[str, Any]) -> Found:
        return _one(self.records[entity].row(number_of(asked)))

    def _fields(self, entity: str, asked: dict[str, Any]) -> Found:
        return _one(self.definitions.described(entity))

    def _add(self, entity: str, asked: dict[str, Any]) -> Found:
        return _one(self.records[entity].add(asked.get("fields", "")))

    def _update(self, entity: str, asked: dict[str, Any]) -> Found:
        number = number_of(asked)
        self.records[entity].row(number)
        self.records[entity].update(number, asked.get("fields", ""))
        return _one(True)

    def _delete(self, entity: str, asked: dict[str, Any]) -> Found:
        self.records[entity].delete(number_of(asked))
        return _one(True)

    def _userfields(self, entity: str, asked: dict[str, Any]) -> Found:
        self._administered()
        filters = asked.get("filter")
        return _all(self.definitions.listed(entity, filters if isinstance(filters, dict) else {}))

    def _add_userfield(self, entity: str, asked: dict[str, Any]) -> Found:
        self._administered()
        fields = asked.get("fields") or {}
        code = f"UF_CRM_{str(fields.get('FIELD_NAME') or '').removeprefix('UF_CRM_')}"
        options = tuple(str(item["VALUE"]) for item in fields.get("LIST") or ())
        made = self.definitions.add(
            entity, code, str(fields.get("USER_TYPE_ID")), multiple=fields.get("MULTIPLE") == "Y", options=options,
            label=str(fields.get("LABEL") or ""),
        )  # fmt: skip
        self._announce_field(entity, "ADD", made)
        return _one(int(made["ID"]))

    def _change_userfield(self, entity: str, asked: dict[str, Any]) -> Found:
        self._administered()
        fields = asked.get("fields") or {}
        label = fields.get("EDIT_FORM_LABEL") or fields.get("LABEL") or ""
        changed = self.definitions.change(entity, str(number_of(asked)), str(label))
        self._announce_field(entity, "UPDATE", changed)
        return _one(True)

    def _delete_userfield(self, entity: str, asked: dict[str, Any]) -> Found:
        self._administered()
        self._announce_field(entity, "DELETE", self.definitions.remove(entity, str(number_of(asked))))
        return _one(True)

    def _announce_field(self, entity: str, verb: str, known: Mapping[str, Any]) -> None:
        told = {name: str(known[name]) for name in ("ID", "ENTITY_ID", "FIELD_NAME")}
        self.events.announce(f"ONCRM{ENTITIES[entity].kind}USERFIELD{verb}", told)

    def _administered(self) -> None:
        if not self.administrator:
            raise refusals.denied()

    def _duplicates(self, asked: dict[str, Any]) -> Found:
        values, kind = asked.get("values"), str(asked.get("type"))
        if not isinstance(values, list) or not 1 <= len(values) <= MOST_VALUES or kind not in ("PHONE", "EMAIL"):
            raise refusals.refused(400, "", "Communication values are not specified or are too many.")
        wanted = [str(asked["entity_type"])] if asked.get("entity_type") else ["CONTACT", "COMPANY", "LEAD"]
        found = {kind_of: self.records[_BY_KIND[kind_of]].reached_by(kind, map(str, values)) for kind_of in wanted}
        # An object without members is a list.
        return _one({name: numbers for name, numbers in found.items() if numbers} or [])


def _one(result: Any) -> Found:
    return result, None, None


def _all(rows: list[Any]) -> Found:
    return rows, len(rows), None


def _profile(*, administrator: bool) -> dict[str, Any]:
    return {
        "ID": "1", "ADMIN": administrator, "NAME": "Ann", "LAST_NAME": "Bell", "PERSONAL_GENDER": "",
        "TIME_ZONE": "", "TIME_ZONE_OFFSET": 0,
    }  # fmt: skip
