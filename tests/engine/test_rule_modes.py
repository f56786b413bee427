"""The modes of field rules, both ways, over every system: overwrite is everywhere else, these are the careful ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors.models import FieldRule
from contacts import services as contacts
from contacts.models import Contact
from contacts.records import ContactRecord, Point
from syncjobs.models import Run
from syncjobs.pull import pull
from tests.engine.conftest import Destination
from tests.engine.remote import Remote

pytestmark = pytest.mark.django_db
MODE = FieldRule.Mode


@pytest.fixture
def remote(destination: Destination) -> Remote:
    return Remote(destination)


def give(remote: Remote, mode: MODE, ours: str = "last_name") -> None:
    remote.destination.connection.rules.filter(ours=ours).update(mode=mode)


def person(number: int = 0, **values: Any) -> Contact:
    points = {"emails": (Point(f"ann{number}@example.com", primary=True),)}
    stored = contacts.create(ContactRecord(**{"first_name": "Ann", **points, **values}), source="test")
    return Contact.objects.get(pk=stored.id)


def edit(contact: Contact, **values: Any) -> None:
    contacts.edit(contact.pk, lambda record: replace(record, **values), source="test")


def pushed(remote: Remote) -> Run:
    remote.destination.queue_all()
    run = remote.destination.settle()
    assert (run.failed, run.conflicts) == (0, 0), run.message
    return run


def held(remote: Remote, contact: Contact, ours: str = "last_name") -> Any:
    external_id = remote.destination.link(contact).external_id
    return remote.get(external_id).values.get(remote.theirs[ours]) or ""


def writes(remote: Remote) -> int:
    """Requests that could have changed records, by what the run itself counts."""
    run = pushed(remote)
    return run.created + run.updated


def test_if_empty_fills_what_is_empty_and_leaves_what_is_not(remote: Remote) -> None:
    give(remote, MODE.IF_EMPTY)
    remote.create("ann0@example.com", first_name="Ann", last_name="Theirs")
    remote.create("ann1@example.com", first_name="Ann")
    made = [person(number, last_name="Ours") for number in range(3)]
    pushed(remote)
    assert [held(remote, contact) for contact in made] == ["Theirs", "Ours", "Ours"]
    edit(made[0], last_name="Newer")
    edit(made[1], last_name="Newer")
    pushed(remote)
    assert [held(remote, contact) for contact in made] == ["Theirs", "Ours", "Ours"]
    assert writes(remote) == 0


def test_if_empty_asks_how_the_record_is_now(remote: Remote) -> None:
    give(remote, MODE.IF_EMPTY)
    contact = person()
    pushed(remote)
    remote.edit(remote.destination.link(contact).external_id, contact.email or "", last_name="Typed there")
    edit(contact, last_name="Ours")
    assert remote.destination.push().failed == 0
    assert held(remote, contact) == "Typed there"
    assert writes(remote) == 0


def test_if_empty_knows_what_a_pull_has_seen(remote: Remote) -> None:
    give(remote, MODE.IF_EMPTY)
    remote.create("ann0@example.com", first_name="Ann", last_name="Theirs")
    contact = person(last_name="Ours")
    pull(remote.destination.connection, trigger="test")
    pushed(remote)
    contact.refresh_from_db()
    assert (held(remote, contact), contact.last_name) == ("Theirs", "Ours")
    assert writes(remote) == 0


def test_a_rule_that_becomes_careful_finds_out_what_there_is(remote: Remote) -> None:
    FieldRule.objects.filter(connection=remote.destination.connection, ours="last_name").update(mode=MODE.IF_NEW)
    contact = person()
    pushed(remote)
    remote.edit(remote.destination.link(contact).external_id, contact.email or "", last_name="Theirs")
    give(remote, MODE.IF_EMPTY)
    edit(contact, last_name="Ours")
    pushed(remote)
    assert held(remote, contact) == "Theirs"


def test_append_adds_a_line_once(remote: Remote) -> None:
    give(remote, MODE.APPEND)
    remote.create("ann0@example.com", first_name="Ann", last_name="Theirs")
    remote.create("ann1@example.com", first_name="Ann", last_name="Also Ours, see")
    made = [person(number, last_name="Ours") for number in range(3)]
    pushed(remote)
    assert [held(remote, contact) for contact in made] == ["Theirs\nOurs", "Also Ours, see", "Ours"]
    edit(made[0], last_name="More")
    pushed(remote)
    assert held(remote, made[0]) == "Theirs\nOurs\nMore"
    edit(made[0], last_name="")
    pushed(remote)
    assert held(remote, made[0]) == "Theirs\nOurs\nMore"
    assert writes(remote) == 0


def test_append_keeps_what_was_typed_there_since(remote: Remote) -> None:
    give(remote, MODE.APPEND)
    contact = person(last_name="Ours")
    pushed(remote)
    remote.edit(remote.destination.link(contact).external_id, contact.email or "", last_name="Rewritten")
    edit(contact, last_name="More")
    pushed(remote)
    assert held(remote, contact) == "Rewritten\nMore"


def test_append_to_a_list_keeps_theirs_in_their_spelling(remote: Remote, settings: Any) -> None:
    if "phones" not in remote.theirs:
        pytest.skip("has no list of phones")
    settings.PHONE_REGION = "RU"
    give(remote, MODE.APPEND, "phones")
    remote.create("ann0@example.com", first_name="Ann", phone=["8 (916) 123-45-67", "+79160000001"])
    contact = person(phones=(Point("+79161234567", primary=True), Point("+79160000002")))
    pushed(remote)
    found = [point.value for point in held(remote, contact, "phones")]
    assert found == ["8 (916) 123-45-67", "+79160000001", "+79160000002"]
    edit(contact, phones=(Point("+79160000003", primary=True),))
    pushed(remote)
    assert [point.value for point in held(remote, contact, "phones")] == [*found, "+79160000003"]
    assert writes(remote) == 0


def test_if_new_is_for_records_that_the_hub_creates(remote: Remote) -> None:
    give(remote, MODE.IF_NEW)
    remote.create("ann0@example.com", first_name="Ann")
    made = [person(number, last_name="Ours") for number in range(2)]
    pushed(remote)
    assert [held(remote, contact) for contact in made] == ["", "Ours"]
    edit(made[1], last_name="Newer")
    pushed(remote)
    assert held(remote, made[1]) == "Ours"
    assert writes(remote) == 0


@pytest.mark.parametrize("mode", [MODE.OVERWRITE, MODE.IF_EMPTY, MODE.APPEND])
def test_statements_and_requests_stay_in_proportion(remote: Remote, mode: MODE) -> None:
    give(remote, mode)

    def push_of(start: int, count: int) -> tuple[int, int]:
        made = [person(number) for number in range(start, start + count)]
        pushed(remote)
        for contact in made:
            edit(contact, last_name="Ours")
        before = len(remote.destination.sandbox.seen)
        with CaptureQueriesContext(database) as captured:
            assert remote.destination.push().updated == count
        return len(captured), len(remote.destination.sandbox.seen) - before

    push_of(0, 2)
    (few, asked), (many, asked_for_many) = push_of(10, 2), push_of(100, 20)
    assert (many <= few, asked_for_many <= asked) == (True, True)
    assert asked_for_many <= (3 if mode == MODE.OVERWRITE else 4) + 1


def test_pull_with_if_new_fills_new_contacts_only(remote: Remote) -> None:
    give(remote, MODE.IF_NEW)
    known = person(first_name="Ann")
    remote.create("ann0@example.com", first_name="Anna", last_name="Theirs")
    number = remote.create("ann1@example.com", first_name="Ann", last_name="Theirs")
    pull(remote.destination.connection, trigger="test")
    known.refresh_from_db()
    new = Contact.objects.get(email="ann1@example.com")
    assert (known.last_name, new.last_name) == ("", "Theirs")
    remote.edit(number, "ann1@example.com", last_name="Newer")
    pull(remote.destination.connection, trigger="test")
    new.refresh_from_db()
    assert new.last_name == "Theirs"


def test_pull_with_append_adds_to_a_text_once(remote: Remote) -> None:
    give(remote, MODE.APPEND)
    contact = person(last_name="Ours")
    number = remote.create("ann0@example.com", first_name="Ann", last_name="Theirs")
    pull(remote.destination.connection, trigger="test")
    contact.refresh_from_db()
    assert contact.last_name == "Ours, Theirs"
    edit(contact, last_name="Ours")
    remote.edit(number, "ann0@example.com", first_name="Anna")
    pull(remote.destination.connection, trigger="test")
    contact.refresh_from_db()
    assert (contact.first_name, contact.last_name) == ("Anna", "Ours")
    remote.edit(number, "ann0@example.com", last_name="Newer")
    pull(remote.destination.connection, trigger="test")
    contact.refresh_from_db()
    assert contact.last_name == "Ours, Newer"


def test_pull_with_append_leaves_a_text_that_would_be_too_long(remote: Remote) -> None:
    give(remote, MODE.APPEND)
    contact = person(last_name="O" * 250)
    remote.create("ann0@example.com", first_name="Ann", last_name="Theirs")
    run = pull(remote.destination.connection, trigger="test")
    contact.refresh_from_db()
    assert (contact.last_name, run.status) == ("O" * 250, "done")


def test_pull_with_append_adds_to_a_list(remote: Remote) -> None:
    if "phones" not in remote.theirs:
        pytest.skip("has no list of phones")
    give(remote, MODE.APPEND, "phones")
    contact = person(phones=(Point("+79161234567", primary=True),))
    remote.create("ann0@example.com", first_name="Ann", phone=["+79160000001", "+79161234567"])
    pull(remote.destination.connection, trigger="test")
    listed = contact.points.filter(kind="phone").order_by("position", "id")
    assert list(listed.values_list("value", "is_primary")) == [("+79161234567", True), ("+79160000001", False)]


@pytest.fixture
def unreadable(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> Destination:
    """A system that only takes."""
    spec = remote.destination.connection.spec
    blind = replace(spec, entities={"contacts": replace(spec.entities["contacts"], read=False, find_keys=())})
    monkeypatch.setattr(remote.destination.connection.connector_class, "spec", blind)
    return remote.destination


@pytest.mark.parametrize("mode", [MODE.IF_EMPTY, MODE.APPEND])
def test_modes_that_have_to_look_are_refused_where_nothing_can_be_read(unreadable: Destination, mode: MODE) -> None:
    rule = unreadable.connection.rules.get(ours="last_name")
    rule.mode = mode
    with pytest.raises(ValidationError, match="cannot be read"):
        rule.full_clean()
    rule.direction = FieldRule.Direction.PULL
    rule.full_clean()


def test_such_a_rule_is_left_out_and_the_run_says_so(unreadable: Destination) -> None:
    unreadable.connection.rules.filter(ours="last_name").update(mode=MODE.IF_EMPTY)
    person(last_name="Ours")
    unreadable.queue_all()
    run = unreadable.push()
    assert "cannot be read" in run.message
    assert not any("Ours" in map(str, each.values()) for each in unreadable.people())
