"""Checks values against a field catalogue before anything is sent. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

from connectors.core.types import FieldSpec, FieldType, MultiValue, Options

Problems = dict[str, list[str]]


def problems(values: Mapping[str, Any], specs: Sequence[FieldSpec], current: Mapping[str, Any]) -> Problems:
    """What is wrong with which value, in sentences that say what is permitted; `current` is the record as it is."""
    known = {spec.key: spec for spec in specs}
    found: Problems = {}
    for name, value in values.items():
        sentence = _problem(value, known[name]) if name in known else _unknown(known.values())
        if sentence:
            found[name] = [sentence]
    for spec in specs:
        if spec.depends_on and {spec.key, spec.depends_on} & values.keys() and not found:
            sentence = _misplaced(spec, {**current, **values}, given=spec.key in values)
            if sentence:
                found[spec.key] = [sentence]
    return found


def _unknown(specs: Any) -> str:
    writable = ", ".join(spec.key for spec in specs if not spec.read_only)
    return _("There is no such field; these can be written: %(names)s.") % {"names": writable}


def _problem(value: Any, spec: FieldSpec) -> str:
    if spec.read_only:
        return _("This field cannot be written.")
    if value is None:
        fixed = spec.required or (bool(spec.options) and not spec.custom)
        return _("This field cannot be emptied.") if fixed else ""
    takes, sentence = _KINDS[spec.type]
    if not takes(value):
        return str(sentence())
    if spec.max_length is not None and isinstance(value, str) and len(value) > spec.max_length:
        return _("This is longer than %(most)s characters.") % {"most": spec.max_length}
    chosen = value if spec.type is FieldType.CHOICES else [value]
    if spec.options and not all(_among(item, spec.options) for item in chosen):
        return _("Must be one of: %(options)s.") % {"options": _listed(spec.options)}
    return ""


def _misplaced(spec: FieldSpec, record: Mapping[str, Any], *, given: bool) -> str:
    """Whether the record would have a value that its other field does not allow: a status of another pipeline."""
    of = record.get(spec.depends_on)
    share = dict(spec.options_by).get(str(of))
    if share is None or _among(record.get(spec.key), share):
        return ""
    facts = {"other": spec.depends_on, "value": of, "options": _listed(share)}
    if not given:
        return _("With %(other)s %(value)s this must be given too, as one of: %(options)s.") % facts
    return _("With %(other)s %(value)s this must be one of: %(options)s.") % facts


def _among(value: Any, options: Options) -> bool:
    return any(str(value) in pair for pair in options) if isinstance(value, str) else str(value) in dict(options)


def _listed(options: Options) -> str:
    return ", ".join(value if value == label else f"{value} ({label})" for value, label in options)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _is_moment(value: Any) -> bool:
    if isinstance(value, date):
        return True
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _is_point(value: Any) -> bool:
    if isinstance(value, dict):
        value = value.get("value")
    return isinstance(value, str | MultiValue) and bool(value)


def _are_points(value: Any) -> bool:
    return all(_is_point(item) for item in value) if isinstance(value, list) else _is_point(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _day() -> str:
    return _("Must be a date such as 2026-11-21.")


def _points() -> str:
    return _("Must be a list of texts, or of objects with a value.")


_KINDS: dict[FieldType, tuple[Callable[[Any], bool], Callable[[], str]]] = {
    FieldType.TEXT: (_is_text, lambda: _("Must be a text.")),
    FieldType.INTEGER: (_is_whole, lambda: _("Must be a whole number.")),
    FieldType.NUMBER: (_is_number, lambda: _("Must be a number.")),
    FieldType.BOOLEAN: (lambda value: isinstance(value, bool), lambda: _("Must be true or false.")),
    FieldType.DATE: (_is_moment, _day),
    FieldType.DATETIME: (_is_moment, _day),
    FieldType.CHOICE: (_is_text, lambda: _("Must be the text of an option.")),
    FieldType.CHOICES: (_are_texts, lambda: _("Must be a list with the texts of options.")),
    FieldType.EMAILS: (_are_points, _points),
    FieldType.PHONES: (_are_points, _points),
    FieldType.JSON: (lambda value: True, str),
}
