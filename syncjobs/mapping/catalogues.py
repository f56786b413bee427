"""What a field rule may name on either side, and what is wrong with one that names something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connection as database
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connectors.core.types import CONTACTS, FieldSpec, FieldType
from connectors.models import Connection, FieldRule
from syncjobs.pulling.rules import REVERSIBLE, is_taken
from syncjobs.rules import Rule
from syncjobs.sourcefields import ATTRIBUTE, SOURCE_FIELDS, getter
from syncjobs.transforms import TRANSFORMS

# Attributes are nowhere listed: those of the contacts that changed last are offered, and those that rules name.
LOOKED_AT = 1000
TYPES = {
    FieldType.TEXT: gettext_lazy("text"),
    FieldType.INTEGER: gettext_lazy("whole number"),
    FieldType.NUMBER: gettext_lazy("number"),
    FieldType.BOOLEAN: gettext_lazy("yes or no"),
    FieldType.DATE: gettext_lazy("date"),
    FieldType.DATETIME: gettext_lazy("date and time"),
    FieldType.CHOICE: gettext_lazy("one of a list"),
    FieldType.CHOICES: gettext_lazy("several of a list"),
    FieldType.EMAILS: gettext_lazy("e-mails"),
    FieldType.PHONES: gettext_lazy("phones"),
    FieldType.JSON: gettext_lazy("structured data"),
}
_ATTRIBUTES = f"""
SELECT DISTINCT name FROM (
    SELECT attributes FROM contacts_contact ORDER BY updated_at DESC, id DESC LIMIT {LOOKED_AT}
) AS latest, jsonb_object_keys(latest.attributes) AS name
"""


def our_fields() -> list[tuple[str, str]]:
    """(key, name for people) of the contact's own fields."""
    return [(field.key, str(field.label)) for field in SOURCE_FIELDS]


def attributes() -> list[str]:
    """The names of attributes in use. Two statements."""
    ruled = FieldRule.objects.filter(ours__startswith=ATTRIBUTE).values_list("ours", flat=True).distinct()
    with database.cursor() as cursor:
        cursor.execute(_ATTRIBUTES)
        held = {name for (name,) in cursor.fetchall()}
    return sorted(held | {ours.removeprefix(ATTRIBUTE) for ours in ruled})


def told(spec: FieldSpec) -> str:
    """A field of theirs as people pick it: "Job title · text"."""
    return f"{_(spec.label) if spec.label else spec.key} · {TYPES[spec.type]}"


def is_ours(key: str) -> bool:
    """Whether contacts have such a field."""
    try:
        getter(key)
    except KeyError:
        return False
    return True


def problems(connection: Connection, rule: Rule, known: Mapping[str, FieldSpec]) -> Iterator[tuple[str, str]]:
    """(name of the rule's column, sentence) of everything that keeps the rule from doing what it says.

    `known` is the catalogue of theirs by key; where it is empty, nothing is said of their field.
    """
    system: dict[str, Any] = {"crm": connection.spec.label}
    held = connection.spec.entities[CONTACTS]
    spec = known.get(rule.theirs)
    sends, takes = rule.direction != FieldRule.Direction.PULL, rule.direction != FieldRule.Direction.PUSH
    one_way = rule.direction != FieldRule.Direction.BOTH
    if not is_ours(rule.ours):
        yield "ours", _("Contacts have no such field.")
    elif takes and not is_taken(rule.ours):
        yield "direction", _("This field of ours is made of others, so it can only be sent: choose “hub → system”.")
    if known and spec is None:
        yield "theirs", _("%(crm)s has no such field.") % system
    elif sends and spec is not None and spec.read_only:
        yield "direction", _("Their field can only be read: choose “system → hub”.")
    if sends and one_way and not held.write:
        yield "direction", _("%(crm)s cannot be written to.") % system
    if takes and one_way and not held.read:
        yield "direction", _("%(crm)s cannot be read from.") % system
    if rule.transform and rule.transform not in TRANSFORMS:
        yield "transform", _("There is no such transform.")
    elif takes and rule.transform not in REVERSIBLE:
        yield "transform", _("This transform cannot be undone, so nothing is taken: choose “hub → system”.")
    if not FieldRule.can_be_kept(connection, rule.direction, rule.mode):
        yield "mode", FieldRule.refusal(connection)
