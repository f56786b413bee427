"""A one-way route between two systems: matched without a request per person, repaired, and never doubled."""

from __future__ import annotations

import pytest
from django.utils import timezone

from connectors.core.types import CONTACTS
from syncjobs import route_runs
from syncjobs.models import ContactSync, ReviewItem, Route
from tests.engine.clinic import Clinic


def test_patients_become_contacts_with_all_their_fields(clinic: Clinic) -> None:
    patient = clinic.ident.add_patient(
        last_name="Белова", first_name="Анна", middle_name="Сергеевна", phone="8 (916) 123-45-67",
        email="a@example.com", card_number="00123", snils="001-234-567 89", inn="0012345678", sex=2,
        comment="Первая\r\nвторая",
    )  # fmt: skip
    done = clinic.run()
    assert done.counters()["created"] == 1
    shown = clinic.of(patient)
    assert (shown["first_name"], shown["last_name"]) == ("Анна Сергеевна", "Белова")
    assert shown["Телефон"] == ["+79161234567"]
    assert shown["Номер карты"] == "00123"
    assert shown["СНИЛС"] == "001-234-567 89"
    assert shown["ИНН"] == "0012345678"
    assert shown["Пол"] == "Женский"
    assert shown["Комментарий"] == "Первая\nвторая"
    assert shown["Отказ от SMS"] is False
    assert shown["Статус"] == "Активный"


def test_a_second_deep_run_writes_nothing(clinic: Clinic) -> None:
    clinic.ident.fill(300)
    clinic.run()
    written = clinic.requests("POST", "PATCH")
    done = clinic.run(full=True)
    assert clinic.requests("POST", "PATCH") == written
    counters = done.counters()
    assert (counters["created"], counters["updated"], counters["failed"]) == (0, 0, 0)
    assert len(clinic.people()) == 300


def test_an_incremental_run_with_nothing_new_asks_amocrm_nothing(clinic: Clinic) -> None:
    clinic.ident.fill(20)
    clinic.run()
    clinic.run()
    clinic.account.seen.clear()
    done = clinic.run()
    assert list(clinic.account.seen) == []
    assert [run.kind for run in done.runs] == ["pull"]


def test_a_contact_that_carries_the_patients_id_is_taken_whatever_its_phone(clinic: Clinic) -> None:
    patient = clinic.ident.add_patient(last_name="Белова", first_name="Анна", phone="89161234567")
    number = clinic.add_contact(phone="+79990000000", **{"ID пациента IDENT": str(patient)})
    clinic.add_contact(phone="+79161234567")
    clinic.run()
    assert clinic.of(patient)["id"] == number
    assert sorted(clinic.of(patient)["Телефон"]) == ["+79161234567", "+79990000000"]
    assert len(clinic.people()) == 2


def test_a_contact_with_the_phone_is_adopted_unless_it_is_another_patients(clinic: Clinic) -> None:
    adopted = clinic.add_contact(phone="8 916 123-45-67")
    clinic.add_contact(phone="+79161234568", **{"ID пациента IDENT": "999"})
    first = clinic.ident.add_patient(last_name="Белова", first_name="Анна", phone="89161234567")
    second = clinic.ident.add_patient(last_name="Соколов", first_name="Иван", phone="89161234568")
    clinic.run()
    assert clinic.of(first)["id"] == adopted
    assert clinic.of(second)["id"] not in (adopted, clinic.of(999)["id"])
    assert len(clinic.people()) == 3


def test_a_family_with_one_phone_stays_several_contacts(clinic: Clinic) -> None:
    number = clinic.add_contact("Иван", "Соколов", phone="+79161234567")
    mother = clinic.ident.add_patient(last_name="Соколова", first_name="Мария", phone="89161234567")
    father = clinic.ident.add_patient(last_name="Соколов", first_name="Иван", phone="89161234567")
    child = clinic.ident.add_patient(last_name="Соколов", first_name="Пётр", phone="89161234567")
    clinic.run()
    assert clinic.of(father)["id"] == number
    assert len({clinic.of(p)["id"] for p in (mother, father, child)}) == 3
    clinic.run(full=True)
    assert len(clinic.people()) == 3


def test_several_contacts_with_the_phone_are_a_question_and_nothing_is_written(clinic: Clinic) -> None:
    rivals = [clinic.add_contact(phone="+79161234567"), clinic.add_contact(phone="8(916)1234567")]
    clinic.ident.add_patient(last_name="Белова", first_name="Анна", phone="89161234567")
    written = clinic.requests("POST", "PATCH")
    done = clinic.run()
    assert done.counters()["conflicts"] == 1
    assert clinic.requests("POST", "PATCH") == written
    question = ReviewItem.objects.get(kind=ReviewItem.Kind.AMBIGUOUS)
    assert sorted(question.theirs["records"]) == sorted(str(number) for number in rivals)


def test_empty_and_junk_phones_match_nobody(clinic: Clinic) -> None:
    clinic.add_contact(phone="000")
    for junk in ("", " ", "нет", "-", "000", "12345"):
        clinic.ident.add_patient(last_name="Белова", first_name=f"Анна{junk.strip()}", phone=junk)
    clinic.run()
    assert len(clinic.people()) == 7


def test_edits_in_amocrm_are_put_right_by_a_deep_run(clinic: Clinic) -> None:
    patient = clinic.ident.add_patient(last_name="Белова", first_name="Анна", card_number="7", phone="89161234567")
    clinic.run()
    contact = clinic.account.account.contacts[clinic.of(patient)["id"]]
    card = next(f["field_id"] for f in contact["custom_fields_values"] if f["field_name"] == "Номер карты")
    clinic.account.clock.sleep(60)
    clinic.account.person_updates(
        str(contact["id"]), custom_fields_values=[{"field_id": card, "values": [{"value": "8"}]}]
    )
    assert clinic.of(patient)["Номер карты"] == "8"
    clinic.run(full=True)
    assert clinic.of(patient)["Номер карты"] == "7"


@pytest.mark.parametrize("recreate", [False, True])
def test_a_contact_deleted_in_amocrm_is_reported_or_made_anew(clinic: Clinic, recreate: bool) -> None:
    Route.objects.filter(pk=clinic.route.pk).update(recreate=recreate)
    patient = clinic.ident.add_patient(last_name="Белова", first_name="Анна", phone="89161234567")
    clinic.run()
    number = clinic.of(patient)["id"]
    clinic.account.person_deletes(str(number))
    done = clinic.run(full=True)
    assert sum(run.deleted for run in done.runs) == 1
    assert len(clinic.people()) == int(recreate)
    clinic.run(full=True)
    assert len(clinic.people()) == int(recreate)
    link = ContactSync.objects.get(connection=clinic.amo.connection)
    assert (link.gone_at is None) is recreate
    if recreate:
        assert clinic.of(patient)["id"] != number


def test_a_patient_that_vanished_is_noticed_and_the_contact_stays(clinic: Clinic) -> None:
    kept = clinic.ident.add_patient(last_name="Белова", first_name="Анна", phone="89161234567")
    gone = clinic.ident.add_patient(last_name="Белова", first_name="Анна", phone="89161234568")
    clinic.run()
    clinic.ident.merge_patients(kept, gone)
    done = clinic.run(full=True)
    assert sum(run.deleted for run in done.runs) == 1
    assert len(clinic.people()) == 2
    assert ContactSync.objects.filter(connection=clinic.source, gone_at__isnull=False).count() == 1


def test_birthdays_are_seen_by_the_deep_run(clinic: Clinic) -> None:
    patient = clinic.ident.add_patient(last_name="Белова", first_name="Анна", birth_date="1990-11-21")
    clinic.run()
    before = int(clinic.of(patient)["Возраст"])
    clinic.account.clock.sleep(366 * 86400)
    clinic.run()
    assert int(clinic.of(patient)["Возраст"]) == before
    clinic.run(full=True)
    assert int(clinic.of(patient)["Возраст"]) == before + 1


def test_without_the_field_for_the_id_nothing_is_sent(clinic: Clinic) -> None:
    clinic.amo.connection.rules.filter(ours="attributes.patient_id").delete()
    fields = clinic.account.account.fields[CONTACTS]
    del fields[next(number for number, field in fields.items() if field["name"] == "ID пациента IDENT")]
    clinic.ident.add_patient(last_name="Белова", first_name="Анна")
    done = clinic.run()
    assert done.stopped is not None
    assert "ident_fields --create" in done.stopped.message
    assert clinic.people() == []


def test_a_route_in_use_is_refused_and_free_again_afterwards(clinic: Clinic) -> None:
    with route_runs.lease(clinic.route):
        clinic.route.refresh_from_db()
    clinic.run()
    assert timezone.now() >= Route.objects.get(pk=clinic.route.pk).started_at


def test_a_text_that_is_too_long_is_cut_and_stays_so(clinic: Clinic) -> None:
    fields = clinic.account.account.fields[CONTACTS]
    comment = next(field for field in fields.values() if field["name"] == "Комментарий")
    comment["type"] = "text"
    patient = clinic.ident.add_patient(last_name="Белова", first_name="Анна", comment="Ах! " * 200)
    done = clinic.run()
    shown = clinic.of(patient)["Комментарий"]
    assert len(shown) <= 256
    assert shown.endswith("Ах!…")
    assert "cut to the 256 characters" in done.runs[-1].message
    written = clinic.requests("POST", "PATCH")
    clinic.run(full=True)
    assert clinic.requests("POST", "PATCH") == written
