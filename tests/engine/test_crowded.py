"""A clinic's own number on hundreds of cards: it tells nobody from others, in neither direction."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors.core.types import MatchKey
from contacts import store
from contacts.matching import MOST_HOLDERS
from contacts.records import ContactRecord, Point
from syncjobs import strays
from syncjobs.models import ContactSync
from syncjobs.pull import pull
from tests.engine.clinic import Clinic

LANDLINE = "8 (343) 212-34-56"
NUMBER = "+73432123456"


@pytest.mark.parametrize("patients", [3, MOST_HOLDERS + 1])
def test_one_contact_with_the_number_is_given_to_a_namesake_unless_too_many_have_it(
    clinic: Clinic, patients: int
) -> None:
    for number in range(patients):
        clinic.ident.add_patient(last_name=f"Белова{number}", first_name="Анна", phone2=LANDLINE)
    theirs = clinic.add_contact("Анна", "Белова1", phone=NUMBER)
    clinic.run()
    ids = {person["id"]: person.get("ID пациента IDENT") for person in clinic.people()}
    crowded = patients > MOST_HOLDERS
    assert ids[theirs] == (None if crowded else "2")
    assert len(ids) == patients + crowded


def test_many_contacts_there_with_the_number_are_not_asked_about(clinic: Clinic) -> None:
    patient = clinic.ident.add_patient(last_name="Белова", first_name="Анна", phone2=LANDLINE)
    for _ in range(MOST_HOLDERS + 1):
        clinic.add_contact("Анна", "Белова", phone=NUMBER)
    done = clinic.run()
    assert done.counters()["conflicts"] == 0
    assert clinic.of(patient)["last_name"] == "Белова"


def test_a_look_up_of_strays_leaves_crowded_keys_out_in_one_statement(clinic: Clinic) -> None:
    clinic.add_contact("Анна", "Белова", phone=NUMBER)
    clinic.add_contact("Яна", "Белова", phone="+79161234567")
    clinic.run()
    keys = [MatchKey("phone", NUMBER), MatchKey("phone", "+79161234567")]
    connection = clinic.amo.connection
    assert [len(strays.find(connection, keys)[key]) for key in keys] == [1, 1]
    share(MOST_HOLDERS + 1)
    with CaptureQueriesContext(database) as queries:
        found = strays.find(connection, keys)
    assert [len(found[key]) for key in keys] == [0, 1]
    assert len(queries) == 1


@pytest.mark.parametrize("holders", [1, MOST_HOLDERS + 1])
def test_a_pull_links_nobody_by_a_crowded_number(clinic: Clinic, holders: int) -> None:
    share(holders)
    clinic.route.delete()
    clinic.add_contact("Анна", "", phone=NUMBER)
    run = pull(clinic.amo.connection, trigger="test")
    run.refresh_from_db()
    linked = ContactSync.objects.get(connection=clinic.amo.connection).contact_id
    crowded = holders > MOST_HOLDERS
    assert (run.created, run.conflicts) == (int(crowded), 0)
    assert (linked == UUID(int=1)) is not crowded


def share(count: int) -> None:
    """Contacts of the hub that have the number."""
    point = (Point(NUMBER, "", "", True),)
    records = [ContactRecord(first_name="Анна", last_name=f"Белова{number}", phones=point) for number in range(count)]
    changes = [store.Change.between(UUID(int=number), None, record) for number, record in enumerate(records, 1)]
    store.save([change for change in changes if change], "test")
