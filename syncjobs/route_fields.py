"""The fields of a route's source that have no field of the contact of their own: carried on to the destination.

The source's rules take them into attributes; here each is given its field in the destination, told by the ids that the
source's setting `field_ids` names, else by the name that both systems know it by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import orjson
from django.db.models import Max
from django.utils.translation import gettext as _

from connectors import services as connections
from connectors.core.base import Connector
from connectors.core.errors import ApiError
from connectors.core.types import CONTACTS, Direction, FieldSpec
from connectors.models import Connection, FieldRule
from syncjobs.errors import Refused
from syncjobs.models import Route
from syncjobs.sentences import translated

FIELD_IDS = "field_ids"
_CARRIED = ("birth_date",)


@dataclass(frozen=True, slots=True)
class Carried:
    """A field on its way: `ours` is the contact's, `wanted` what the destination needs, `found` what it has."""

    ours: str
    wanted: FieldSpec
    found: FieldSpec | None = None


def look_up(route: Route) -> list[Carried]:
    """Every field to be carried on, with the destination's where there is one. Raises Refused."""
    with _opened(route.destination) as connector:
        return _matched(_carried(route), connector.describe(CONTACTS))


def create(route: Route) -> list[Carried]:
    """Makes what the destination lacks, fields and options, and answers all. Raises Refused."""
    if not route.destination.spec.entities[CONTACTS].makes_fields:
        label = route.destination.spec.label
        raise Refused(_("Fields of %(crm)s cannot be made from here.") % {"crm": label}, "not_makeable")
    carried = _carried(route)
    with _opened(route.destination) as connector:
        made = connector.ensure_fields(CONTACTS, [field.wanted for field in carried])
    return [replace(field, found=spec) for field, spec in zip(carried, made, strict=True)]


def add_rules(route: Route, carried: Sequence[Carried]) -> int:
    """Field rules of the destination for the fields that it has, beside those there are; answers how many are new."""
    destination = route.destination
    rules = destination.rules.filter(entity=CONTACTS)
    ruled = {(rule.ours, rule.theirs) for rule in rules}
    last = rules.aggregate(last=Max("position"))["last"] or 0
    pairs = [(field.ours, field.found.key) for field in carried if field.found is not None]
    new = [pair for pair in dict.fromkeys(pairs) if pair not in ruled]
    FieldRule.objects.bulk_create(
        FieldRule(connection=destination, ours=ours, theirs=theirs, direction=Direction.PUSH, position=last + place)
        for place, (ours, theirs) in enumerate(new, 1)
    )
    return len(new)


def _carried(route: Route) -> list[Carried]:
    """Raises Refused for a setting that nobody can read."""
    source = route.source
    with _opened(source) as connector:
        known = {spec.key: spec for spec in connector.describe(CONTACTS)}
    ids = parse_ids(source.settings_and_secrets().get(FIELD_IDS), known)
    taken = [rule for rule in source.rules.filter(entity=CONTACTS) if rule.theirs in known and _is_carried(rule.ours)]
    return [
        Carried(rule.ours, replace(known[rule.theirs], key="", read_only=False, remote_id=ids.get(rule.theirs, "")))
        for rule in taken
    ]


def _is_carried(ours: str) -> bool:
    return ours.startswith("attributes.") or ours in _CARRIED


def _matched(carried: Sequence[Carried], described: Sequence[FieldSpec]) -> list[Carried]:
    by_id = {spec.remote_id: spec for spec in described if spec.remote_id}
    by_name = {folded(spec.label): spec for spec in reversed(described) if not spec.read_only}
    found = []
    for field in carried:
        number = field.wanted.remote_id
        if number and number not in by_id:
            message = _("There is no field with the id %(id)s for “%(name)s”: correct the setting of field ids.")
            raise Refused(message % {"id": number, "name": field.wanted.label}, "unknown_field")
        found.append(replace(field, found=by_id[number] if number else by_name.get(folded(field.wanted.label))))
    return found


def parse_ids(text: str | None, known: Mapping[str, FieldSpec]) -> dict[str, str]:
    """ "age=123, Пол=456" or the same as a JSON object → {"age": "123", …}. Raises Refused."""
    if not text:
        return {}
    names = {key: key for key in known} | {folded(spec.label): key for key, spec in known.items()}
    found = {}
    for name, number in _pairs(text):
        key = names.get(name) or names.get(folded(name))
        if key is None or not number.isdigit():
            message = _("The field ids are written as age=123, sex=456; this is not: %(part)s.")
            raise Refused(message % {"part": f"{name}={number}"[:100]}, "field_ids_invalid")
        found[key] = number
    return found


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    if text.lstrip().startswith("{"):
        try:
            yield from ((str(name), str(number)) for name, number in orjson.loads(text).items())
        except orjson.JSONDecodeError:
            yield text, ""
        return
    for part in re.split(r"[,;\n]+", text):
        if part.strip():
            name, _sign, number = re.sub(r"[=:]", "=", part).rpartition("=")
            yield name.strip(), number.strip()


def folded(name: str) -> str:
    return " ".join(name.split()).casefold()


@contextmanager
def _opened(connection: Connection) -> Iterator[Connector]:
    """Raises Refused in place of what the remote system says."""
    try:
        connector = connections.open_connector(connection, patient=False)
        try:
            yield connector
        finally:
            connector.close()
    except ApiError as e:
        raise Refused(translated(e.message), e.kind.value) from None
