"""Bulk upsert: matching inside and across chunks, constant statements, concurrency."""

import threading
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import services, store
from contacts.bulk import Incoming, Touched, upsert
from contacts.hooks import contacts_changed
from contacts.models import Contact, ContactPoint
from contacts.records import ContactRecord, Point
from tests.factories import record_of

PHONE = (Point("+79161234567", "8 916 123-45-67", "", True),)


def run(*records, **options):
    return [outcome.result for outcome in upsert([Incoming(record) for record in records], source="test", **options)]


@pytest.mark.django_db
def test_two_rows_with_one_email_are_one_contact_inside_a_chunk_and_across():
    both = ContactRecord(emails=(Point("a@x.org", "", "", True), Point("b@x.org")))
    assert run(both, record_of("b@x.org", company="Acme")) == ["created", "updated"]
    assert run(record_of("a@x.org", first_name="Ann")) == ["updated"]
    contact = Contact.objects.get()
    assert (contact.first_name, contact.company, contact.email, contact.version) == ("Ann", "Acme", "a@x.org", 2)
    assert contact.provenance["first_name"]["by"] == "test"


@pytest.mark.django_db
def test_empty_values_clear_nothing_and_unchanged_rows_are_not_touched():
    record = record_of("a@x.org", first_name="Ann", attributes={"k": "v"}, phones=PHONE)
    assert run(record) == ["created"]
    before = Contact.objects.values().get()
    assert run(record, record_of("a@x.org")) == ["unchanged", "unchanged"]
    assert Contact.objects.values().get() == before


@pytest.mark.django_db
def test_rows_without_email_are_found_again():
    rows = [
        ContactRecord(first_name="Ann", phones=PHONE),
        ContactRecord(first_name="Bea", phones=PHONE),
        ContactRecord(first_name="Ann", company="Acme"),
        ContactRecord(phones=(Point("+79160000000", "", "", True),)),
        ContactRecord(company="Acme"),
    ]
    assert run(*rows) == ["created"] * 5
    assert run(*rows) == ["unchanged"] * 5
    assert run(ContactRecord()) == ["refused"]


@pytest.mark.django_db
def test_one_file_that_names_a_person_twice_settles_whatever_the_chunks():
    rows = [record_of("a@x.org", first_name="Ann"), record_of("a@x.org", first_name="Anna", company="Acme")]
    for expected in (["created", "updated"], ["unchanged", "unchanged"]):
        with Touched() as touched:
            assert [run(row, touched=touched)[0] for row in rows] == expected
    assert Contact.objects.get().first_name == "Ann"
    run(*rows)
    assert Contact.objects.get().first_name == "Anna"


@pytest.mark.django_db
def test_a_contact_may_be_named_by_its_id_and_a_deleted_one_is_not_found():
    (made,) = upsert([Incoming(record_of("a@x.org"))], source="test")
    (outcome,) = upsert([Incoming(ContactRecord(first_name="Ann"), made.contact_id)], source="test")
    assert (outcome.result, outcome.contact_id) == ("updated", made.contact_id)
    services.delete(made.contact_id, source="test")
    (outcome,) = upsert([Incoming(ContactRecord(first_name="Ann"), made.contact_id)], source="test")
    assert outcome.result == "refused"
    assert run(record_of("a@x.org")) == ["created"]


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["tab\tand\\n", "\\.", "emoji 👩‍👩‍👧 ё", "x" * 255, '"quoted", {json}'])
def test_copy_keeps_every_character(text):
    run(record_of("a@x.org", first_name=text, attributes={"k": text}))
    contact = Contact.objects.get()
    assert (contact.first_name, contact.attributes) == (text, {"k": text})


@pytest.mark.django_db
def test_statements_do_not_grow_with_the_chunk():
    def statements(count, name):
        rows = [record_of(f"{index}@x.org", first_name=name, phones=PHONE) for index in range(count)]
        with CaptureQueriesContext(
            connection,
        ) as captured:
            run(*rows)
        return len(captured)

    few = statements(2, "a"), statements(2, "b"), statements(2, "b")
    many = statements(500, "a"), statements(500, "c"), statements(500, "c")
    assert many[1:] == few[1:]
    assert max(*few, *many) <= 20


@pytest.mark.django_db
def test_hooks_hear_of_a_chunk_once_and_their_error_undoes_it():
    heard = []

    def listen(**message):
        heard.append(message)
        if message["source"] == "broken":
            raise RuntimeError

    contacts_changed.connect(listen)
    try:
        run(record_of("a@x.org"), record_of("b@x.org"))
        run(record_of("a@x.org", first_name="Ann"), record_of("b@x.org"))
        with pytest.raises(RuntimeError):
            upsert([Incoming(record_of("c@x.org"))], source="broken")
    finally:
        contacts_changed.disconnect(listen)
    assert [len(message["contact_ids"]) for message in heard] == [2, 1, 1]
    assert heard[0]["created_ids"] == set(heard[0]["contact_ids"])
    assert heard[1]["changed_fields"] == {"first_name"}
    assert Contact.objects.count() == 2


@pytest.mark.django_db
def test_a_change_in_between_is_noticed_and_repeated(monkeypatch):
    run(record_of("a@x.org", first_name="Ann"))
    save, times = store.save, []

    def interrupted(changes, source, at=None):
        times.append(1)
        if len(times) == 1:
            Contact.objects.update(version=7, company="Acme")
        return save(changes, source, at)

    monkeypatch.setattr(store, "save", interrupted)
    assert run(record_of("a@x.org", first_name="Anna")) == ["updated"]
    assert len(times) == 2
    assert Contact.objects.get().first_name == "Anna"


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_make_no_duplicates():
    barrier = threading.Barrier(2)
    problems = []

    def work(order):
        try:
            barrier.wait(10)
            rows = [record_of(f"{index}@x.org", first_name=f"n{index}") for index in range(300)][::order]
            rows += [ContactRecord(first_name=f"p{index}", company="Acme") for index in range(50)]
            for start in range(0, len(rows), 50):
                run(*rows[start : start + 50])
        except Exception as error:  # noqa: BLE001 (handed to the test below)
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert Contact.objects.count() == 350
    assert ContactPoint.objects.count() == 300


@pytest.mark.django_db
def test_editing_and_deleting_many():
    made = services.create(record_of("a@x.org", first_name="Ann"), source="test")
    same = services.edit(made.id, lambda record: record, source="test")
    assert same.version == 1
    edited = services.edit(made.id, lambda record: replace(record, emails=()), source="test")
    assert (edited.version, Contact.objects.get().email, ContactPoint.objects.count()) == (2, None, 0)
    run(*(record_of(f"{index}@x.org") for index in range(7)))
    assert services.delete_queryset(Contact.objects.alive(), source="test") == 8
    assert services.delete_queryset(Contact.objects.alive(), source="test") == 0
    with pytest.raises(services.ContactNotFound):
        services.edit(made.id, lambda record: record, source="test")
