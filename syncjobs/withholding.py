"""Fields whose value hangs on their record: what it holds, and what waits for a person's decision. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from syncjobs.rules import EMPTY, Mapped, PushRules, jsonable
from syncjobs.sourcefields import parts_of


def withheld(rules: PushRules, fields: frozenset[str]) -> frozenset[str]:
    """Their fields that the contact's `fields` in question would be sent to."""
    if not fields:
        return frozenset()
    return frozenset(theirs for theirs, ours, _plain in rules.shape if not fields.isdisjoint(parts_of(ours)))


def kept_back(mapped: Mapped, names: frozenset[str], held: Mapping[str, Any]) -> Mapped:
    """The contact in their fields, with what their record `held` of those `names` in place of ours."""
    if not names:
        return mapped
    kept = {name: value for name, value in mapped.kept.items() if name not in names}
    kept |= {name: held[name] for name in names if held.get(name) not in EMPTY}
    return replace(mapped, kept=kept)


def held_in(read: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """What a record that was just read holds in these fields, as a snapshot keeps it."""
    return {name: jsonable(value) for name, value in read.items() if name in names and value not in EMPTY}
