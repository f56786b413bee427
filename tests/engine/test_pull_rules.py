"""Reading records by rules comes to the same: ahead or when asked, with what is known from the last time or without."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.core.types import DefaultRule, MultiValue, RemoteRecord, RuleMode
from contacts.merge import Rule
from contacts.records import ContactRecord, Point
from syncjobs.pulling.agreement import Agreement
from syncjobs.pulling.arrivals import Arrivals
from syncjobs.pulling.merging import as_record, laid_over
from syncjobs.pulling.rules import PullRules
from syncjobs.rules import PushRules

RULES = [
    DefaultRule("first_name", "NAME"),
    DefaultRule("company", "FIRM", mode=RuleMode.IF_EMPTY),
    DefaultRule("emails", "EMAILS"),
    DefaultRule("phone", "PHONE"),
    DefaultRule("attributes.note", "NOTE"),
    DefaultRule("phones", "MORE", mode=RuleMode.APPEND),
]
PULL = PullRules(RULES, None, "RU")
AGREEMENT = Agreement(PULL, PushRules(RULES))

names = st.sampled_from([None, "", "Anna", " Anna ", "Maria"])
emails = st.lists(
    st.builds(MultiValue, st.sampled_from(["a@example.com", "B@Example.com", "nobody"]), st.sampled_from(["", "work"])),
    max_size=2,
)
phones = st.sampled_from([None, "8 916 123-45-67", "+79161234567", "+79161234568", "112"])
notes = st.sampled_from([None, 0, False, "blue", ["a", "b"]])
records = st.fixed_dictionaries(
    {"NAME": names, "FIRM": names, "EMAILS": emails, "PHONE": phones, "NOTE": notes, "MORE": phones}
)


def snapshot_of(values: dict[str, Any]) -> dict[str, Any]:
    return AGREEMENT.snapshot(PULL.read(values), values)


@given(agreed=records, local=records, remote=records)
def test_what_is_known_of_a_snapshot_need_not_be_read_again(
    agreed: dict[str, Any], local: dict[str, Any], remote: dict[str, Any]
) -> None:
    snapshot, taken, ours = snapshot_of(agreed), PULL.read(remote), as_record(PULL.read(local))
    shared = PULL.read_agreed(snapshot, snapshot_of(remote), taken)
    policy = Rule(policy="source")
    assert plain(laid_over(ours, shared, taken, PULL.takes, policy).record) == plain(
        laid_over(ours, PULL.read(snapshot), taken, PULL.takes, policy).record
    )


def plain(record: ContactRecord) -> dict[str, Any]:
    """The record without the spellings in which points were given."""
    values = {name: getattr(record, name) for name in ("first_name", "company")}
    points = {n: [(p.value, p.label, p.primary) for p in getattr(record, n)] for n in ("emails", "phones")}
    return values | points | {"attributes": dict(record.attributes)}


def test_a_value_that_theirs_kept_does_not_return() -> None:
    """A person emptied a field; theirs still holds what was agreed on."""
    remote = {"NAME": "Anna", "EMAILS": [MultiValue("a@example.com")], "PHONE": "+79161234567", "NOTE": "blue"}
    snapshot, taken = snapshot_of(remote), PULL.read(remote)
    ours = ContactRecord(emails=(Point("new@example.com", primary=True),))
    known = PULL.read_agreed(snapshot, snapshot, taken)
    assert plain(laid_over(ours, known, taken, PULL.takes, Rule()).record) == plain(ours)


@pytest.mark.parametrize("eager", [True, False])
def test_records_are_read_ahead_or_when_asked(eager: bool) -> None:
    arrivals = Arrivals(PULL, AGREEMENT)
    arrivals.eager = eager
    values = {"NAME": "Anna", "EMAILS": [MultiValue("A@example.com", "work", True)]}
    (arrival,) = arrivals.of([RemoteRecord("7", values)])
    assert (arrival.contents is not None) is eager
    assert arrival.digest == PULL.digest(values)
    contents = arrivals.read(arrival)
    assert contents is arrivals.read(arrival)
    assert (contents.contact.first_name, contents.contact.email) == ("Anna", "a@example.com")
    assert (contents.keys.source_id, contents.keys.emails) == ("7", {"a@example.com"})
    assert contents.snapshot == {
        "NAME": "Anna",
        "EMAILS": [{"value": "a@example.com", "label": "work", "primary": True}],
    }
