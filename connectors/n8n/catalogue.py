"""The members of a contact as workflows receive it. n8n prescribes none: these are ours (sheet 6)."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.core.types import FieldSpec, FieldType, Prepared

_SPECS = (
    FieldSpec("email", "E-mail"),
    FieldSpec("firstName", "First name"),
    FieldSpec("lastName", "Last name"),
    FieldSpec("middleName", "Middle name"),
    FieldSpec("phone", "Phone"),
    FieldSpec("company", "Company"),
    FieldSpec("jobTitle", "Job title"),
    FieldSpec("birthDate", "Date of birth", FieldType.DATE),
    FieldSpec("emails", "All e-mails", FieldType.EMAILS, multiple=True),
    FieldSpec("phones", "All phones", FieldType.PHONES, multiple=True),
)
STANDARD = {spec.key: spec for spec in _SPECS}


def described() -> list[FieldSpec]:
    return list(STANDARD.values())


def prepared(wanted: Sequence[str]) -> Prepared:
    """Every field is there once it is sent: names that are not ours arrive as members of `fields`."""
    return Prepared({name: STANDARD.get(name) or FieldSpec(name, name, custom=True) for name in wanted})
