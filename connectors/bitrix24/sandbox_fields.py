"""The stand-in's fields: those that every portal has, user fields of every type, and changes to them (sheets 3, 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.bitrix24.entities import COMPANIES, DEALS, ENTITIES, LEADS
from connectors.bitrix24.sandbox_refusals import core, not_found
from connectors.core.types import CONTACTS

READ_ONLY = ("ID", "DATE_CREATE", "DATE_MODIFY", "CREATED_BY_ID", "MODIFY_BY_ID", "HAS_PHONE", "HAS_EMAIL")
_SHARED = {
    "ID": "integer", "COMMENTS": "string", "OPENED": "char", "ASSIGNED_BY_ID": "user", "CREATED_BY_ID": "user",
    "MODIFY_BY_ID": "user", "DATE_CREATE": "datetime", "DATE_MODIFY": "datetime", "ORIGINATOR_ID": "string",
    "ORIGIN_ID": "string", "UTM_SOURCE": "string", "LAST_ACTIVITY_TIME": "datetime",
}  # fmt: skip
_REACHED = {"HAS_PHONE": "char", "HAS_EMAIL": "char"} | dict.fromkeys(
    ("PHONE", "EMAIL", "WEB", "IM", "LINK"), "crm_multifield"
)
_PERSON = {"NAME": "string", "SECOND_NAME": "string", "LAST_NAME": "string", "POST": "string", "BIRTHDATE": "date"}
_MONEY = {"OPPORTUNITY": "double", "CURRENCY_ID": "crm_currency"}
STANDARD: dict[str, dict[str, str]] = {
    CONTACTS: {
        **_SHARED, **_PERSON, "HONORIFIC": "crm_status", "TYPE_ID": "crm_status", "SOURCE_ID": "crm_status",
        "COMPANY_ID": "crm_company", "LEAD_ID": "crm_lead", "PHOTO": "file", "EXPORT": "char", **_REACHED,
    },
    COMPANIES: {
        **_SHARED, "TITLE": "string", "COMPANY_TYPE": "crm_status", "REVENUE": "double", "LOGO": "file", **_REACHED,
    },
    LEADS: {
        **_SHARED, **_PERSON, "TITLE": "string", "STATUS_ID": "crm_status", "SOURCE_ID": "crm_status", **_MONEY,
        "CONTACT_ID": "crm_contact", "COMPANY_ID": "crm_company", "DATE_CLOSED": "datetime", **_REACHED,
    },
    DEALS: {
        **_SHARED, "TITLE": "string", "TYPE_ID": "crm_status", "STAGE_ID": "crm_status", "CATEGORY_ID": "crm_category",
        "CONTACT_ID": "crm_contact", "COMPANY_ID": "crm_company", "BEGINDATE": "date", "CLOSEDATE": "date",
        "CLOSED": "char", "PROBABILITY": "integer", **_MONEY,
    },
}  # fmt: skip
_STATUS_KINDS = {
    "HONORIFIC": "HONORIFIC", "SOURCE_ID": "SOURCE", "STATUS_ID": "STATUS", "STAGE_ID": "DEAL_STAGE",
    "COMPANY_TYPE": "COMPANY_TYPE",
}  # fmt: skip
USER_TYPES = (
    "string", "integer", "double", "boolean", "date", "datetime", "money", "url", "address", "enumeration", "file",
    "employee", "crm_status", "iblock_element", "iblock_section", "crm",
)  # fmt: skip
_CHOICES = ("Red", "Green", "Blue")


class Definitions:
    """The fields of every entity, user fields by their code. `version` grows with every change to them."""

    def __init__(self) -> None:
        self.user: dict[str, dict[str, dict[str, Any]]] = {entity: {} for entity in ENTITIES}
        self._next, self.version = 100, 0
        for entity in ENTITIES:
            for kind in USER_TYPES:
                self.add(entity, f"UF_CRM_{kind.upper()}", kind, options=_CHOICES if kind == "enumeration" else ())
                if kind != "boolean":
                    options = _CHOICES if kind == "enumeration" else ()
                    self.add(entity, f"UF_CRM_{kind.upper()}_LIST", kind, multiple=True, options=options)

    def add(
        self, entity: str, code: str, kind: str, *, multiple: bool = False, options: tuple[str, ...] = (),
        label: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """A new user field, shown empty at once by all records."""
        if code in self.user[entity] or kind not in USER_TYPES:
            raise core("The field exists already, or its type is not known.")
        number = self._next = self._next + 1
        items = [{"ID": str(number * 10 + i), "SORT": str(i * 10), "VALUE": v} for i, v in enumerate(options, 1)]
        self.version += 1
        made = {
            "ID": str(number), "ENTITY_ID": f"CRM_{ENTITIES[entity].kind}", "FIELD_NAME": code, "USER_TYPE_ID": kind,
            "XML_ID": None, "SORT": "100", "MULTIPLE": "Y" if multiple else "N", "MANDATORY": "N",
            "SHOW_FILTER": "E", "SHOW_IN_LIST": "Y", "EDIT_IN_LIST": "Y", "IS_SEARCHABLE": "N", "SETTINGS": [],
            "LABEL": label or code.removeprefix("UF_CRM_").replace("_", " ").capitalize(), "LIST": items,
        }  # fmt: skip
        self.user[entity][code] = made
        return made

    def change(self, entity: str, number: str, label: str) -> dict[str, Any]:
        found = self.by_number(entity, number)
        found["LABEL"] = label
        return found

    def remove(self, entity: str, number: str) -> dict[str, Any]:
        self.version += 1
        return self.user[entity].pop(self.by_number(entity, number)["FIELD_NAME"])

    def by_number(self, entity: str, number: str) -> dict[str, Any]:
        for known in self.user[entity].values():
            if known["ID"] == str(number):
                return known
        raise not_found()

    def described(self, entity: str) -> dict[str, Any]:
        """The answer of `crm.*.fields`."""
        return {
            **{name: _standard(name, kind, entity) for name, kind in STANDARD[entity].items()},
            **{code: _described(known) for code, known in self.user[entity].items()},
        }

    def listed(self, entity: str, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The answer of `userfield.list`: labels only where a language is named, options only of lists."""
        found = []
        for known in self.user[entity].values():
            row = {name: value for name, value in known.items() if name not in ("LABEL", "LIST")}
            if "LANG" in filters:
                labels = ("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL")
                row |= dict.fromkeys(labels, known["LABEL"])
            if known["USER_TYPE_ID"] == "enumeration":
                row["LIST"] = known["LIST"]
            found.append(row)
        return found

    def type_of(self, entity: str, name: str) -> str:
        """ "" for a name that is no field."""
        user = self.user[entity].get(name)
        return user["USER_TYPE_ID"] if user else STANDARD[entity].get(name, "")

    def is_multiple(self, entity: str, name: str) -> bool:
        user = self.user[entity].get(name)
        return user is not None and user["MULTIPLE"] == "Y"

    def empty(self, entity: str) -> dict[str, Any]:
        """A record without any value, as lists show it: each kind of empty, as documented."""
        none: dict[str, Any] = {}
        for name, kind in STANDARD[entity].items():
            if kind != "crm_multifield":
                none[name] = {"char": "N", "date": "", "crm_company": "0"}.get(kind)
        for code, known in self.user[entity].items():
            single = {"boolean": "0", "string": "", "money": "", "date": "", "datetime": ""}
            none[code] = False if known["MULTIPLE"] == "Y" else single.get(known["USER_TYPE_ID"])
        return none


def _standard(name: str, kind: str, entity: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": kind, "isRequired": False, "isReadOnly": name in READ_ONLY, "isImmutable": name == "CATEGORY_ID",
        "isMultiple": kind == "crm_multifield", "isDynamic": False,
    }  # fmt: skip
    if kind == "crm_status":
        kinds = {**_STATUS_KINDS, "TYPE_ID": "DEAL_TYPE" if entity == DEALS else "CONTACT_TYPE"}
        told["statusType"] = kinds[name]
    return {**told, "title": name.replace("_", " ").capitalize()}


def _described(known: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": known["USER_TYPE_ID"], "isRequired": False, "isReadOnly": False, "isImmutable": False,
        "isMultiple": known["MULTIPLE"] == "Y", "isDynamic": True,
    }  # fmt: skip
    if known["USER_TYPE_ID"] == "enumeration":
        told["items"] = [{"ID": item["ID"], "VALUE": item["VALUE"]} for item in known["LIST"]]
    label = known["LABEL"]
    named = {"title": known["FIELD_NAME"], "listLabel": label, "formLabel": label, "filterLabel": label}
    return {**told, **named, "settings": known["SETTINGS"]}


def statuses() -> list[dict[str, Any]]:
    """The answer of `crm.status.list`."""
    listed = {
        "SOURCE": {"CALL": "Call", "WEB": "Website"},
        "CONTACT_TYPE": {"CLIENT": "Clients", "SUPPLIER": "Suppliers"},
        "COMPANY_TYPE": {"CUSTOMER": "Customer", "PARTNER": "Partner"},
        "HONORIFIC": {"HNR_EN_1": "Mr", "HNR_EN_2": "Ms"},
        "STATUS": {"NEW": "Unassigned", "CONVERTED": "Good lead"},
        "DEAL_TYPE": {"SALE": "Sale", "SERVICE": "Service"},
        "DEAL_STAGE": {"NEW": "New", "WON": "Won", "LOSE": "Lost"},
        "DEAL_STAGE_1": {"C1:NEW": "New", "C1:WON": "Won"},
    }
    rows = [(kind, code, name) for kind, options in listed.items() for code, name in options.items()]
    return [
        {"ID": str(n), "ENTITY_ID": kind, "STATUS_ID": code, "NAME": name, "NAME_INIT": "", "SORT": str(n * 10),
         "SYSTEM": "N", "CATEGORY_ID": None, "COLOR": None, "SEMANTICS": None, "EXTRA": []}
        for n, (kind, code, name) in enumerate(rows, 1)
    ]  # fmt: skip
