"""Fields out of the descriptions that `crm.*.fields` and `crm.*.userfield.list` answer (sheets 3 and 5). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from connectors.bitrix24.entities import EMAIL, PHONE
from connectors.core.types import FieldSpec, FieldType, Options

STAGE, CATEGORY = "STAGE_ID", "CATEGORY_ID"
_STAGES = "DEAL_STAGE"
_REFERENCES = (
    "integer", "user", "employee", "crm_company", "crm_contact", "crm_lead", "crm_quote", "crm_deal", "crm_category",
    "crm_entity", "location", "iblock_element", "iblock_section",
)  # fmt: skip
_TYPES: dict[str, FieldType] = {
    **dict.fromkeys(_REFERENCES, FieldType.INTEGER),
    **dict.fromkeys(("string", "text", "crm_currency", "url", "address", "money", "crm"), FieldType.TEXT),
    "crm_status": FieldType.CHOICE,
    "enumeration": FieldType.CHOICE,
    "char": FieldType.BOOLEAN,
    "boolean": FieldType.BOOLEAN,
    "double": FieldType.NUMBER,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
}
_LISTS = {PHONE: FieldType.PHONES, EMAIL: FieldType.EMAILS}
# Types whose value only the portal itself can make.
_UNWRITABLE = ("file", "crm_multifield")


def field_spec(key: str, told: Mapping[str, Any], statuses: Mapping[str, Options]) -> FieldSpec:
    """One field; `statuses` are the portal's lists by their kind. An unknown type is JSON and read only."""
    kind, multiple = str(told.get("type") or ""), _is_true(told.get("isMultiple"))
    type_ = _LISTS.get(key) if kind == "crm_multifield" else _TYPES.get(kind)
    if type_ is FieldType.CHOICE and multiple:
        type_ = FieldType.CHOICES
    known = FieldSpec(
        key=key,
        label=_label(key, told),
        type=type_ or FieldType.JSON,
        read_only=_is_true(told.get("isReadOnly")) or type_ is None or (kind in _UNWRITABLE and key not in _LISTS),
        required=_is_true(told.get("isRequired")),
        multiple=multiple or kind == "crm_multifield",
        options=_options(told) or statuses.get(str(told.get("statusType") or ""), ()),
        custom=_is_true(told.get("isDynamic")),
        remote_type=kind,
    )
    return _staged(known, statuses) if key == STAGE else known


def _staged(spec: FieldSpec, statuses: Mapping[str, Options]) -> FieldSpec:
    """A deal's stages hang on its funnel: kind DEAL_STAGE is the first one's, DEAL_STAGE_4 that of funnel 4."""
    shares = [(kind.removeprefix(_STAGES).lstrip("_") or "0", o) for kind, o in statuses.items() if _is_stages(kind)]
    every = dict(option for _funnel, options in shares for option in options)
    return replace(spec, options=tuple(every.items()), options_by=tuple(shares), depends_on=CATEGORY)


def _is_stages(kind: str) -> bool:
    return kind == _STAGES or kind.removeprefix(f"{_STAGES}_").isdigit()


def _label(key: str, told: Mapping[str, Any]) -> str:
    """The title of a user field is its code; people's own name for it is one of the labels (sheet 3)."""
    labels = (told.get(name) for name in ("formLabel", "listLabel", "filterLabel", "title"))
    return next((str(label) for label in labels if isinstance(label, str) and label.strip()), key)


def _options(told: Mapping[str, Any]) -> Options:
    items = told.get("items")
    rows = [row for row in items if isinstance(row, dict)] if isinstance(items, list) else []
    return tuple((str(row.get("ID")), str(row.get("VALUE") or row.get("ID"))) for row in rows if row.get("ID"))


def status_lists(rows: Iterable[Any]) -> dict[str, Options]:
    """(code, name) of every entry of the portal's lists, by the list's kind."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        if isinstance(row, dict) and row.get("ENTITY_ID"):
            code = str(row.get("STATUS_ID") or "")
            found.setdefault(str(row["ENTITY_ID"]), []).append((code, str(row.get("NAME") or code)))
    return {kind: tuple(options) for kind, options in found.items()}


def with_definition(spec: FieldSpec, definition: Mapping[str, Any]) -> FieldSpec:
    """A user field with the id of its definition, by which one made anew under the same name is told (sheet 5)."""
    return replace(spec, remote_id=str(definition.get("ID") or ""))


def _is_true(value: Any) -> bool:
    return value is True or value in ("Y", "1", 1)
