"""Field rules and plans, without a database: values in, decisions out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from connectors.core.types import (
    CONTACTS,
    Auth,
    Capabilities,
    ConnectorSpec,
    FieldSpec,
    MatchKey,
    MultiValue,
    Op,
    RemoteRecord,
)
from contacts.identifiers import uuid7
from syncjobs.plan import NO_EMAIL, Planner
from syncjobs.planitems import Decision, Known, PlanItem
from syncjobs.queue import DueLink
from syncjobs.rules import PushRules, RuleInvalid, difference
from syncjobs.sourcefields import CONTACT_COLUMNS, SourceContact


@dataclass
class Rule:
    ours: str
    theirs: str
    direction: str = "both"
    mode: str = "overwrite"
    transform: str = ""


def contact(**values: Any) -> SourceContact:
    row = {
        "id": uuid7(), "version": 1, "first_name": "", "last_name": "", "middle_name": "", "email": None, "phone": None,
        "company": "", "job_title": "", "birth_date": None, "domain_id": None, "page_id": None, "attributes": "{}",
        "deleted_at": None, **values,
    }  # fmt: skip
    return SourceContact(tuple(row[name] for name in CONTACT_COLUMNS))


RULES = [
    Rule("email", "mail"),
    Rule("first_name", "name"),
    Rule("birth_date", "born"),
    Rule("company", "firm", mode="if_new"),
]


def spec(**capabilities: Any) -> ConnectorSpec:
    held = Capabilities(read=True, write=True, find_keys=("email", "phone"), **capabilities)
    return ConnectorSpec(
        "toy", "Toy", Auth.NONE, (), {CONTACTS: held}, match_order=("email", "phone"), needs=("email",)
    )


NOTHING = Known({}, {}, {}, {})


def plan(link: DueLink, known: Known = NOTHING, rules: list[Rule] = RULES, **capabilities: Any) -> PlanItem:
    planner = Planner(spec(**capabilities), PushRules(rules))
    item = planner.first_look(link)
    return planner.settle(item, known) if item.mapped is not None else item


def link(person: SourceContact, **values: Any) -> DueLink:
    return replace(DueLink(1, "", "", None, False, False, person), **values)


def test_empty_values_are_left_out_and_initial_ones_kept_apart() -> None:
    mapped = PushRules(RULES).apply(contact(email="a@example.com", company="Acorn"))
    assert dict(mapped.kept) == {"mail": "a@example.com"}
    assert dict(mapped.initial) == {"firm": "Acorn"}


def test_the_digest_knows_only_what_is_kept() -> None:
    rules = PushRules(RULES)
    one = rules.apply(contact(email="a@example.com", company="Acorn", birth_date=date(1990, 5, 17)))
    other = rules.apply(contact(email="a@example.com", company="Oak", birth_date=date(1990, 5, 17)))
    third = rules.apply(contact(email="a@example.com", birth_date=date(1990, 5, 18)))
    assert one.digest() == other.digest() != third.digest()


def test_rules_that_pull_and_fields_that_cannot_be_written_are_left_out() -> None:
    fields = {"mail": FieldSpec("mail", "Mail"), "born": FieldSpec("born", "Born", read_only=True)}
    rules = PushRules([*RULES, Rule("last_name", "mail2", "pull")], fields)
    assert set(rules.left_out) == {"name", "born", "firm"}
    assert set(rules.apply(contact(email="a@example.com", first_name="Ann")).kept) == {"mail"}


def test_attributes_full_name_and_transforms() -> None:
    rules = PushRules([Rule("attributes.size", "size", transform="text"), Rule("full_name", "who", transform="upper")])
    person = contact(first_name="Анна", last_name="Белова", middle_name="Сергеевна", attributes='{"size": 7}')
    assert dict(rules.apply(person).kept) == {"size": "7", "who": "АННА СЕРГЕЕВНА БЕЛОВА"}


@pytest.mark.parametrize("rule", [Rule("nonsense", "x"), Rule("email", "x", transform="explode")])
def test_a_rule_that_cannot_work_says_so(rule: Rule) -> None:
    with pytest.raises(RuleInvalid, match=rule.ours):
        PushRules([rule])


def test_differences_include_what_is_gone() -> None:
    assert difference({"a": 1, "b": "x", "c": "y"}, {"a": 1, "b": "z", "d": date(2026, 1, 2)}) == {
        "b": "z", "c": None, "d": date(2026, 1, 2),
    }  # fmt: skip
    assert difference({"d": "2026-01-02"}, {"d": date(2026, 1, 2)}) == {}
    assert (
        difference({"p": [{"value": "1", "label": "", "primary": True}]}, {"p": [MultiValue("1", primary=True)]}) == {}
    )


def test_without_what_the_system_needs_nothing_is_sent() -> None:
    item = plan(link(contact(first_name="Ann")))
    assert (item.decision, item.reason, item.change) == (Decision.FAIL, NO_EMAIL, None)


def test_a_deleted_contact_is_skipped() -> None:
    assert plan(link(contact(email="a@example.com", deleted_at=date(2026, 1, 1)))).decision is Decision.SKIP


def test_the_same_digest_means_unchanged() -> None:
    person = contact(email="a@example.com")
    digest = PushRules(RULES).apply(person).digest()
    assert plan(link(person, external_id="7", remote_hash=digest)).decision is Decision.UNCHANGED


def test_an_upsert_carries_its_key_and_everything() -> None:
    item = plan(link(contact(email="a@example.com", company="Acorn")), upsert_key="email")
    assert item.decision is Decision.CREATE
    assert item.change is not None
    assert item.change.op is Op.UPSERT
    assert item.change.key == MatchKey("email", "a@example.com")
    assert item.change.values == {"mail": "a@example.com", "firm": "Acorn"}


def test_an_update_sends_only_what_changed() -> None:
    person = contact(email="a@example.com", first_name="Ann", company="Acorn")
    known = replace(NOTHING, snapshots={1: {"mail": "a@example.com", "name": "Anna", "born": "1990-01-01"}})
    item = plan(link(person, external_id="7", remote_hash=b"old"), known)
    assert item.change is not None
    assert (item.change.op, item.change.values) == (Op.UPDATE, {"name": "Ann", "born": None})


def test_after_a_lost_answer_an_update_sends_everything() -> None:
    person = contact(email="a@example.com", first_name="Ann")
    known = replace(NOTHING, snapshots={1: {"mail": "a@example.com", "name": "Ann"}})
    item = plan(link(person, external_id="7", remote_hash=None), known)
    assert item.change is not None
    assert item.change.values == {"mail": "a@example.com", "name": "Ann"}


def candidates(*records: RemoteRecord) -> Known:
    return replace(NOTHING, candidates={MatchKey("email", "a@example.com"): records})


def test_a_found_record_is_linked_and_only_its_differences_sent() -> None:
    record = RemoteRecord("9", {"mail": "a@example.com", "name": "Anna", "other": 1})
    item = plan(link(contact(email="a@example.com", first_name="Ann")), candidates(record))
    assert (item.decision, item.external_id) == (Decision.LINK, "9")
    assert item.change is not None
    assert (item.change.op, item.change.values, item.change.external_id) == (Op.UPDATE, {"name": "Ann"}, "9")


def test_a_found_record_that_agrees_is_only_linked() -> None:
    record = RemoteRecord("9", {"mail": "a@example.com", "name": "Ann"})
    item = plan(link(contact(email="a@example.com", first_name="Ann")), candidates(record))
    assert (item.decision, item.external_id, item.change) == (Decision.LINK, "9", None)


def test_several_found_records_are_a_conflict() -> None:
    known = candidates(RemoteRecord("8", {}), RemoteRecord("9", {}))
    item = plan(link(contact(email="a@example.com")), known)
    assert (item.decision, item.change) == (Decision.CONFLICT, None)


def test_a_record_of_another_contact_is_not_taken_over() -> None:
    known = replace(candidates(RemoteRecord("9", {"mail": "a@example.com"})), owners={"9": 55})
    item = plan(link(contact(email="a@example.com")), known)
    assert (item.decision, item.change) == (Decision.FAIL, None)


def test_two_links_of_a_page_do_not_take_the_same_record() -> None:
    planner = Planner(spec(), PushRules(RULES))
    record = RemoteRecord("9", {"mail": "a@example.com"})
    items = []
    for number in (1, 2):
        item = planner.first_look(link(contact(email="a@example.com"), id=number))
        items.append(planner.settle(item, candidates(record)))
    decisions = [item.decision for item in planner.without_doubles(items)]
    assert decisions == [Decision.LINK, Decision.FAIL]


def test_the_twin_of_a_linked_contact_is_refused() -> None:
    known = replace(NOTHING, twins={1: UUID(int=5)})
    item = plan(link(contact(email="a@example.com")), known, upsert_key="email")
    assert item.decision is Decision.FAIL
    assert "same e-mail" in item.reason
