"""Takes a batch of remote records into the hub: matched, merged and stored in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction

from connectors.core.types import CONTACTS
from connectors.models import Connection
from contacts import store as contacts
from contacts.history import differences
from contacts.identifiers import uuid7
from contacts.matching import MatchKey
from contacts.records import ContactRecord
from syncjobs import linklocks, moves, questions, queue, reviews, routes, strays
from syncjobs.models import Run, RunItem
from syncjobs.pulling import store
from syncjobs.pulling.agreement import Agreement
from syncjobs.pulling.arrivals import Arrival, Arrivals, Batch
from syncjobs.pulling.burying import bury, forget, revive
from syncjobs.pulling.cases import Case, agrees, stray_of
from syncjobs.pulling.matching import Found, Matcher
from syncjobs.pulling.merging import laid_over
from syncjobs.pulling.rules import PullRules, Taken
from syncjobs.pulling.said import Said
from syncjobs.pulling.store import Linked
from syncjobs.pulling.verdicts import EMPTY, LINKED, Verdict, decide, sentence
from syncjobs.questions import Question
from syncjobs.references import reference_of

ATTEMPTS = 4
_KEYS: tuple[MatchKey, ...] = ("email", "phone")


class Intake:
    """One run's way of taking records in: the connection's rules, terms and account."""

    def __init__(
        self, connection: Connection, run: Run, rules: PullRules, agreement: Agreement, terms: routes.Terms
    ) -> None:
        self.connection, self.run, self.rules, self.terms = connection, run, rules, terms
        self.agreement = agreement
        # Until a person has allowed the deletions that this run is about.
        self.guarded = True
        self.asked, self.decided = reviews.has_open(connection), reviews.has_unused(connection)
        self.strays = strays.has_any(connection)
        self.arrivals = Arrivals(rules, agreement)
        self.reference = reference_of(connection)
        self.versioned = connection.spec.entities[CONTACTS].versioned
        named: list[MatchKey] = [key for key in _KEYS if key in connection.spec.match_order]
        self.match_order = sorted(named, key=connection.spec.match_order.index) or list(_KEYS)

    def take(self, batch: Batch, also: Callable[[], None]) -> tuple[bool, list[str]]:
        """Stores the batch: whether the run was asked to stop, and the ids of records to be looked at once more.

        What `also` stores waits for those. Begins anew when others changed the same contacts or links meanwhile;
        raises what stopped the last attempt.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with transaction.atomic():
                    one = _Attempt(self)
                    stop = one.run(batch)
                    if not one.overtaken:
                        also()
                self.arrivals.eager = one.counts["unchanged"] < len(batch.arrivals) / 2
                return stop, one.overtaken
            except (contacts.ConcurrentChange, IntegrityError, OperationalError) as e:
                if attempt == ATTEMPTS or (isinstance(e, OperationalError) and not linklocks.is_deadlock(e)):
                    raise
        raise AssertionError("unreachable")


class _Attempt:
    """One attempt at one batch."""

    def __init__(self, intake: Intake) -> None:
        self.intake, self.connection, self.rules = intake, intake.connection, intake.rules
        self.counts: Counter[str] = Counter()
        self.overtaken: list[str] = []
        self.items: list[tuple[UUID | None, str, RunItem.Action, str, Any]] = []
        self.questions: list[Question] = []
        self.told: list[UUID] = []
        self.made: dict[UUID, ContactRecord] = {}

    def run(self, batch: Batch) -> bool:
        linklocks.alone(self.connection)
        # Of several states of one record in a batch, the last one read counts.
        arrivals = {arrival.record.id: arrival for arrival in batch.arrivals}
        moves.follow(self.connection, [arrival.record for arrival in arrivals.values()])
        cases = self._new_or_changed(list(arrivals.values()), batch.asked_at)
        if cases:
            self._settle(cases)
        self._bury([i for i in batch.deleted_ids if i not in arrivals])
        routes.tell(self.intake.terms, self.told)
        reviews.ask(self.connection, self.questions)
        store.store_items(self.intake.run, self.items)
        return store.count(self.intake.run, self.counts)

    def _new_or_changed(self, arrivals: Sequence[Arrival], asked_at: datetime | None) -> list[Case]:
        ids = [arrival.record.id for arrival in arrivals]
        links = store.links_by_external_id(self.connection, ids)
        known = {} if self.intake.terms.takes else strays.hashes(self.connection, [i for i in ids if i not in links])
        cases = []
        for arrival in arrivals:
            record, digest = arrival.record, arrival.digest
            link = links.get(record.id)
            verdict = Verdict.UNCHANGED if known.get(record.id) == digest else decide(record, link, digest, asked_at)
            if verdict in (Verdict.UNCHANGED, Verdict.OLDER):
                self.counts["unchanged"] += 1
            elif verdict is Verdict.OVERTAKEN:
                self.overtaken.append(record.id)
            elif verdict is Verdict.HIDDEN:
                self.counts["skipped"] += 1
            else:
                contents = self.intake.arrivals.read(arrival)
                cases.append(Case(record, digest, contents, link, contents.contact))
        return cases

    def _settle(self, cases: list[Case]) -> None:
        known = [case for case in cases if case.link is not None]
        fresh = [case for case in cases if case.link is None]
        if not self.intake.terms.takes:
            self.counts["unchanged"] += len(fresh)
            self._keep_aside(fresh)
            fresh = []
        if fresh:
            contacts.lock_matching()
        matcher = Matcher(self.connection, self.rules, self.intake.match_order, self.intake.reference)
        pairs = [(case.record, case.contents.keys) for case in fresh]
        self.said = Said(self.connection, [case.record.id for case in cases], waiting=self.intake.decided)
        stored = matcher.load([*(c.link.contact_id for c in known if c.link), *self.said.contact_ids()], pairs)
        snapshots = queue.snapshots([c.link.id for c in known if c.link])
        ready = [case for case in known if self._merge(case, stored, snapshots)]
        placed = [case for case in fresh if self._place(case, matcher, stored)]
        self._keep_aside([case for case in fresh if case.contact_id is None])
        self._store([*ready, *placed], snapshots)
        self._close([*ready, *placed], placed)

    def _close(self, cases: Sequence[Case], placed: Sequence[Case]) -> None:
        """What is settled is asked no more, and what people have decided was carried out."""
        revive([case.contact_id for case in cases if case.revives() and case.contact_id is not None])
        if self.intake.strays:
            strays.clear(self.connection, [case.record.id for case in placed])
        if self.intake.asked:
            agreed = [(i, name) for case in cases for name, i in agrees(case).items()]
            self.said.woken += reviews.withdraw(self.connection, [case.record.id for case in placed], agreed)
        self.said.store()

    def _merge(
        self, case: Case, stored: Mapping[UUID, contacts.Stored], snapshots: Mapping[int, Mapping[str, Any]]
    ) -> bool:
        """Lays the record over the contact of its link. False when the contact has just been deleted."""
        if case.link is None or (before := stored.get(case.link.contact_id)) is None:
            self.counts["skipped"] += 1
            return False
        agreed = snapshots.get(case.link.id)
        case.contact_id = case.link.contact_id
        contents = case.contents
        known = self.rules.read_agreed(agreed, contents.snapshot, contents.taken) if agreed is not None else None
        self._lay_over(case, before, known)
        return True

    def _lay_over(self, case: Case, before: contacts.Stored, agreed: Taken | None) -> None:
        case.before = before
        if not self.intake.terms.takes:
            case.after = before.record
            return
        sides = self.said.sides(case.record.id, before.id)
        decide = reviews.rule(self.intake.terms.policy, before, case.record.updated_at, sides)
        merged = laid_over(before.record, agreed, case.contents.taken, self.rules.takes, decide)
        case.after = merged.record
        for conflict in merged.conflicts:
            case.notes.append(sentence(conflict, self.connection.spec.label))
        asked = [questions.about(c, case.record.id, before.id) for c in merged.conflicts if c.winner is None]
        self.questions += asked
        self.counts["conflicts"] += bool(asked)

    def _place(self, case: Case, matcher: Matcher, stored: Mapping[UUID, contacts.Stored]) -> bool:
        """Finds the contact of a record without a link, or makes one. False when it gets none."""
        keys = case.contents.keys
        person = self.said.person(case.record.id)
        is_new = person is not None and person.contact_id is None
        found = Found() if is_new else matcher.find(case.record, keys, person.contact_id if person else None)
        if found.ambiguous:
            self._ask_which(case, found, stored)
            if person is not None:
                self.said.overtaken(person)
            return False
        if found.contact_id is not None:
            case.contact_id, case.link = found.contact_id, found.link
            case.notes.append(LINKED)
            self._lay_over(case, stored[found.contact_id], None)
        elif case.after.is_empty():
            self.counts["skipped"] += 1
            self.items.append((None, case.record.id, RunItem.Action.SKIP, EMPTY, None))
            return False
        else:
            case.contact_id = uuid7()
        self.made[case.contact_id] = case.after
        matcher.took(case.contact_id, keys)
        if person is not None:
            self.said.placed(person, case.contact_id)
        return True

    def _ask_which(self, case: Case, found: Found, stored: Mapping[UUID, contacts.Stored]) -> None:
        known = {contact_id: stored[contact_id].record for contact_id in found.ambiguous if contact_id in stored}
        candidates = {contact_id: self.made.get(contact_id) or known[contact_id] for contact_id in found.ambiguous}
        question = questions.which(case.record.id, candidates, found.by, case.contents.snapshot)
        self.questions.append(question)
        self.counts["conflicts"] += 1
        self.items.append((None, case.record.id, RunItem.Action.CONFLICT, question.message, None))

    def _keep_aside(self, cases: Sequence[Case]) -> None:
        """Records that belong to no contact yet: a push may find them."""
        intake = self.intake
        met = [stray_of(case, self.rules, intake.reference, versioned=intake.versioned) for case in cases]
        strays.store(self.connection, met)

    def _store(self, cases: Sequence[Case], snapshots: Mapping[int, Mapping[str, Any]]) -> None:
        changes = []
        for case in cases:
            if case.contact_id is None:
                raise AssertionError("only placed records are stored")
            change = contacts.Change.between(case.contact_id, case.before, case.after)
            if change is not None:
                changes.append(change)
            self._tell(case, change)
        contacts.save(changes, self.connection.key, remember=False)
        links = [self._linked(case) for case in cases]
        same = [
            (case, link)
            for case, link in zip(cases, links, strict=True)
            if case.link is not None
            and not case.link.gone
            and link.state == "equal"
            and case.link.external_id == case.record.id
            and snapshots.get(case.link.id) == link.snapshot
        ]
        store.touch([(case.link.id, case.digest, case.record.updated_at) for case, _ in same if case.link])
        untouched = {id(link) for _, link in same}
        store.store_links(self.connection, [link for link in links if id(link) not in untouched])

    def _linked(self, case: Case) -> Linked:
        if case.contact_id is None:
            raise AssertionError("only placed records are linked")
        record, agreement = case.record, self.intake.agreement
        agree = agreement.of_new if case.before is None else agreement.of
        agreed = agree(case.contact_id, case.after, case.contents.snapshot)
        return Linked(
            link_id=case.link.id if case.link is not None else None,
            contact_id=case.contact_id,
            external_id=record.id,
            external_ref=record.ref or record.id,
            external_version=record.version if self.intake.versioned else "",
            seen_hash=case.digest,
            remote_hash=agreed.digest,
            remote_updated_at=record.updated_at,
            state="equal" if agreed.equal else "due" if self._pushes_back(case) else "differs",
            snapshot=agreed.snapshot,
        )

    def _pushes_back(self, case: Case) -> bool:
        followed = case.link is not None and case.link.pushed and self.connection.follow_changes
        return self.intake.terms.pushes_back or followed

    def _tell(self, case: Case, change: contacts.Change | None) -> None:
        """Counts what happened to the contact, and writes it down unless nothing did."""
        notes = " ".join([*case.notes, *case.contents.taken.problems])
        if case.before is None:
            self.counts["created"] += 1
            self.items.append((case.contact_id, case.record.id, RunItem.Action.CREATE, notes, None))
        elif change is not None:
            self.counts["updated"] += 1
            changes = differences(case.before.record, case.after, change.fields)
            self.items.append((case.contact_id, case.record.id, RunItem.Action.UPDATE, notes, changes))
        else:
            self.counts["updated" if LINKED in case.notes else "unchanged"] += 1
            if notes:
                action = RunItem.Action.LINK if LINKED in case.notes else RunItem.Action.SKIP
                self.items.append((case.contact_id, case.record.id, action, notes, None))
        if case.contact_id is not None and (change is not None or LINKED in case.notes):
            self.told.append(case.contact_id)

    def _bury(self, deleted_ids: Sequence[str]) -> None:
        intake = self.intake
        if not deleted_ids:
            return
        forget(self.connection, deleted_ids, asked=intake.asked or intake.decided)
        buried = bury(self.connection, intake.run, intake.terms, deleted_ids, guarded=intake.guarded)
        self.counts["conflicts"] += buried.questions
        self.counts["deleted"] += len(buried.gone)
        action = RunItem.Action.DELETE
        self.items += [(record.contact_id, record.external_id, action, buried.message, None) for record in buried.gone]
