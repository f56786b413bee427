"""What field rules would do to one contact and its record: the engine's own steps, and nothing sent or stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from connectors.core.types import Direction, FieldSpec, RuleMode
from connectors.models import Connection
from contacts.records import ContactRecord
from syncjobs import reviews, routes
from syncjobs.mapping import catalogues
from syncjobs.mapping.samples import Sample
from syncjobs.plan_lines import text_of
from syncjobs.pulling.agreement import Agreement, source_contact
from syncjobs.pulling.merging import laid_over
from syncjobs.pulling.rules import PullRules
from syncjobs.rules import EMPTY, PushRules, Rule, jsonable, same
from syncjobs.sentences import translated
from syncjobs.sourcefields import getter, label_of


@dataclass(frozen=True, slots=True)
class Told:
    """What becomes of a value in one direction; `changes` where it would be written."""

    text: str
    changes: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One rule. `sent` is what a push would do to their field, `taken` what a pull would do to ours; None for neither.

    `problem` is why the rule cannot be used as it is; then it does nothing.
    """

    ours: str
    theirs: str
    our_value: str
    their_value: str
    sent: Told | None = None
    taken: Told | None = None
    problem: str = ""


def run(
    connection: Connection,
    rules: Sequence[Rule],
    sample: Sample,
    known: Mapping[str, FieldSpec],
    live: Mapping[str, Any] | None,
) -> list[Line]:
    """A line for every rule, in their order. `live` is what their record holds now; without it, what was agreed on."""
    wrong = {id(rule): list(catalogues.problems(connection, rule, known)) for rule in rules}
    usable = [rule for rule in rules if not wrong[id(rule)]]
    held = live if live is not None else sample.agreed
    sending = _Sending(usable, sample, held, known)
    taking = _Taking(connection, usable, sample, held, known)
    lines = []
    for rule in rules:
        problem = " ".join(sentence for _column, sentence in wrong[id(rule)])
        usable_here = not problem
        sends, takes = rule.direction != Direction.PULL, rule.direction != Direction.PUSH
        lines.append(
            Line(
                label_of(rule.ours),
                _their_label(known, rule.theirs),
                sample.ours(rule.ours),
                _shown(held.get(rule.theirs)),
                sending.of(rule) if usable_here and sends else None,
                taking.of(rule) if usable_here and takes else None,
                problem,
            )
        )
    return lines


class _Sending:
    """A push of the contact as it is."""

    def __init__(
        self, rules: Sequence[Rule], sample: Sample, held: Mapping[str, Any], known: Mapping[str, FieldSpec]
    ) -> None:
        self._sample, self._held, self._known = sample, held, known
        self._all = self._pushed(rules)

    def _pushed(self, rules: Sequence[Rule]) -> dict[str, Any]:
        push = PushRules(rules, self._known or None, region=settings.PHONE_REGION)
        mapped = push.apply(self._sample.contact, {name: jsonable(value) for name, value in self._held.items()})
        return mapped.everything

    def of(self, rule: Rule) -> Told:
        value, held = self._pushed([rule]).get(rule.theirs), self._held.get(rule.theirs)
        if rule.mode == RuleMode.IF_NEW and self._sample.has_record:
            return Told(_("Only new records are given it."))
        if value in EMPTY:
            emptied = rule.mode == RuleMode.OVERWRITE and self._sample.agreed.get(rule.theirs) not in EMPTY
            return Told(_("is emptied"), changes=True) if emptied else Told(_("Nothing: ours is empty."))
        if jsonable(self._all.get(rule.theirs)) != jsonable(value):
            return Told(_("Another rule fills this field."))
        if same(jsonable(value), jsonable(held)):
            kept = rule.mode == RuleMode.IF_EMPTY and held not in EMPTY
            return Told(_("Stays: their field is not empty.") if kept else _("Nothing: both hold the same."))
        return Told(_shown(value), changes=True)


class _Taking:
    """A pull of the record into the contact, by the policy of the connection's routes."""

    def __init__(
        self,
        connection: Connection,
        rules: Sequence[Rule],
        sample: Sample,
        held: Mapping[str, Any],
        known: Mapping[str, FieldSpec],
    ) -> None:
        self._sample = sample
        self._rules = PullRules(rules, known or None, settings.PHONE_REGION)
        self._taken = self._rules.read(held)
        self._problems = self._taken.problems
        self._after = self._merged(connection, held)

    def _merged(self, connection: Connection, held: Mapping[str, Any]) -> ContactRecord:
        stored = self._sample.stored
        now = Agreement(self._rules, None).snapshot(self._taken, held)
        agreed = self._sample.agreed
        before = self._rules.read_agreed(agreed, now, self._taken) if agreed else None
        updated_at = self._sample.link.remote_updated_at if self._sample.link else None
        decide = reviews.rule(routes.terms_of(connection).policy, stored, updated_at)
        return laid_over(stored.record, before, self._taken, self._rules.takes, decide).record

    def of(self, rule: Rule) -> Told:
        if not self._sample.has_record:
            return Told(_("Nothing: they have no record of this contact."))
        problem = next((text for text in self._problems if text.startswith(f"{rule.theirs} ")), "")
        if problem:
            return Told(translated(problem))
        if (rule.theirs, rule.ours) not in self._taken.normal or self._taken.values.get(rule.ours) in EMPTY:
            return Told(_("Nothing: theirs is empty."))
        read = getter(rule.ours)
        before = jsonable(read(self._sample.contact))
        after = jsonable(read(source_contact(self._sample.stored.id, self._after)))
        if before != after:
            return Told(_shown(after), changes=True)
        return Told(_("Nothing: ours stays as it is."))


def _their_label(known: Mapping[str, FieldSpec], key: str) -> str:
    return _(known[key].label) if key in known and known[key].label else key


def _shown(value: Any) -> str:
    value = jsonable(value)
    return "" if value in EMPTY else text_of(value)
