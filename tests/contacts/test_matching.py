"""Matching: who is who, and who never is."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from contacts.matching import Ambiguous, Candidate, Keys, Matched, New, match, prefer

ONE, TWO = UUID(int=1), UUID(int=2)
PHONE = "+79161234567"


def keys(name="", emails=(), phones=(), company="", source_id=None):
    return Keys(frozenset(emails), frozenset(phones), name, company, source_id)


def test_any_email_in_common_matches_whatever_the_name():
    found = match(keys("anna", ["a@x", "b@x"]), [Candidate(ONE, keys("bea", ["b@x", "c@x"]))])
    assert found == Matched(ONE, "email")


def test_people_who_share_a_phone_stay_different_people():
    mother = Candidate(ONE, keys("anna bell", phones=[PHONE]))
    assert match(keys("ivan bell", phones=[PHONE]), [mother], ["email", "phone"]) == New()
    assert match(keys("anna bell maria", phones=[PHONE]), [mother], ["phone"]) == Matched(ONE, "phone")


def test_a_contact_with_another_source_id_is_never_taken_over():
    other = Candidate(ONE, keys("anna", ["a@x"], [PHONE], source_id="17"))
    same = keys("anna", ["a@x"], [PHONE], source_id="18")
    assert match(same, [other], ["email", "phone", "phone_and_name"]) == New()


def test_a_phone_as_given_matches_only_with_the_same_name():
    candidate = Candidate(ONE, keys("anna", phones=["2083342100"]))
    assert match(keys("anna", phones=["2083342100"]), [candidate], ["phone"]) == New()
    assert match(keys("anna", phones=["2083342100"]), [candidate]) == Matched(ONE, "phone_and_name")
    assert match(keys("bea", phones=["2083342100"]), [candidate]) == New()


def test_two_different_emails_are_two_people_even_with_one_phone_and_name():
    assert match(keys("anna", ["a@x"], [PHONE]), [Candidate(ONE, keys("anna", ["b@x"], [PHONE]))]) == New()


def test_namesakes_with_different_phones_stay_apart():
    assert match(keys("anna", phones=["+71"]), [Candidate(ONE, keys("anna", phones=["+72"]))]) == New()
    assert match(keys("anna"), [Candidate(ONE, keys("anna", phones=["+72"]))]) == Matched(ONE, "identity")


def test_several_fits_are_ambiguous_and_resolved_the_same_way_every_time():
    candidates = [Candidate(TWO, keys("anna", ["a@x"])), Candidate(ONE, keys("bea", ["a@x"]))]
    found = match(keys("anna", ["a@x"]), candidates)
    assert found == Ambiguous((ONE, TWO), "email")
    assert prefer(keys("anna", ["a@x"]), found, candidates) == TWO
    assert prefer(keys("zoe", ["a@x"]), found, candidates) == ONE


parts = st.builds(
    keys,
    st.sampled_from(["", "anna", "bea"]),
    st.sets(st.sampled_from(["a@x", "b@x"])),
    st.sets(st.sampled_from(["+71", "+72", "33"])),
    st.sampled_from(["", "acme"]),
)


@given(parts)
def test_a_contact_made_of_a_record_is_found_by_it_again(own):
    found = match(own, [Candidate(ONE, own)])
    told = own.emails or own.name or own.company or own.phones - {"33"}
    assert isinstance(found, Matched) if told else found == New()


@given(parts, st.lists(parts, max_size=4))
def test_the_order_of_candidates_does_not_matter(own, others):
    candidates = [Candidate(UUID(int=index), other) for index, other in enumerate(others)]
    assert match(own, candidates) == match(own, candidates[::-1])
