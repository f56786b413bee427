"""Three-way merge: laws and policies."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from contacts.merge import Rule, merge
from contacts.records import ContactRecord, Point, settle_primary

texts = st.sampled_from(["", "a", "b"])
points = st.lists(st.builds(Point, st.sampled_from(["p", "q", "r"])), max_size=3).map(settle_primary)
records = st.builds(
    ContactRecord,
    first_name=texts,
    company=texts,
    emails=points,
    attributes=st.dictionaries(st.sampled_from(["k", "m"]), texts, max_size=2),
)


def values(items):
    return {point.value for point in items}


@given(records, records)
def test_a_change_on_one_side_alone_is_taken_without_conflict(base, changed):
    for merged in (merge(base, changed, base), merge(base, base, changed)):
        assert merged.conflicts == ()
        assert merged.record.diff(changed) == {}


@given(records, records, records)
def test_a_second_round_settles(base, local, remote):
    first = merge(base, local, remote).record
    assert merge(first, first, first).record.diff(first) == {}


@given(records, records, records)
def test_points_are_merged_as_sets(base, local, remote):
    merged = values(merge(base, local, remote).record.emails)
    old, ours, theirs = values(base.emails), values(local.emails), values(remote.emails)
    assert merged == (ours & theirs) | (ours - old) | (theirs - old)


@given(records, records, records)
def test_at_most_one_point_is_primary(base, local, remote):
    emails = merge(base, local, remote).record.emails
    assert sum(point.primary for point in emails) == bool(emails)


def test_the_policy_decides_a_real_conflict():
    base, local, remote = (ContactRecord(first_name=name) for name in ("Ann", "Anna", "Anne"))
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    cases = [
        (Rule("source"), "Anne", "source"),
        (Rule("destination"), "Anna", "destination"),
        (Rule("ask"), "Anna", None),
        (Rule("newest", local_at=lambda _: late, remote_at=early), "Anna", "destination"),
        (Rule("newest", local_at=lambda _: early, remote_at=late), "Anne", "source"),
        (Rule("newest", preferred="destination", local_at=lambda _: late, remote_at=late), "Anna", "destination"),
    ]
    for rule, name, winner in cases:
        merged = merge(base, local, remote, rule)
        assert merged.record.first_name == name
        assert [(item.field, item.winner) for item in merged.conflicts] == [("first_name", winner)]


def test_edits_of_different_fields_both_survive_and_clearing_counts_as_an_edit():
    base = ContactRecord(first_name="Ann", company="Acme", job_title="chief")
    merged = merge(base, replace(base, first_name="Anna"), replace(base, company="", job_title="boss"))
    assert merged.record == ContactRecord(first_name="Anna", company="", job_title="boss")
    assert merged.conflicts == ()


def test_equal_content_has_equal_hashes_whatever_the_order():
    one = ContactRecord(emails=(Point("a", primary=True), Point("b")), attributes={"x": 1, "y": 2})
    other = ContactRecord(emails=(Point("b"), Point("a", primary=True)), attributes={"y": 2, "x": 1})
    assert one.content_hash() == other.content_hash()
    assert one.diff(other) == {}
    assert one.content_hash() != replace(one, first_name="z").content_hash()
