"""The field mapping without a browser: choosing, refusing, and trying rules on a contact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from connectors import remote_fields
from connectors.core.types import CONTACTS, FieldSpec, FieldType
from connectors.models import Connection, FieldRule
from contacts.models import Contact
from syncjobs.models import ContactSync, SyncSnapshot

pytestmark = pytest.mark.django_db
Row = dict[str, Any]


@pytest.fixture
def page(connection: Connection) -> str:
    FieldRule.objects.all().delete()
    FieldRule.objects.create(connection=connection, ours="first_name", theirs="first", position=1)
    FieldRule.objects.create(connection=connection, ours="company", theirs="lost", position=2)
    fields = [
        FieldSpec("first", "First"),
        FieldSpec("job", "Job", max_length=5),
        FieldSpec("made", "Made", FieldType.DATETIME, read_only=True),
    ]
    remote_fields.store(connection, CONTACTS, fields)
    return reverse("admin:mapping", args=[connection.pk])


@pytest.fixture
def as_role(person: Callable[[str], Any]) -> Callable[[str], Client]:
    def log_in(role: str) -> Client:
        client = Client()
        client.force_login(person(role))
        return client

    return log_in


def form(*added: Row, **options: Any) -> Row:
    """The stored rules with `added` behind them, as the page posts them; `options` are names of further fields."""
    stored = [
        {"id": rule.pk, "ours": rule.ours, "theirs": rule.theirs, "direction": rule.direction, "mode": rule.mode,
         "transform": rule.transform, "position": rule.position}
        for rule in FieldRule.objects.all()
    ]  # fmt: skip
    blank = {"direction": "both", "mode": "overwrite", "transform": "", "position": ""}
    rows = [*stored, *({**blank, **row} for row in added)]
    posted = {f"rules-{n}-{name}": value for n, row in enumerate(rows) for name, value in row.items()}
    return {"rules-TOTAL_FORMS": len(rows), "rules-INITIAL_FORMS": len(stored), "save": "1", **posted, **options}


def rules() -> list[tuple[str, str]]:
    return list(FieldRule.objects.values_list("ours", "theirs"))


def test_a_rule_is_added_changed_and_removed(as_role: Callable[[str], Client], page: str) -> None:
    client = as_role("administrator")
    more = client.post(page, form(save="", add="1") | {"add": "1"}).content.decode()
    assert 'name="rules-2-ours"' in more
    assert len(rules()) == 2
    new = {"ours": "attributes.", "attribute": "shoe size", "theirs": "job", "direction": "push", "transform": "upper"}
    told = client.post(page, form(new, **{"rules-1-DELETE": "on", "rules-0-position": "7"}), follow=True)
    assert "The field rules are saved." in told.content.decode()
    assert sorted(rules()) == [("attributes.shoe size", "job"), ("first_name", "first")]
    assert FieldRule.objects.get(ours="first_name").position == 7


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"ours": "email", "theirs": "made", "direction": "push"}, "Their field can only be read"),
        ({"ours": "full_name", "theirs": "job"}, "made of others"),
        ({"ours": "email", "theirs": "job", "transform": "upper"}, "This transform cannot be undone"),
        ({"ours": "attributes.", "attribute": " ", "theirs": "job"}, "Give the new attribute a name."),
        ({"ours": "email"}, "Choose a field of theirs."),
        ({"ours": "email", "theirs": "nothing like it"}, "nothing like it is not one of the available choices"),
        ({"ours": "first_name", "theirs": "first"}, "There is a rule for these two fields already."),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    as_role: Callable[[str], Client], page: str, row: Row, sentence: str
) -> None:
    before = rules()
    told = as_role("administrator").post(page, form(row)).content.decode()
    assert sentence in told
    assert "Nothing has been saved" in told
    assert rules() == before


def test_a_field_that_is_gone_is_named_and_keeps_nobody_from_saving(
    as_role: Callable[[str], Client], page: str, connection: Connection
) -> None:
    client = as_role("administrator")
    assert f"{connection.spec.label} has no such field." in client.get(page).content.decode()
    client.post(page, form({"ours": "job_title", "theirs": "job"}))
    assert ("job_title", "job") in rules()


def test_the_catalogue_is_read_anew(as_role: Callable[[str], Client], page: str, connection: Connection) -> None:
    told = as_role("administrator").post(reverse("admin:mapping_read", args=[connection.pk]), follow=True)
    assert "fields have been read" in told.content.decode()
    keys = {spec.key for spec in remote_fields.stored(connection, CONTACTS)}
    assert "first" not in keys
    assert len(keys) > 3


def test_rules_are_tried_on_a_contact_without_being_stored(
    as_role: Callable[[str], Client], page: str, connection: Connection, make_people: Any
) -> None:
    contact: Contact = make_people(1)[0]
    Contact.objects.update(job_title="Gardener")
    link = ContactSync.objects.create(contact=contact, connection=connection, external_id="99", sync_status="Skipped")
    SyncSnapshot.objects.create(link=link, values={"first": "Annie", "job": "Cook"})
    Connection.objects.update(enabled=False)  # so that its record is not looked up
    test = reverse("admin:mapping_test", args=[connection.pk])
    client = as_role("administrator")
    posted = form({"ours": "job_title", "theirs": "job", "direction": "push"}, contact=str(contact.pk))
    lines = client.post(test, posted).context["lines"]
    assert [(line.our_value, line.their_value) for line in lines] == [("Ann0", "Annie"), ("", ""), ("Gardener", "Cook")]
    assert lines[0].sent.text == "Ann0"
    assert lines[0].taken.changes is False  # both agreed on theirs, so ours is the newer
    assert "has no such field" in lines[1].problem
    assert (lines[2].sent.text, lines[2].sent.changes) == ("Gard…", True)
    assert lines[2].taken is None
    assert len(rules()) == 2
    found = client.get(reverse("admin:mapping_contacts", args=[connection.pk]), {"q": "ann0"}).content.decode()
    assert str(contact.pk) in found


def test_a_viewer_sees_the_rules_and_may_do_nothing(
    as_role: Callable[[str], Client], page: str, connection: Connection
) -> None:
    client = as_role("viewer")
    assert "<fieldset" in client.get(page).content.decode()
    assert client.post(page, form()).status_code == 403
    for name in ("mapping_read", "mapping_test"):
        assert client.post(reverse(f"admin:{name}", args=[connection.pk])).status_code == 403, name
    assert client.get(reverse("admin:mapping_contacts", args=[connection.pk])).status_code == 403


def test_an_operator_tries_the_stored_rules_and_changes_none(
    as_role: Callable[[str], Client], page: str, connection: Connection, make_people: Any
) -> None:
    client = as_role("operator")
    contact = make_people(1)[0]
    test = reverse("admin:mapping_test", args=[connection.pk])
    assert len(client.post(test, {"contact": str(contact.pk)}).context["lines"]) == 2
    assert client.post(page, form()).status_code == 403
    assert client.post(test, {"contact": "nobody"}).status_code == 404
