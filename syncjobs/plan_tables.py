"""A plan as a table of differences: a row for every record, with what would happen to it and for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.models import Connection, FieldRule
from syncjobs.models import ContactSync, Plan, RunItem
from syncjobs.plan_lines import differences_of, text_of
from syncjobs.sentences import translated

# The rows of records that nothing would happen to.
NOTHING = "nothing"
_PERSON = ("last_name", "first_name", "middle_name")
_NAMES = (*_PERSON, "full_name", "email", "emails")


@dataclass(frozen=True, slots=True)
class Step:
    """`changes` are (field, before, after) as they are shown."""

    system: str
    action: str
    label: str
    external_id: str
    reason: str
    changes: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Planned:
    """One record at the start of a leg; `steps` as `plans.steps_of` tells them."""

    number: str
    start: Connection
    steps: Sequence[Mapping[str, Any]]

    @property
    def actions(self) -> set[str]:
        return {step["action"] for step in self.steps} or {NOTHING}


@dataclass(frozen=True, slots=True)
class Row:
    number: str
    name: str
    start: Connection
    steps: Sequence[Step]


def planned(plan: Plan) -> list[Planned]:
    """Every record of the plan, in the order of its legs."""
    return list(_planned(plan))


def counts(records: Sequence[Planned]) -> dict[str, int]:
    """How many records there are for each action, in the order of the actions."""
    found = Counter(action for record in records for action in record.actions)
    return {action: found[action] for action in (*RunItem.Action.values, NOTHING) if found[action]}


def rows(plan: Plan, shown: Sequence[Planned]) -> list[Row]:
    """The rows of a page of records, with the names of their contacts. Two statements for each leg."""
    names, fields = _names(shown), _name_fields(plan)
    ends = {end.key: str(end) for end in (plan.route.source, plan.route.destination)}
    return [
        Row(
            record.number,
            names.get((record.start.pk, record.number)) or _name_in(record.steps, fields),
            record.start,
            [_step(step, ends) for step in record.steps],
        )
        for record in shown
    ]


def _planned(plan: Plan) -> Iterator[Planned]:
    for leg in plan.legs:
        start = plan.route.destination if leg["reverse"] else plan.route.source
        for number, steps in leg["records"].items():
            yield Planned(number, start, steps)


def _names(shown: Sequence[Planned]) -> dict[tuple[int, str], str]:
    found: dict[tuple[int, str], str] = {}
    for start in {record.start.pk for record in shown}:
        numbers = [record.number for record in shown if record.start.pk == start]
        links = ContactSync.objects.filter(connection_id=start, external_id__in=numbers).select_related("contact")
        found |= {(start, link.external_id): str(link.contact) for link in links.defer("contact__search")}
    return found


def _name_fields(plan: Plan) -> dict[tuple[str, str], str]:
    """Which fields of the route's ends hold a name: (connection's key, their field) → ours."""
    rules = FieldRule.objects.filter(connection__in=(plan.route.source_id, plan.route.destination_id), ours__in=_NAMES)
    return {(key, theirs): ours for key, theirs, ours in rules.values_list("connection__key", "theirs", "ours")}


def _name_in(steps: Sequence[Mapping[str, Any]], fields: Mapping[tuple[str, str], str]) -> str:
    """The name that a new contact or record would be given."""
    told: dict[str, str] = {}
    for step in steps:
        for field, (_before, after) in step["changes"].items():
            ours = fields.get((step["connection"], field))
            if ours and after:
                told.setdefault(ours, text_of(after))
    person = [told[name] for name in _PERSON if name in told]
    return " ".join(person) or next((told[name] for name in _NAMES if name in told), "")


def _step(step: Mapping[str, Any], ends: Mapping[str, str]) -> Step:
    action = RunItem.Action(step["action"])
    system, reason = ends.get(step["connection"], step["connection"]), translated(step["reason"])
    return Step(system, action.value, str(action.label), step["external_id"], reason, differences_of(step["changes"]))
